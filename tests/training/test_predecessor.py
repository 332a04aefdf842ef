"""What the predecessor's tests checked holds here, and its faults do not occur.

``TESTED`` names the tests elsewhere that hold a behaviour; the others stand below.  Not taken over, on purpose: layers
as dotted strings, several outputs or inputs at once, masks of sequences, in-place shuffling, legacy names of arguments.
"""

import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

from depthwise.errors import GraphError
from depthwise.layers import Add, Conv2D, Dense, Dropout, Flatten, Input, MaxPool2D, Output
from depthwise.training import Callback, NeuralNetClassifier, NeuralNetRegressor, load

TESTS = Path(__file__).parents[1]

TESTED = {
    "layers by name, index and slice": "training/test_layer_params.py::"
    "test_layers_of_a_fitted_net_are_found_by_name_index_and_slice",
    "a pickle predicts the same": "training/test_estimator.py::test_a_pickle_predicts_the_same_and_holds_no_optimizer",
    "weights of a net, a dictionary, a path": "training/test_transfer.py::test_all_sources_give_an_equal_network",
    "loading weights tells every tensor": "training/test_transfer.py::test_what_was_taken_and_what_was_not_is_told",
    "a search reaches layers": "training/test_scikit_learn.py::test_a_grid_reaches_into_layers",
    "clones have equal parameters": "training/test_layer_params.py::test_clones_are_equal_and_independent",
    "the loss is a mean over the batch": "training/test_estimator.py::test_a_fit_is_a_plain_loop_over_shuffled_batches",
    "shares and classes of the split": "training/test_inputs_and_targets.py::"
    "test_the_share_is_exact_and_the_parts_are_disjoint",
    "batches cover all, x and y together": "training/test_loop.py::"
    "test_every_image_comes_once_an_epoch_and_in_another_order",
    "an unknown parameter is told": "training/test_layer_params.py::test_a_mistake_is_told_and_nothing_is_set",
    "pairs of classes and arguments": "training/test_layer_params.py::test_pairs_and_notations_have_layers_too",
    "lengths that differ": "training/test_estimator.py::test_data_that_cannot_be_learned_from_are_refused",
    "targets keep their shape": "training/test_estimator.py::test_regression_keeps_the_shape_of_its_targets",
    "the table of epochs": "training/test_progress.py::test_the_table_is_that_of_the_tutorial",
    "the best weights come back": "training/test_callbacks.py::"
    "test_early_stopping_waits_and_goes_back_to_the_best_weights",
    "the greeting and the layer table": "training/test_progress.py::"
    "test_layer_info_prints_the_table_of_the_nets_verbosity",
    "the predecessor's plots": "displays/test_look_inside.py::test_the_predecessors_names_draw_the_same",
    "fault 1: r2 with swapped arguments": "training/test_estimator.py::test_r2_compares_the_truth_with_the_prediction",
    "fault 3: occlusion one pixel off": "inspection/test_occlusion.py::test_the_square_stands_around_its_pixel",
    "fault 4: capacity above 100 %": "analysis/test_fields.py::test_laws_of_fields",
    "fault 6: the caller's arrays": "training/test_estimator.py::test_the_callers_arrays_are_neither_changed_nor_kept",
    "fault 8: a quantized, contiguous share": "training/test_inputs_and_targets.py::"
    "test_the_images_to_validate_on_are_drawn_at_random",
    "fault 10: silent loading": "training/test_transfer.py::test_nothing_that_fits_is_an_error_and_changes_nothing",
    "fault 11: the user's list of callbacks": "training/test_estimator.py::test_the_users_callbacks_stay_as_they_are",
    "fault 12: a lost last row": "training/test_progress.py::"
    "test_the_last_line_is_printed_before_a_callback_ends_training",
    "fault 13: an interrupt skips the end": "training/test_estimator.py::test_an_interrupt_leaves_a_usable_network",
    "fault 15: scores of swapped arguments": "training/test_scoring.py::"
    "test_scores_are_those_of_the_whole_validation_set",
    "fault 17: no head, no fresh start": "training/test_progress.py::test_every_fit_prints_its_head",
    "fault 19: one output always says 0": "training/test_labels.py::test_one_output_tells_two_classes_apart",
    "fault 20: data kept after a fit": "training/test_estimator.py::"
    "test_the_callers_arrays_are_neither_changed_nor_kept",
}


