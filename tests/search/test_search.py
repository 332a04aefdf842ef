"""The search as an estimator, against networks trained without it."""

import json

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import ShuffleSplit

from depthwise import Conv2D, GlobalAvgPool2D, Output
from depthwise.designer import design
from depthwise.errors import DataError, TrainingError
from depthwise.search import ArchitectureSearch
from depthwise.training import EarlyStopping, NeuralNetClassifier, NeuralNetRegressor


@pytest.fixture(scope="module")
def raced(digits, tmp_path_factory):
    """One race, and its folder."""
    folder = tmp_path_factory.mktemp("studies") / "one"
    net = NeuralNetClassifier([], batch_size=32, learning_rate=0.01)
    designs = ["4C3-MP2-N", "6C3-MP2-N", "8C3-MP2-N", "3C3-GAP-N", "8C9-N"]
    search = ArchitectureSearch(designs, estimator=net, rungs=(1, 2), keep=0.4, n_seeds=2, study=folder, verbose=0)
    return search.fit(*digits), folder


def data_of(folder):
    return [np.load(folder / "data" / f"{name}.npy") for name in ("X_train", "y_train", "X_valid", "y_valid")]


def test_every_score_is_that_of_a_network_trained_in_one_go(raced):
    search, folder = raced
    X, y, X_valid, y_valid = data_of(folder)
    found = search.cv_results_
    for place, rung, seed in ((0, 1, 0), (search.best_index_, 2, 0), (search.best_index_, 2, 1)):
        net = NeuralNetClassifier(
            found["layers"][place], batch_size=32, learning_rate=0.01, max_epochs=rung, random_state=seed, verbose=0,
            validation=(X_valid, y_valid),
        ).fit(X, y)  # fmt: skip
        assert net.history_[-1].valid_accuracy == found[f"score_rung{rung}_seed{seed}"][place]
        assert net.score(X_valid, y_valid) == found[f"score_rung{rung}_seed{seed}"][place]


def test_the_better_ones_go_on_and_the_best_one_wins(raced):
    search, _ = raced
    found = search.cv_results_
    first = np.ma.filled(found["score_rung1_seed0"], -1)
    finished = found["status"] == "finished"
    assert finished.sum() >= 2
    assert first[finished].min() >= first[~finished].max()
    means = [
        np.mean([found[f"score_rung2_seed{seed}"][place] for seed in (0, 1)]) for place in np.flatnonzero(finished)
    ]
    assert search.best_score_ == pytest.approx(max(means))
    assert search.best_index_ == np.flatnonzero(finished)[int(np.argmax(means))]
    assert found["rank"][search.best_index_] == 1 and sorted(found["rank"]) == [1, 2, 3, 4, 5]
    assert found["epochs"][finished].tolist() == [4] * finished.sum()
    assert set(found["status"]) == {"finished", "cut at rung 1", "failed"}


def test_a_design_that_does_not_fit_is_kept_with_its_reason(raced):
    found = raced[0].cv_results_
    assert found["status"][4] == "failed" and found["rank"][4] == 5
    assert found["error"][4].startswith("layer 'conv2d1': a 9x9 kernel does not fit into its 8x8 input.")
    assert np.ma.is_masked(found["score_rung1_seed0"][4]) and np.ma.is_masked(found["params"][4])
    assert "8C9-N failed: layer 'conv2d1'" in raced[0].table().text()


def test_costs_are_those_of_the_analysis(raced):
    found = raced[0].cv_results_
    assert found["params"][0] == 4 * 10 + (4 * 9 + 1) * 10
    assert found["macs"][0] == 4 * 9 * 36 + 4 * 9 * 10
    assert found["depth"][0] == 1


def test_the_best_estimator_is_the_better_of_its_seeds(raced, digits):
    search, folder = raced
    _, _, X_valid, y_valid = data_of(folder)
    scores = [search.cv_results_[f"score_rung2_seed{seed}"][search.best_index_] for seed in (0, 1)]
    assert search.best_estimator_.score(X_valid, y_valid) == max(scores)
    assert np.array_equal(search.predict(X_valid), search.best_estimator_.predict(X_valid))
    assert search.predict_proba(X_valid).shape == (len(X_valid), 10)
    assert search.score(X_valid, y_valid) == max(scores)
    assert search.classes_.tolist() == list(range(10))
    assert search.best_estimator_.learning_rate == 0.01


