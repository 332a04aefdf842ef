"""fit and predict: what they give, what they keep, what they refuse."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from depthwise.errors import DataError, SizeError, TrainingError
from depthwise.layers import BatchNorm, Conv2D, Dense, Dropout, Input, MaxPool2D, Output
from depthwise.modules import build, initialize_weights
from depthwise.notation import write_toml
from depthwise.training import EarlyStopping, NeuralNetClassifier, NeuralNetRegressor, neural_net
from depthwise.training.randomness import Seeds
from depthwise.training.validation import choose_validation

SMALL = [Conv2D(8), MaxPool2D(), Dense(16), Dropout(), Output()]


def classifier(layers=SMALL, **params):
    defaults = {"max_epochs": 2, "batch_size": 64, "learning_rate": 0.01, "random_state": 0, "verbose": 0}
    return NeuralNetClassifier(layers, **{**defaults, **params})


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def test_digits_are_learned(digits):
    X, y = digits
    net = classifier([Conv2D(16), Conv2D(16), MaxPool2D(), Dense(32), Output()], max_epochs=12).fit(X[:300], y[:300])
    assert net.score(X[300:], y[300:]) > 0.85
    assert net.history_[-1].train_loss < net.history_[0].train_loss / 3
    proba = net.predict_proba(X[300:])
    assert proba.shape == (100, 10) and np.allclose(proba.sum(1), 1)
    assert np.array_equal(net.predict(X[300:]), net.classes_[proba.argmax(1)])


def test_a_fit_is_a_plain_loop_over_shuffled_batches(two_classes):
    X, y = two_classes
    net = classifier(
        [Dense(8), Output()], optimizer="sgd", momentum=0.9, l2=0.01, l1=0.002, batch_size=16, max_epochs=2
    )
    net.set_params(validation=None).fit(X, y)

    network = build(net.graph_)
    initialize_weights(network, "he", Seeds(net.seed_).weights)
    network.input.set(torch.from_numpy(X.mean(0)), torch.from_numpy(X.std(0)))
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    targets = torch.from_numpy((y == "right").astype(np.int64))
    losses = []
    for epoch in range(2):
        order = torch.Generator().manual_seed(Seeds(net.seed_, epoch).order)
        total = 0.0
        for rows in torch.randperm(60, generator=order).split(16):
            optimizer.zero_grad()
            matrices = [p for p in network.parameters() if p.ndim > 1]
            penalty = 0.01 * sum(p.square().sum() for p in matrices) + 0.002 * sum(p.abs().sum() for p in matrices)
            loss = F.cross_entropy(network(torch.from_numpy(X)[rows]), targets[rows]) + penalty
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / 60)
    assert net.history_["train_loss"] == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(weights(net), torch.cat([p.detach().flatten() for p in network.parameters()]))


def test_equal_seeds_give_equal_bits_and_leave_the_random_state_alone(digits):
    X, y = digits
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    nets = [classifier(random_state=seed).fit(X, y) for seed in (5, 5, 6)]
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()
    assert torch.equal(weights(nets[0]), weights(nets[1])) and not torch.equal(weights(nets[0]), weights(nets[2]))
    assert nets[0].history_["valid_loss"] == nets[1].history_["valid_loss"]
    # What is between two fits does not matter either.
    torch.rand(7)
    assert torch.equal(weights(classifier(random_state=5).fit(X, y)), weights(nets[0]))


def test_without_a_seed_every_fit_is_another_one(two_classes):
    nets = [classifier([Dense(4), Output()], random_state=None).fit(*two_classes) for _ in range(2)]
    assert not torch.equal(weights(nets[0]), weights(nets[1]))


@pytest.mark.parametrize("labels", [["no", "yes"], [-3, 70000], [False, True], [0.0, 1.0]])
def test_labels_of_any_kind_come_back(two_classes, labels):
    X, y = two_classes
    y = np.array(labels)[(y == "right").astype(int)]
    net = classifier([Dense(8), Output()], max_epochs=20).fit(X, y)
    assert net.classes_.tolist() == labels and net.classes_.dtype == y.dtype
    assert net.score(X, y) > 0.9


def test_regression_keeps_the_shape_of_its_targets():
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = X @ [1.0, -2.0, 0.5] + 3
    for targets in (y, y[:, None], np.stack([y, -y], 1)):
        net = NeuralNetRegressor([Dense(16), Output()], max_epochs=60, learning_rate=0.02, random_state=0, verbose=0)
        net.fit(X, targets)
        assert net.predict(X).shape == targets.shape
        assert net.score(X, targets) > 0.9
        assert net.history_[-1].valid_accuracy is None


def test_targets_of_one_column_are_not_broadcast():
    # (n,) against (n, 1) would broadcast to (n, n), and the loss would be that of all pairs.
    seen = []

    def loss(output, target):
        seen.append((output.shape, target.shape))
        return F.mse_loss(output, target)

    X = np.random.default_rng(0).normal(size=(32, 3))
    NeuralNetRegressor([Output()], loss=loss, max_epochs=1, validation=None, verbose=0).fit(X, X[:, 0])
    assert seen == [((32, 1), (32, 1))]


def test_r2_compares_the_truth_with_the_prediction(monkeypatch):
    X = np.random.default_rng(0).normal(size=(20, 3))
    net = NeuralNetRegressor([Output()], max_epochs=1, verbose=0, random_state=0).fit(X, X[:, 0])
    y, predicted = X[:, 0], net.predict(X)
    assert net.score(X, y) == pytest.approx(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def test_every_layout_of_images_gives_the_same_network(digits):
    X, y = digits
    reference = classifier().fit(X, y)
    others = {
        "channels last": X.transpose(0, 2, 3, 1),
        "no channel": X[:, 0],
        "float64": X.astype(np.float64),
        "list": X.tolist(),
    }
    for name, images in others.items():
        net = classifier().fit(images, y)
        torch.testing.assert_close(weights(net), weights(reference), msg=name)
        assert np.allclose(net.predict_proba(X), reference.predict_proba(images)), name
    flat = classifier([Input((1, 8, 8)), *SMALL]).fit(X.reshape(-1, 64), y)
    torch.testing.assert_close(weights(flat), weights(reference))
    assert flat.n_features_in_ == reference.n_features_in_ == 64


def test_bool_images_are_zeros_and_ones(digits):
    X, y = digits
    nets = [classifier(max_epochs=1).fit(images, y) for images in (X > 8, (X > 8).astype(np.float32))]
    torch.testing.assert_close(weights(nets[0]), weights(nets[1]))


def test_standardization_lives_in_the_network(digits):
    X, y = digits
    net = classifier(validation=None).fit(X, y)
    assert net.module_.input0.mean.item() == pytest.approx(X.mean(), rel=1e-6)
    assert net.module_.input0.std.item() == pytest.approx(X.std(), rel=1e-6)
    raw = classifier(validation=None, standardize=False).fit(X, y)
    assert (raw.module_.input0.mean.item(), raw.module_.input0.std.item()) == (0, 1)
    with torch.no_grad():
        assert np.allclose(net.module_(torch.tensor(X)).softmax(1).numpy(), net.predict_proba(X), atol=1e-6)


def test_statistics_are_those_of_the_training_part():
    X = np.zeros((40, 2), np.float32)
    X[:20] = 1000
    X[:, 1] += np.arange(40)
    y = np.arange(40) % 2
    net = classifier([Output()], validation=(X[:20], y[:20])).fit(X[20:], y[20:])
    assert net.module_.input0.mean.tolist() == [0, 29.5]
    assert net.module_.input0.std.tolist() == pytest.approx([1, X[20:, 1].std()])  # a constant feature stays as it is


def test_images_held_out_have_no_part_in_the_statistics():
    X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    net = classifier([Output()], validation=0.5).fit(X, np.arange(40) % 2)
    train, valid = choose_validation(40, 0.5, np.arange(40) % 2, Seeds(net.seed_).split)
    assert net.module_.input0.mean.numpy() == pytest.approx(X[train].mean(0), rel=1e-5)
    assert not np.allclose(X[train].mean(0), X[valid].mean(0))


def test_a_warm_start_keeps_the_statistics_that_its_weights_know(two_classes):
    X, y = two_classes
    net = classifier([Output()], warm_start=True).fit(X, y)
    before = net.module_.input0.mean.clone()
    assert torch.equal(net.fit(X + 100, y).module_.input0.mean, before)


def test_a_warm_start_goes_on_with_other_batches(two_classes):
    X, y = two_classes
    seen = []

    def loss(output, target):
        seen.append(target.tolist())
        return F.cross_entropy(output, target)

    net = classifier([Output()], warm_start=True, max_epochs=1, validation=None, loss=loss, batch_size=60)
    net.fit(X, y).fit(X, y)
    assert seen[0] != seen[1] and sorted(seen[0]) == sorted(seen[1])


def test_validation_in_every_form(digits):
    X, y = digits
    for none in (None, 0):
        net = classifier(max_epochs=1, validation=none).fit(X, y)
        assert net.history_["valid_loss"] == [None] and net.history_["valid_accuracy"] == [None]
    net = classifier(max_epochs=1, validation=(X[300:], y[300:])).fit(X[:300], y[:300])
    assert net.history_[-1].valid_accuracy == pytest.approx(net.score(X[300:], y[300:]))
    loss, right = net.evaluate(X[300:], y[300:])
    assert net.history_[-1].valid_loss == pytest.approx(loss, rel=1e-5) and right == net.score(X[300:], y[300:]) * 100
    with pytest.raises(DataError, match="validation: X holds 5 images but y holds 4 targets"):
        classifier(validation=(X[:5], y[:4])).fit(X, y)
    with pytest.raises(DataError, match="y: the label 77 is none of the 10 classes"):
        classifier(validation=(X[:2], [0, 77])).fit(X, y)
    with pytest.raises(DataError, match="holds images of 1x4x8 but the network is made for 1x8x8"):
        classifier(validation=(X[:2, :, :4], y[:2])).fit(X, y)


def test_both_losses_hold_the_penalty(two_classes):
    X, y = two_classes
    l2 = 0.3
    net = classifier([Dense(8), Output()], l2=l2, max_epochs=1, validation=(X, y)).fit(X, y)
    squares = sum(p.square().sum().item() for p in net.module_.parameters() if p.ndim > 1)
    assert net.history_[0].valid_loss == pytest.approx(net.evaluate(X, y)[0] + l2 * squares, rel=1e-5)


def test_a_second_fit_starts_anew_unless_it_goes_on(two_classes):
    X, y = two_classes
    net = classifier([Dense(8), Output()], max_epochs=3).fit(X, y)
    first = weights(net)
    assert torch.equal(weights(net.fit(X, y)), first) and len(net.history_) == 3
    module = net.module_
    net.set_params(warm_start=True, max_epochs=2).fit(X, y)
    assert net.module_ is module and net.history_["epoch"] == [1, 2, 3, 4, 5]
    assert net.optimizer_.state[next(module.parameters())]["step"] == 5  # one batch an epoch
    assert net.history_[3].train_loss < net.history_[0].train_loss


def test_a_warm_start_goes_on_where_training_stopped(two_classes):
    # Without a split and dropout, 2 + 2 epochs with the optimizer's state differ from 4 only by the order of batches.
    X, y = two_classes
    params = {"validation": None, "batch_size": 60, "optimizer": "sgd"}
    whole = classifier([Dense(8), Output()], max_epochs=4, **params).fit(X, y)
    halves = classifier([Dense(8), Output()], max_epochs=2, warm_start=True, **params).fit(X, y).fit(X, y)
    torch.testing.assert_close(weights(whole), weights(halves))


def test_a_warm_start_computes_as_the_parameters_say_now(two_classes):
    X, y = two_classes
    net = classifier([Output()], warm_start=True, max_epochs=1, precision="float32").fit(X, y)
    assert net.set_params(precision="bfloat16").fit(X, y).precision_ == "bfloat16"


def test_a_warm_start_keeps_the_validation_images_apart(digits, monkeypatch):
    X, y = digits
    net = classifier(random_state=None, warm_start=True, max_epochs=1).fit(X, y)
    splits = []
    original = neural_net.split_data

    def spy(*arguments, **options):
        splits.append(original(*arguments, **options))
        return splits[-1]

    monkeypatch.setattr(neural_net, "split_data", spy)
    net.fit(X, y).fit(X, y)
    assert torch.equal(splits[0][1].rows, splits[1][1].rows)
    assert not set(splits[0][0].rows.tolist()) & set(splits[0][1].rows.tolist())


def test_a_warm_start_refuses_other_images_and_classes(digits):
    X, y = digits
    net = classifier(max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(DataError, match="holds images of 1x8x6 but the network is made for 1x8x8"):
        net.fit(X[..., :6], y)
    with pytest.raises(DataError, match="the label 10 is none of the 10 classes of training"):
        net.fit(X, y + 1)


def test_the_callers_arrays_are_neither_changed_nor_kept():
    class Watched(np.ndarray):
        """An array that a weak reference can watch."""

    X = Watched((60, 4), np.float32)
    X[:] = np.random.default_rng(0).normal(size=(60, 4))
    y, before = np.arange(60) % 2, np.array(X)
    net = classifier([Dense(8), Output()]).fit(X, y)
    net.predict(X)
    assert np.array_equal(X, before)
    watched = weakref.ref(X)
    del X
    gc.collect()
    assert watched() is None and net.history_


def test_the_users_callbacks_stay_as_they_are(two_classes):
    callbacks = [lambda net, record: None]
    kept = list(callbacks)
    net = classifier([Dense(4), Output()], callbacks=callbacks)
    net.fit(*two_classes).fit(*two_classes)
    assert callbacks == kept and net.callbacks is callbacks


def test_an_interrupt_leaves_a_usable_network(two_classes, capsys):
    X, y = two_classes
    ended = []

    class Interrupting(EarlyStopping):
        def on_epoch_end(self, net, record):
            super().on_epoch_end(net, record)
            if record.epoch == 2:
                raise KeyboardInterrupt

        def on_train_end(self, net):
            super().on_train_end(net)
            ended.append(True)

    net = classifier([Dense(8), Output()], max_epochs=50, callbacks=[Interrupting()], verbose=1).fit(X, y)
    assert len(net.history_) == 2 and ended == [True]
    assert net.predict(X).shape == (60,) and not net.module_.training
    assert "Interrupted after 2 full epochs; the network is that of the best one." in capsys.readouterr().out


def test_a_last_batch_of_one_image_does_not_break_batch_normalization():
    X = np.random.default_rng(0).normal(size=(33, 4))
    net = classifier([Dense(8), BatchNorm(), Output()], batch_size=16, validation=None).fit(X, np.arange(33) % 2)
    assert net.module_.batchnorm2.num_batches_tracked == 2 * 2


def test_bfloat16_gives_float32_losses_and_probabilities(digits):
    X, y = digits
    outputs = set()

    def loss(output, target):
        outputs.add(output.dtype)
        return F.cross_entropy(output, target)

    net = classifier(precision="bfloat16", max_epochs=1, loss=loss).fit(X[:128], y[:128])
    assert outputs == {torch.float32}
    exact = classifier(precision="float32", max_epochs=1).fit(X[:128], y[:128])
    assert net.precision_ == "bfloat16" and net.predict_proba(X).dtype == np.float64
    assert next(net.module_.parameters()).dtype == torch.float32
    assert net.history_[0].train_loss == pytest.approx(exact.history_[0].train_loss, rel=0.05)
    assert net.history_[0].train_loss != exact.history_[0].train_loss


def test_a_module_of_ones_own_is_copied_and_trained(two_classes):
    X, y = two_classes
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    before = copy.deepcopy(module.state_dict())
    net = classifier(module, max_epochs=40).fit(X, y)
    assert net.score(X, y) > 0.9
    assert net.graph_ is None and net.layers_.names == ("0", "1", "2")
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    with pytest.raises(TrainingError, match=r"the module Linear gives an output of shape \(2, 5\) for 2 images of 4"):
        classifier(nn.Linear(4, 5)).fit(X, y)


def test_looking_at_a_modules_output_changes_nothing_in_it(digits):
    X, y = digits
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.0), nn.Linear(144, 10))
    net = classifier(module, max_epochs=1, validation=None, batch_size=400).fit(X, y)
    assert net.module_[1].num_batches_tracked == 1


def test_initialize_builds_without_data():
    net = classifier([Input((1, 8, 8)), Conv2D(4), Output(3)]).initialize()
    assert net.analysis_.params == sum(p.numel() for p in net.module_.parameters())
    assert net.layers_["conv2d1"].module is net.module_.conv2d1
    with pytest.raises(TrainingError, match=r"initialize\(\) needs the shape of the images\. Put Input"):
        classifier().initialize()
    with pytest.raises(TrainingError, match=r"layer 'output1': its width is not known before there is data"):
        classifier([Input((1, 8, 8)), Output()]).initialize()


def test_a_pickle_predicts_the_same_and_holds_no_optimizer(digits):
    X, y = digits
    net = classifier().fit(X, y)
    other = pickle.loads(pickle.dumps(net))
    assert np.array_equal(other.predict_proba(X), net.predict_proba(X))
    assert not hasattr(other, "optimizer_") and hasattr(net, "optimizer_")
    assert other.layers_["conv2d1"].module is other.module_.conv2d1
    other.set_params(warm_start=True).fit(X, y)
    assert len(other.history_) == 4


def test_a_notation_or_a_file_is_a_network(digits, tmp_path):
    X, y = digits
    path = tmp_path / "net.toml"
    path.write_text(write_toml([Conv2D(8), MaxPool2D(), Dense(16), Output()]))
    for layers in ("8C3-MP2-16N-N", path, str(path)):
        net = classifier(layers, max_epochs=1).fit(X, y)
        assert net.layers_.names == ("input0", "conv2d1", "maxpool2d2", "dense3", "output4")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((3, 4)), [0, 1], "X holds 3 images but y holds 2 targets. Give one for each image."),
        (np.zeros((3, 4)), None, "training requires y to be passed, but the target y is None"),
        (np.zeros((3, 4)), 5, "y is 5, but it must hold one target for each image"),
        (np.zeros((3, 4)), [7, 7, 7], "y: all 3 images are of one class, 7, but training needs 2."),
        (
            np.full((3, 4), np.nan),
            [0, 1, 1],
            r"X: 12 of 12 values are NaN, the first at index \(0, 0\)",
        ),
        (np.full((3, 4), 1e300), [0, 1, 1], r"X: 12 of 12 values are infinite \(inf\), the first"),
        (np.zeros((3, 1, 2, 2, 2)), [0, 1, 1], "X: has 5 axes, 3x1x2x2x2, but images need 2 to 4"),
        (np.zeros((2, 4)), [0, 1], "validation=0.2 of n_samples = 2 leaves 0 images to validate on and 2 to train on"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        classifier([Dense(4), Output()]).fit(X, y)


def test_flat_data_for_a_network_of_maps_are_refused_with_the_remedy(digits):
    X, y = digits
    message = r"X: has 2 axes with 64 features, but layer 'conv2d1' needs images\. Put Input\(\(1, 8, 8\)\) before"
    with pytest.raises(DataError, match=message):
        classifier().fit(X.reshape(-1, 64), y)
    with pytest.raises(DataError, match=r"Put Input\(\(channels, height, width\)\) before"):
        classifier().fit(X.reshape(-1, 64)[:, :60], y)
    with pytest.raises(SizeError, match="a 9x9 kernel does not fit into its 8x8 input"):
        classifier([Conv2D(4, 9), Output()]).fit(X, y)


def test_a_network_refuses_images_of_another_shape(digits):
    X, y = digits
    net = classifier(max_epochs=1).fit(X, y)
    with pytest.raises(DataError, match=r"X: holds images of 1x8x7 but the network is made for 1x8x8\. Resize"):
        net.predict(X[..., :7])


def test_a_loss_that_explodes_ends_training_with_the_remedy(two_classes):
    X, y = two_classes
    net = classifier([Dense(8), Output()], optimizer="sgd", learning_rate=1e30, max_epochs=5)
    with pytest.raises(
        TrainingError,
        match=r"epoch \d: the training loss is .* in batch 1 of epoch \d\. Lower learning_rate, .* 1e\+30",
    ):
        net.fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_epochs": 0}, "max_epochs is 0 but must be a whole number of 1 or more"),
        ({"batch_size": 1.5}, "batch_size is 1.5 but must be a whole number"),
        ({"learning_rate": -1}, "learning_rate is -1 but must be a number above 0"),
        ({"momentum": 1}, "momentum is 1 but must be a number from 0 to less than 1"),
        ({"l2": float("nan")}, "l2 is nan but must be a number of 0 or more"),
        (
            {"validation": 1.0},
            "validation is 1.0 but must be None, a share from 0 to less than 1, a pair",
        ),
        ({"validation": "half"}, "validation is 'half' but must be"),
        ({"init": "xavier"}, "init is 'xavier' but must be one of 'he', 'glorot', 'torch'"),
        ({"standardize": "yes"}, "standardize is 'yes' but must be True or False"),
        ({"verbose": -1}, "verbose is -1 but must be 0, 1, 2 or 3"),
        ({"precision": "float16"}, "precision is 'float16' but must be one of 'auto', 'float32', 'bfloat16'"),
        ({"device": "toaster"}, "device is 'toaster', which cannot be used"),
        ({"loss": "log"}, "loss is 'log' but must be one of 'cross_entropy'"),
        ({"optimizer": "adamm"}, "optimizer is 'adamm' but must be one of adam, .* Did you mean 'adam'"),
        ({"callbacks": [EarlyStopping]}, "callbacks holds <class .*EarlyStopping'>, which is neither"),
        ({"callbacks": ["stop"]}, "callbacks holds 'stop', which is neither a Callback nor a function"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(two_classes, params, message):
    with pytest.raises(TrainingError, match=message):
        classifier([Dense(4), Output()], **params).fit(*two_classes)


def test_a_network_is_compiled_while_it_learns_and_plain_afterwards(two_classes, monkeypatch):
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: asked.append((type(module).__name__, options)))
    net = classifier([Dense(4), Output()], max_epochs=1, compile=True).fit(*two_classes)
    assert asked == [("Network", {"mode": "default"})]
    assert net.module_._compiled_call_impl is None
    pickle.loads(pickle.dumps(net)).predict(two_classes[0])