@pytest.mark.parametrize("behaviour", TESTED)
def test_what_is_tested_elsewhere_is_there(behaviour):
    path, name = TESTED[behaviour].split("::")
    assert f"def {name}(" in (TESTS / path).read_text()


def classifier(layers, **params):
    defaults = {"max_epochs": 2, "batch_size": 32, "learning_rate": 0.02, "random_state": 0, "verbose": 0}
    return NeuralNetClassifier(layers, **{**defaults, **params})


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("validation", [0.2, None])
def test_toy_classification_is_learned(n_classes, validation):
    random = np.random.default_rng(0)
    y = np.arange(200) % n_classes
    X = random.normal(size=(n_classes, 6))[y] + 0.1 * random.normal(size=(200, 6))
    net = classifier([Dense(24), Output()], max_epochs=25, validation=validation).fit(X, y)
    assert net.score(X, y) > 0.9 and net.score(X, y) == accuracy_score(y, net.predict(X))


@pytest.mark.parametrize("n_targets", [1, 10])
def test_toy_regression_is_learned(n_targets):
    X = np.random.default_rng(0).normal(size=(200, 4))
    y = X @ np.random.default_rng(1).normal(size=(4, n_targets))
    net = NeuralNetRegressor([Dense(32), Output()], max_epochs=40, batch_size=20, learning_rate=0.01, verbose=0)
    assert net.set_params(random_state=0).fit(X, y).score(X, y) > 0.9


def test_the_history_is_the_one_that_callbacks_see_and_holds_the_predecessors_columns(digits):
    X, y = digits
    seen = []

    def watch(net, record):
        seen.append((net.history_, record))
        return record.epoch == 2

    net = classifier([Dense(32), Output()], max_epochs=9, learning_rate=0.003, callbacks=watch).fit(X, y)
    assert all(history is net.history_ for history, _ in seen)
    assert [record for _, record in seen] == list(net.history_) and len(net.history_) == 2
    losses, accuracies = net.history_["train_loss"], net.history_["valid_accuracy"]
    assert losses[1] < losses[0] and accuracies[1] > accuracies[0]
    row = net.history_[-1]
    assert (row.epoch, row.train_loss_best, row.valid_loss_best) == (2, True, True) and row.seconds > 0


def test_partial_fit_gives_itself_and_a_row_each(digits):
    X, y = digits
    net = classifier([Dense(32), Output()])
    assert net.partial_fit(X, y).partial_fit(X, y) is net and net.history_["epoch"] == [1, 2]


def test_a_search_passes_every_value_on(two_classes):
    X, y = two_classes
    net = classifier([Dense(4), Output()], max_epochs=1, optimizer="sgd")
    grid = {"momentum": [0.0, 0.5], "dense1__units": [2, 3]}
    search = GridSearchCV(net, grid, cv=2, refit=False).fit(X, y)
    expected = [(units, momentum) for units in (2, 3) for momentum in (0.0, 0.5)]
    assert [(p["dense1__units"], p["momentum"]) for p in search.cv_results_["params"]] == expected
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_diamond_of_named_layers_is_trained(two_classes):
    layers = [
        Input((4,), name="in"),
        Dense(6, name="left", inputs="in"),
        Dense(6, name="right", inputs="in"),
        Add(name="sum", inputs=["left", "right"]),
        Output(),
    ]
    net = classifier(layers, max_epochs=15).fit(*two_classes)
    assert net.score(*two_classes) > 0.8 and net.layers_.names == ("in", "left", "right", "sum", "output4")


