"""One output for two classes, several labels an image, one-hot rows; saved and loaded too."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

import depthwise as dw
from depthwise.errors import DataError, TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.targets import encode_labels

SETTINGS = {"max_epochs": 30, "batch_size": 10, "learning_rate": 0.02, "verbose": 0, "random_state": 0}


def several(two_classes):
    X, _ = two_classes
    return X, (X[:, :3] > 0).astype(int)


@pytest.mark.parametrize("loss", [None, "bce", "hinge"])
def test_one_output_tells_two_classes_apart(two_classes, loss, tmp_path):
    X, y = two_classes
    net = NeuralNetClassifier([Dense(8), Output(1)], loss=loss, **SETTINGS).fit(X, y)
    probabilities = net.predict_proba(X)
    assert net.n_outputs_ == 1 and net.score(X, y) > 0.9
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (net.predict(X) == net.classes_[probabilities.argmax(1)]).all()
    assert net.history_[-1].valid_accuracy > 0.7
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(dw.load(tmp_path / "net.safetensors").predict(X), net.predict(X))


def test_two_outputs_and_one_agree(two_classes):
    X, y = two_classes
    one, two = (NeuralNetClassifier([Output(n)], **SETTINGS).fit(X, y) for n in (1, 2))
    assert (one.predict(X) == two.predict(X)).mean() > 0.95


def test_an_image_may_have_several_labels(two_classes, tmp_path):
    X, Y = several(two_classes)
    net = NeuralNetClassifier([Dense(16), Output()], loss="bce", scoring="f1_macro", **SETTINGS).fit(X, Y)
    assert net.predict(X).shape == net.predict_proba(X).shape == Y.shape and net.multilabel_
    assert f1_score(Y, net.predict(X), average="macro") > 0.85
    assert net.score(X, Y) == (net.predict(X) == Y).all(1).mean()
    loss, right = net.evaluate(X, Y)
    assert right == (net.predict(X) == Y).all(1).sum() and loss < 0.5
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_allclose(dw.load(tmp_path / "net.safetensors").predict_proba(X), net.predict_proba(X))
    with pytest.raises(DataError, match=r"y: holds 2 labels an image but training had 3"):
        net.evaluate(X, Y[:, :2])


NOTE = "rows with a single one in 2 columns are read as classes 0 to 1"


def test_one_hot_rows_are_classes_with_a_note(two_classes):
    X, y = two_classes
    rows = np.stack([y == "left", y == "right"], 1)
    with pytest.warns(UserWarning, match=NOTE):
        net = NeuralNetClassifier([Output()], **SETTINGS).fit(X, rows)
    assert net.classes_.tolist() == [0, 1] and net.predict(X).shape == (60,)
    with pytest.warns(UserWarning, match=NOTE):
        assert net.score(X, rows) == net.score(X, rows.argmax(1))


def test_a_score_of_labels_of_another_kind_says_so(two_classes):
    X, y = two_classes
    net = NeuralNetClassifier([Output()], **SETTINGS).fit(X, y)
    with pytest.raises(DataError) as problem:
        net.score(X, (y == "left").astype(int))
    assert str(problem.value).startswith("y: the label 0 is none of the 2 classes of training ('left', 'right').")
    digits = NeuralNetClassifier([Output()], **SETTINGS).fit(X, (y == "left").astype(int))
    with pytest.raises(DataError, match=r"Convert the labels with astype\(int\)"):
        digits.score(X, (y == "left").astype(int).astype(str))
    assert net.score(X, np.full(60, "neither")) == 0  # a label of no class is a wrong answer
    with pytest.raises(DataError, match=r"^y: "):
        NeuralNetRegressor([Output()], **SETTINGS).fit(X, X[:, 0]).score(X, X[:, :2])


def test_rows_of_several_ones_need_the_loss_that_reads_them(two_classes):
    X, Y = several(two_classes)
    Y[3] = [1, 1, 0]
    with pytest.raises(DataError, match=r"in 3 columns, but an image of one class has 1\. Write loss='bce'"):
        NeuralNetClassifier([Output()], **SETTINGS).fit(X, Y)


def test_several_targets_never_broadcast(two_classes):
    X, _ = two_classes
    Y = X[:, :2] * [1, -2]
    net = NeuralNetRegressor([Dense(16), Output()], **SETTINGS).fit(X, Y)
    assert net.predict(X).shape == (60, 2) and net.score(X, Y) > 0.8
    column = NeuralNetRegressor([Dense(16), Output()], **SETTINGS).fit(X, Y[:, 0])
    assert column.predict(X).shape == (60,) and column.score(X, Y[:, 0]) > 0.8


def test_classes_that_come_later(two_classes):
    X, y = two_classes
    net = NeuralNetClassifier([Dense(8), Output()], learning_rate=0.02, batch_size=10, verbose=0, random_state=0)
    one = y == "left"
    net.partial_fit(X[one], y[one], classes=["left", "right", "up"])
    for _ in range(20):
        net.partial_fit(X, y)
    assert net.score(X, y) > 0.9 and net.predict_proba(X).shape == (60, 3)
    assert net.history_["epoch"] == list(range(1, 22)) and net.history_[-1].valid_loss is None
    with pytest.raises(DataError, match=r"the label 'down' is none of the 3 classes"):
        net.partial_fit(X, np.where(one, "down", y))


def test_partial_fit_learns_what_one_epoch_of_fit_does(two_classes):
    X, y = two_classes
    fitted = NeuralNetClassifier([Output()], **SETTINGS | {"max_epochs": 1, "validation": None}).fit(X, y)
    partly = NeuralNetClassifier([Output()], **SETTINGS).partial_fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), partly.predict_proba(X))


def test_a_loss_that_does_not_go_with_one_output(two_classes):
    with pytest.raises(TrainingError, match=r"Write Output\(2\), or loss='bce'"):
        NeuralNetClassifier([Output(1)], loss="cross_entropy", **SETTINGS).fit(*two_classes)


@pytest.mark.parametrize(
    ("labels", "layers", "remedy"),
    [
        (
            ["a", "b"],
            [Output()],
            r"has 2\. Write Output\(1\) or loss='cross_entropy', or give rows of 0 and 1 where an",
        ),
        (
            ["a", "b"],
            [Output(2)],
            r"has 2\. Write Output\(1\) or loss='cross_entropy', or give rows of 0 and 1 where an",
        ),
        (
            ["a", "b", "c"],
            [Output()],
            r"has 3\. Write loss='cross_entropy', or give rows of 0 and 1 where an image has",
        ),
    ],
    ids=["two classes", "two outputs", "three classes"],
)
def test_binary_losses_are_no_losses_of_one_class_of_many(two_classes, labels, layers, remedy):
    X, _ = two_classes
    needs = r"loss is 'bce', which needs 1 output where an image is of one of 2 classes, but the network "
    with pytest.raises(TrainingError, match=needs + remedy):
        NeuralNetClassifier(layers, loss="bce", **SETTINGS).fit(X, np.resize(labels, len(X)))


@pytest.mark.parametrize(
    ("label", "classes", "told"),
    [
        (
            "1",
            np.array([0, 1]),
            "y: the label '1' is of type str, but the 2 classes of training are of type int (0, 1).",
        ),
        (1, np.array(["0", "1"]), "y: the label 1 is of type int, but the 2 classes of training are of type str"),
    ],
)
def test_labels_of_another_type_are_told_how_to_convert(label, classes, told):
    with pytest.raises(DataError) as caught:
        encode_labels(np.array([label]), classes)
    kind = type(classes.tolist()[0])
    assert str(caught.value).startswith(told)
    assert str(caught.value).endswith(f". Convert the labels with astype({kind.__name__}).")
    assert encode_labels(np.array([label]).astype(kind), classes).tolist() == [1]