def test_all_designs_are_judged_by_the_same_images_with_every_class(raced, digits):
    X, y, X_valid, y_valid = data_of(raced[1])
    assert len(y_valid) == 60 and len(y) == 240
    assert set(y_valid) == set(range(10))
    both = np.concatenate([X, X_valid])
    assert sorted(map(bytes, both)) == sorted(map(bytes, digits[0]))


def test_it_keeps_its_parameters(make_search):
    search = make_search(n_seeds=3)
    copy = clone(search).set_params(keep=0.25, estimator__batch_size=16)
    assert copy.get_params(deep=False).keys() == search.get_params(deep=False).keys()
    assert (copy.n_seeds, copy.keep, copy.estimator.batch_size) == (3, 0.25, 16)
    assert search.estimator.batch_size == 32
    assert is_classifier(search)


def test_designs_of_the_designer_race(make_search, digits):
    X, y = digits
    found = design((1, 8, 8), 10, coverage=(0.8, 1.2))
    search = make_search(found[:2], rungs=(1,), n_seeds=1).fit(X, y)
    assert search.cv_results_["name"][0] == f"{found[0].skeleton} from {found[0].width}"
    assert search.cv_results_["depth"].tolist() == [one.depth for one in found[:2]]
    assert search.cv_results_["macs"].tolist() == [one.macs for one in found[:2]]
    assert search.best_layers_ == list(found[search.best_index_].layers)


def test_regression_is_judged_by_its_loss(make_search, digits):
    X, y = digits
    net = NeuralNetRegressor([], batch_size=32, learning_rate=0.003)
    search = make_search(("4C3-N", "4C3-GAP-N"), estimator=net, n_seeds=1).fit(X, y.astype(float))
    assert is_regressor(search) and not hasattr(search, "predict_proba")
    best = search.best_estimator_
    assert search.best_score_ == pytest.approx(-best.history_[-1].valid_loss, rel=1e-5)
    assert (search.cv_results_["standard_error"] > 0).all()
    assert search.predict(X[:3]).shape == (3,)


def test_labels_may_be_words(make_search, digits):
    X, y = digits
    words = np.array([f"digit {label}" for label in y], dtype=object)
    search = make_search(rungs=(1,), n_seeds=1).fit(X, words)
    assert search.classes_.tolist() == sorted(set(words))


def test_validation_may_be_given_or_split(make_search, digits, tmp_path):
    X, y = digits
    make_search(rungs=(1,), n_seeds=1, validation=(X[200:], y[200:]), study=tmp_path / "pair").fit(X[:200], y[:200])
    assert np.array_equal(data_of(tmp_path / "pair")[2], X[200:])
    splitter = ShuffleSplit(1, test_size=50, random_state=0)
    make_search(rungs=(1,), n_seeds=1, validation=splitter, study=tmp_path / "split").fit(X, y)
    train, valid = next(splitter.split(X))
    assert np.array_equal(data_of(tmp_path / "split")[0], X[train])
    assert np.array_equal(data_of(tmp_path / "split")[3], y[valid])


def test_callbacks_of_the_estimator_are_called_and_kept(make_search, digits):
    net = NeuralNetClassifier([], batch_size=32, callbacks=[EarlyStopping(1, min_delta=100.0)])
    search = make_search(("4C3-N",), estimator=net, rungs=(1, 4), n_seeds=1).fit(*digits)
    assert search.cv_results_["epochs"].tolist() == [2]
    assert search.best_estimator_.callbacks[0].patience == 1


def test_a_loss_that_is_not_finite_gives_the_design_up_and_the_race_ends(make_search, digits):
    broken = [Conv2D(4), GlobalAvgPool2D(), Output()]
    net = NeuralNetClassifier([], batch_size=32, callbacks=[_BreaksGlobalPooling()])
    search = make_search(("4C3-N", broken), estimator=net, n_seeds=1).fit(*digits)
    assert search.cv_results_["status"].tolist() == ["finished", "failed"]
    assert "the training loss is nan" in search.cv_results_["error"][1]


class _BreaksGlobalPooling:
    def __call__(self, net, record):
        if len(net.layers_) == 4:
            with np.errstate(all="ignore"):
                next(iter(net.module_.parameters())).data.fill_(float("nan"))