def test_the_last_layer_gives_what_predict_proba_does_whatever_the_batches(digits):
    # 129 images cross a batch of 128; with dropout the predecessor's two answers differed (its fault 2).
    X, y = digits
    net = classifier([Conv2D(4), MaxPool2D(), Flatten(), Dropout(0.9), Output()], max_epochs=1).fit(X, y)
    record = {}
    with torch.no_grad():
        net.module_(torch.tensor(X[:129]), record)
    shares = record["output5"].softmax(1).numpy()
    assert record["conv2d1"].shape == (129, 4, 6, 6)
    np.testing.assert_allclose(shares, net.predict_proba(X[:129]), atol=1e-6)


def test_a_callback_keeps_every_epoch_in_its_own_file(two_classes, tmp_path):
    X, y = two_classes

    def keep(net, record):
        net.save(tmp_path / f"net-{record.epoch:04d}.safetensors")

    net = classifier([Output()], callbacks=keep).fit(X, y)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net-0001.safetensors", "net-0002.safetensors"]
    first, last = (load(path) for path in sorted(tmp_path.iterdir()))
    assert len(first.history_) == 1 and len(last.history_) == 2
    assert np.array_equal(last.predict_proba(X), net.predict_proba(X))


class MeanWeights(Callback):
    """What the predecessor's WeightLog kept: the mean size of every parameter, in every step."""

    def __init__(self):
        self.rows = []

    def on_step_end(self, net):
        self.rows.append({name: p.abs().mean().item() for name, p in net.module_.named_parameters()})


def test_a_log_of_weights_is_a_callback_and_goes_on_after_a_pickle(two_classes):
    net = classifier([Output()], callbacks=[MeanWeights()], validation=None, warm_start=True).fit(*two_classes)
    (log,) = net.callbacks
    assert len(log.rows) == 2 * 2 and set(log.rows[0]) == {"output1.weight", "output1.bias"}
    other = pickle.loads(pickle.dumps(net)).fit(*two_classes)
    assert len(other.callbacks[0].rows) == 8 and len(log.rows) == 4


def test_no_default_is_shared_and_mutable():
    # Fault 5: one batch iterator and one split for all nets.
    for kind in (NeuralNetClassifier, NeuralNetRegressor):
        for parameter in inspect.signature(kind).parameters.values():
            assert parameter.default is inspect.Parameter.empty or isinstance(hash(parameter.default), int)


def test_images_are_shuffled_without_being_asked(two_classes):
    # Fault 7.
    seen = []

    def loss(output, target):
        seen.append(target.tolist())
        return torch.nn.functional.cross_entropy(output, target)

    classifier([Output()], loss=loss, validation=None, batch_size=60).fit(*two_classes)
    given = (two_classes[1] == "right").astype(int).tolist()
    assert seen[0] != given and seen[0] != seen[1] and sorted(seen[0]) == sorted(given)


def test_a_later_part_with_fewer_classes_is_encoded_as_before(two_classes):
    # Fault 9: "right" alone would have become class 0.
    X, y = two_classes
    net = classifier([Output()]).partial_fit(X, y)
    for _ in range(30):
        net.partial_fit(X[y == "right"], y[y == "right"])
    assert net.classes_.tolist() == ["left", "right"] and set(net.predict(X)) == {"right"}


@pytest.mark.parametrize("name", ["max_epoch", "conv2d1_out_channels", "conv2d1__num_filters", "conv2d9__out_channels"])
def test_a_misspelt_parameter_is_never_accepted(name):
    # Fault 16: everything with a known prefix passed, and set_params took anything.
    net = classifier([Conv2D(4), Output()])
    with pytest.raises(ValueError, match=f"there is no parameter '{name}'"):
        net.set_params(**{name: 3})
    with pytest.raises(TypeError, match=name):
        NeuralNetClassifier([Conv2D(4), Output()], **{name: 3})


def test_two_layers_of_one_name_are_refused(two_classes):
    # Fault 18: one silently took the other's place.
    with pytest.raises(GraphError, match="same"):
        classifier([Dense(4, name="same"), Dense(4, name="same"), Output()]).fit(*two_classes)
