"""A hostile user: one clear error of ours for each mistake, and an estimator that is as before, or unfitted."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from depthwise.errors import DataError, FileError, TrainingError
from depthwise.layers import Dense, Input, Output
from depthwise.training import EarlyStopping, NeuralNetClassifier, NeuralNetRegressor, load

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype(np.float32)
Y = np.where(X[:, 0] > 0, "right", "left")


def classifier(**params):
    return NeuralNetClassifier([Dense(4), Output()], **{"max_epochs": 1, "random_state": 0, "verbose": 0, **params})


class Splitter:
    """Gives two parts, whatever there is to split."""

    def __init__(self, train, valid):
        self.parts = np.asarray(train), np.asarray(valid)

    def split(self, X, y=None, groups=None):
        yield self.parts

    def get_n_splits(self):
        return 1

    def __repr__(self):
        return "Splitter()"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (None, r"^X is a NoneType, but must be an array of images\. Write load_images\(path\)"),
        ("photos/", "^X is a str, but must be an array of images"),
        ({"left": X}, "^X is a dict, but must be an array of images"),
        (3.0, "^X: Expected 2D array, got scalar array instead"),
        (X[:, 0], r"(?s)^X: Expected 2D array, got 1D array instead.*Reshape your data"),
        (X[:0], r"^X: Found array with 0 sample\(s\)"),
        (X[:, :0], r"^X: Found array with 0 feature\(s\)"),
        (X + 1j, r"^X: Complex data not supported\. Give real numbers\.$"),
        (X.astype(str), "^X: dtype='numeric' is not compatible with arrays of bytes/strings"),
        ([[1.0, 2.0]] * 59 + [[1.0]], "^X: setting an array element with a sequence"),
        (np.where(X > 1, np.inf, X), r"^X: \d+ of 240 values are infinite \(inf\), the first at index \("),
        (np.where(X > 1, np.nan, X), r"^X: \d+ of 240 values are NaN, the first at index \("),
    ],
)  # fmt: skip
def test_images_that_are_none(images, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(images, Y)


def test_sparse_rows_are_refused_as_scikit_learn_does():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        classifier().fit(csr_matrix(X), Y)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array(["a", 1] * 30, object), r"^y: labels are of two kinds, 1 \(int\) and 'a' \(str\)\. Make all of"),
        (np.array(["a", None] * 30, object), r"^y: labels are of two kinds, None \(NoneType\) and 'a' \(str\)"),
        (np.where(Y == "left", np.nan, 1.0), r"^y: \d+ of 60 values are NaN, the first"),
        (X[:, 0], "^y: Unknown label type: continuous"),
        (np.where(Y == "left", b"a", b"b"), "^y: Support for labels represented as bytes is not supported"),
        (np.zeros((60, 2, 2)), r"^y: (y should be a 1d array|Found array with dim 3)"),
        (Y[:59], "^X holds 60 images but y holds 59 targets"),
        ([[0], [0, 1]] * 30, r"^y: setting an array element with a sequence\..* Give each image one"),
    ],
)  # fmt: skip
def test_labels_that_are_none(labels, message):
    with pytest.raises(DataError, match=message):
        classifier().fit(X, labels)


@pytest.mark.parametrize(
    ("targets", "message"),
    [(Y, "^y: dtype='numeric' is not compatible"), (np.zeros((60, 2, 2)), "^y: Found array with dim 3")],
)
def test_targets_that_are_no_numbers(targets, message):
    with pytest.raises(DataError, match=message):
        NeuralNetRegressor([Output()], verbose=0).fit(X, targets)


def test_labels_of_a_data_frames_column_keep_their_kind():
    assert classifier().fit(X, np.array([3, 10**12] * 30, object)).classes_.dtype == np.int64
    assert classifier().fit(X, Y.astype(object)).predict(X).dtype == object


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"batch_size": 0}, "^batch_size is 0 but must be a whole number of 1 or more, or a list of pairs"),
        ({"batch_size": [(3, 0)]}, "^batch_size is .* but must be a whole number of 1 or more, or a list of pairs"),
        ({"optimizer": "Adam"}, r"^optimizer is 'Adam' but must be one of adam, .* Did you mean 'adam'\?"),
        ({"scoring": 3}, "^scoring is 3 but must be names of scikit-learn's scorers, or scorers by name"),
        ({"random_state": "a"}, "^random_state is 'a' but must be None, a whole number from 0 to 4294967295, or"),
        ({"random_state": -1}, "^random_state is -1 but must be None"),
        ({"random_state": np.random.default_rng(0)}, r"^random_state is Generator\(PCG64\) .* but must be None"),
        ({"loss": torch.nn.CrossEntropyLoss}, r"^loss is the class CrossEntropyLoss\. Write CrossEntropyLoss\(\)\.$"),
        ({"loss": lambda output, target: output}, r"^loss: <lambda> gives a tensor of shape \(48, 2\), but"),
        ({"loss": lambda output, target: 1.0}, r"^loss: <lambda> gives a float, but training needs a single number"),
        ({"loss": lambda output, target: output.detach().mean()}, "^loss: <lambda> gives a tensor without gradient"),
        ({"validation": Splitter(range(100), range(5))}, r"^validation=Splitter\(\) gives images 0 to 99 to train on, "
         r"but there are images 0 to 59\. Take another splitter\.$"),
        ({"validation": Splitter([], range(60))}, r"^validation=Splitter\(\) gives no images to train on"),
        ({"validation": Splitter(range(60), [])}, r"^validation=Splitter\(\) gives no images to validate on"),
        ({"validation": KFold(61)}, r"^validation=KFold\(.*\) cannot split 60 images"),
        ({"validation": 0.001}, "^validation=0.001 of n_samples = 60 leaves 0 images to validate on and 60 to train"),
        ({"validation": [0.1, 0.2]}, "^X: Expected 2D array, got scalar"),
        ({"validation": (X[:0], Y[:0])}, r"^X: Found array with 0 sample\(s\)"),
        ({"validation": (X[:2], [0, 1])}, r"^y: the label 0 is none of the 2 classes of training \('left', 'right'\)"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_used(params, message):
    net = classifier(**params)
    with pytest.raises((TrainingError, DataError), match=message):
        net.fit(X, Y)


def test_masks_of_a_splitter_are_indices():
    mask = np.arange(60) < 10
    assert classifier(validation=Splitter(~mask, mask)).fit(X, Y).history_[-1].valid_loss > 0


def test_weights_that_have_no_meaning():
    with pytest.raises(DataError, match=r"^sample_weight is 'balanced', but must be one number for each"):
        classifier().fit(X, Y, sample_weight="balanced")
    message = r"^class_weight is 'balanced', but y holds {} an image, not one class\. Write None, and give fit a"
    with pytest.raises(TrainingError, match=message.format("numbers")):
        NeuralNetRegressor([Output()], class_weight="balanced", verbose=0).fit(X, X[:, 0])
    with pytest.raises(TrainingError, match=message.format("several labels")):
        classifier(loss="bce", class_weight="balanced").fit(X, np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int))


def test_classes_to_come_must_be_several():
    for classes in ("left", 3):
        with pytest.raises(DataError, match=r"^y: y should be a 1d array, got an array of shape \(\) instead"):
            classifier().partial_fit(X, Y, classes=classes)


WRONG = {
    "parameter": ({"validation": 0.001}, lambda: (X, Y)),
    "weights": ({}, lambda: (X, np.where(np.arange(60) % 2, "a", "b"), -np.ones(60))),
    "figure": ({"early_stopping": 3, "validation": None}, lambda: (X, Y)),
    "loss": ({"learning_rate": 1e30, "optimizer": "sgd", "batch_size": 8}, lambda: (X, Y)),
    "callback": ({"callbacks": [EarlyStopping(monitor="valid_beauty")]}, lambda: (X, Y)),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_failed_changes_nothing(wrong):
    params, data = WRONG[wrong]
    net = classifier().set_params(**params)
    with pytest.raises((TrainingError, DataError)):
        net.fit(*data())
    with pytest.raises(NotFittedError):
        net.predict(X)
    net = classifier().fit(X, Y)
    expected, seed = net.predict_proba(X), net.seed_
    with pytest.raises((TrainingError, DataError)):
        net.set_params(**params).fit(*data())
    assert np.array_equal(net.predict_proba(X), expected)
    assert net.seed_ == seed and net.classes_.tolist() == np.unique(Y).tolist() and len(net.history_) == net.max_epochs


def test_a_network_that_is_initialized_anew_is_not_fitted():
    net = NeuralNetClassifier([Input((4,)), Output(2)], max_epochs=1, verbose=0).fit(X, Y)
    with pytest.raises(NotFittedError):
        net.initialize().predict(X)


def test_a_class_is_no_network():
    with pytest.raises(TrainingError) as caught:
        NeuralNetClassifier(torch.nn.Linear).fit(X, Y)
    assert str(caught.value) == "layers is the class Linear, not a network. Give an object of it: Linear(...)."


def test_what_is_read_or_written_in_the_wrong_place(tmp_path):
    net = classifier()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match=r"file: is no folder to write to \(File exists\)\. Name another one\.$"):
        net.fit(X, Y, resume=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine" and not hasattr(net, "module_")
    net.fit(X, Y)
    with pytest.raises(FileError, match="is a folder"):
        net.save(tmp_path)
    with pytest.raises(FileError, match="is no safetensors file"):
        load(tmp_path / "file")
    net.save(tmp_path / "net.safetensors")
    whole = (tmp_path / "net.safetensors").read_bytes()
    for size in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "net.safetensors").write_bytes(whole[:size])
        with pytest.raises(FileError, match="is no safetensors file, or a damaged one"):
            load(tmp_path / "net.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "net.safetensors"]