def test_nothing_that_can_be_trained_is_an_error(make_search, digits):
    with pytest.raises(TrainingError) as problem:
        make_search(("8C9-N", "8C10-N")).fit(*digits)
    assert str(problem.value) == (
        "none of the 2 designs could be trained. The first, 8C9-N: layer 'conv2d1': a 9x9 kernel does not fit into its "
        "8x8 input. Add padding, or use images of 9 px or more."
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rungs": (3, 1)}, "rungs is (3, 1) but must be rising whole numbers of epochs, such as (1, 3, 9, 27)."),
        ({"rungs": 3}, "rungs is 3 but must be rising whole numbers of epochs, such as (1, 3, 9, 27)."),
        ({"keep": 1}, "keep is 1 but must be a share between 0 and 1, such as 1/3."),
        ({"n_seeds": 0}, "n_seeds is 0 but must be a whole number of 1 or more."),
        ({"minutes": 0}, "minutes is 0 but must be a number above 0, or None."),
        ({"n_jobs": 0}, "n_jobs is 0 but must be a whole number but 0, or None."),
        ({"verbose": None}, "verbose is None but must be 0, 1, 2 or 3."),
        (
            {"random_state": -1},
            "random_state is -1 but must be None, a whole number from 0 to 4294967295, or a numpy.random.RandomState.",
        ),
        (
            {"random_state": 2**32 - 1},
            "random_state is 4294967295, and n_seeds=2 go on from there, but seeds end at 4294967295. "
            "Give a smaller random_state.",
        ),
        ({"n_threads": 0}, "n_threads is 0 but must be a whole number of 1 or more, or None."),
        (
            {"validation": None},
            "validation is None but must be a share between 0 and 1, a pair (X, y), or a splitter such as "
            "ShuffleSplit(1): designs are compared by images that none of them has seen.",
        ),
        (
            {"estimator": NeuralNetClassifier([], batch_size=[(1, 8), (1, 16)])},
            "estimator: batch_size is [(1, 8), (1, 16)], but the rungs say how many epochs there are. Give one number.",
        ),
    ],
)
def test_wrong_parameters(make_search, digits, params, message):
    with pytest.raises(TrainingError) as problem:
        make_search(**params).fit(*digits)
    assert str(problem.value) == message


@pytest.mark.parametrize(
    ("designs", "message"),
    [
        ("4C3-N", "designs is '4C3-N' but must be a DesignSet or a list of designs, such as ['32C3-N']."),
        ([], "designs is empty: there is nothing to race. Give at least one layer list."),
        (["4C3-N", [Conv2D(4), Output()]], "designs: number 1 is the same network as number 0. Leave one out."),
    ],
)
def test_wrong_designs(digits, designs, message):
    with pytest.raises(TrainingError) as problem:
        ArchitectureSearch(designs, verbose=0).fit(*digits)
    assert str(problem.value) == message


def test_several_labels_an_image(make_search, digits):
    X, y = digits
    labels = np.stack([y % 2, y > 4], axis=1)
    net = NeuralNetClassifier([], loss="bce", batch_size=32, learning_rate=0.01)
    search = make_search(("4C3-N", "2C3-GAP-N"), estimator=net, n_seeds=1).fit(X, labels)
    best = search.best_estimator_
    assert search.predict(X).shape == labels.shape and best.multilabel_
    assert search.best_score_ == max(score for score in search.cv_results_["mean_score"])
    assert (search.predict(X) == labels).mean() > 0.6


def test_a_module_is_no_design(digits):
    from torch import nn

    with pytest.raises(TrainingError, match=r"designs: number 0 is no layer list .* a module cannot be written down"):
        ArchitectureSearch([nn.Linear(3, 3)], verbose=0).fit(*digits)


def test_wrong_data(make_search, digits):
    with pytest.raises(DataError, match="X holds 300 images but y holds 299 targets"):
        make_search().fit(digits[0], digits[1][1:])


def test_a_line_for_each_network(make_search, digits, capsys):
    make_search(("4C3-MP2-N", "3C3-GAP-N"), n_seeds=1, verbose=1).fit(*digits)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rung 1: 2 designs"
    assert sum(line.startswith("  2/2  ") for line in lines) == 2
    assert lines[6].startswith("rung  design") or any(line.startswith("rank  design") for line in lines)


def test_results_are_json(raced):
    facts = json.loads(json.dumps(raced[0].to_dict()))
    assert [each["rank"] for each in facts] == raced[0].cv_results_["rank"].tolist()
    assert facts[4]["error"] == raced[0].cv_results_["error"][4]
