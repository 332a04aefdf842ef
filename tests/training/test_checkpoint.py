"""A fitted estimator as one file."""

import json
import os
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.exceptions import NotFittedError
from torch import nn

import depthwise
from depthwise.errors import FileError
from depthwise.files import check_writable
from depthwise.layers import Conv2D, Dense, Input, MaxPool2D, Output, Residual
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor, load
from depthwise.training.checkpoint import FORMAT

LAYERS = [Conv2D(4, norm="batch"), Residual([Conv2D(4, padding="same")]), MaxPool2D(name="pool"), Dense(10, "softmax")]


@pytest.fixture
def net(digits):
    X, y = digits
    return NeuralNetClassifier(LAYERS, max_epochs=2, l2=0.01, random_state=0, verbose=0).fit(X, y)


@pytest.fixture
def saved(net, tmp_path):
    path = tmp_path / "net.safetensors"
    net.save(path)
    return path


def rewrite(path, change=None, tensors=None):
    """Write the file anew with another description or other tensors."""
    about = description(path)
    if change is not None:
        change(about)
    save_file(load_file(path) if tensors is None else tensors, path, {"depthwise": json.dumps(about)})


def description(path):
    head = path.read_bytes()
    (length,) = struct.unpack("<Q", head[:8])
    return json.loads(json.loads(head[8 : 8 + length])["__metadata__"]["depthwise"])


def test_a_saved_network_predicts_the_same_and_is_the_same_estimator(net, saved, digits):
    X, y = digits
    other = load(saved)
    assert np.array_equal(other.predict_proba(X), net.predict_proba(X))
    assert np.array_equal(other.predict(X), net.predict(X)) and other.score(X, y) == net.score(X, y)
    assert other.evaluate(X, y) == net.evaluate(X, y)
    assert other.get_params() == {**net.get_params(), "callbacks": ()}
    assert other.history_ == net.history_ and other.seed_ == net.seed_
    assert other.graph_ == net.graph_ and other.layers_.names == net.layers_.names
    assert other.n_features_in_ == 64 and other.input_shape_ == (1, 8, 8)
    assert depthwise.load is load


def test_parameters_come_back_unless_they_are_functions_or_data(tmp_path, two_classes):
    X, y = two_classes
    for validation, loaded in ((0.3, 0.3), (None, None), ((X, y), 0.2)):
        net = NeuralNetClassifier([Dense(4), Output()], validation=validation, max_epochs=1, verbose=0)
        net.set_params(optimizer=torch.optim.SGD, random_state=np.int64(3), device="cpu").fit(X, y)
        net.save(tmp_path / "net.safetensors")
        params = load(tmp_path / "net.safetensors").get_params()
        assert params["validation"] == loaded and params["optimizer"] == "adam" and params["random_state"] == 3


def test_the_layers_are_those_that_were_trained_not_those_set_since(net, saved, tmp_path):
    net.set_params(conv2d1__out_channels=7)
    net.save(tmp_path / "later.safetensors")
    assert load(tmp_path / "later.safetensors").layers == load(saved).layers


def test_a_loaded_network_learns_on(saved, digits):
    net = load(saved).set_params(warm_start=True, max_epochs=1).fit(*digits)
    assert net.history_["epoch"] == [1, 2, 3]


@pytest.mark.parametrize("labels", [np.array(["no", "yés"]), np.array([-1, 10**12]), np.array([False, True]),
                                    np.array(["no", "yes"], dtype=object)])  # fmt: skip
def test_classes_of_every_kind_come_back(two_classes, tmp_path, labels):
    X, y = two_classes
    y = labels[(y == "right").astype(int)]
    net = NeuralNetClassifier([Output()], max_epochs=1, verbose=0).fit(X, y)
    net.save(tmp_path / "net.safetensors")
    classes = load(tmp_path / "net.safetensors").classes_
    assert classes.tolist() == labels.tolist() and classes.dtype == labels.dtype


def test_a_regressor_comes_back(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    for y in (X[:, 0], X[:, :2]):
        net = NeuralNetRegressor([Input((3,)), Dense(4), Output()], max_epochs=2, verbose=0).fit(X, y)
        net.save(tmp_path / "net.safetensors")
        other = load(tmp_path / "net.safetensors")
        assert isinstance(other, NeuralNetRegressor) and np.array_equal(other.predict(X), net.predict(X))
        assert other.predict(X).shape == y.shape


def test_the_file_says_what_it_is_and_runs_nothing(saved):
    about = description(saved)
    assert (
        about["format"] == FORMAT == 1 and about["kind"] == "classifier" and about["depthwise"] == depthwise.__version__
    )
    assert about["threads"] == torch.get_num_threads() and about["precision"] == "float32"
    assert about["parameters"]["l2"] == 0.01 and "callbacks" not in about["parameters"]
    assert "conv2d1.norm.running_mean" in load_file(saved)
    assert b"pickle" not in saved.read_bytes()


def test_a_file_is_written_whole_or_not_at_all(net, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileError, match=r"net\.safetensors: cannot be written \(No space left on device\)"):
        net.save(saved)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]


def test_a_new_file_has_the_rights_of_any_new_file(saved, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    assert saved.stat().st_mode == plain.stat().st_mode


def test_paths_that_cannot_be_written_are_refused(net, tmp_path):
    for path, message in (
        (tmp_path / "no" / "such" / "net.safetensors", "there is no folder .*such"),
        (tmp_path, "is a folder. Give the path of a file"),
    ):
        with pytest.raises(FileError, match=message):
            net.save(path)
        with pytest.raises(FileError, match=message):
            check_writable(path)
    check_writable(tmp_path / "new" / "net.safetensors")
    assert list(tmp_path.iterdir()) == []
    net.save(tmp_path / "new" / "net.safetensors")
    assert load(tmp_path / "new" / "net.safetensors").history_ == net.history_


def test_no_other_kind_of_file_is_replaced(net, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("label,pixel0\n1,2\n")
    with pytest.raises(FileError) as caught:
        net.save(data)
    assert str(caught.value) == (
        f"{data}: a trained network is written to a .safetensors file, not to .csv. Write "
        f"{tmp_path / 'data.safetensors'}."
    )
    assert data.read_text() == "label,pixel0\n1,2\n" and list(tmp_path.iterdir()) == [data]


def test_what_is_not_trained_or_has_no_layers_cannot_be_saved(tmp_path, two_classes):
    with pytest.raises(NotFittedError):
        NeuralNetClassifier(LAYERS).save(tmp_path / "net.safetensors")
    net = NeuralNetClassifier(nn.Linear(4, 2), max_epochs=1, verbose=0).fit(*two_classes)
    with pytest.raises(FileError, match="given as a module cannot be saved as a layer list"):
        net.save(tmp_path / "net.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_foreign_file_is_told(tmp_path):
    with pytest.raises(FileError, match=r"nowhere: cannot be read \(No such file or directory\)"):
        load(tmp_path / "nowhere")
    text = tmp_path / "text.safetensors"
    text.write_text("not at all")
    with pytest.raises(FileError, match=r"text.safetensors: is no safetensors file, or a damaged one"):
        load(text)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(FileError, match="is a safetensors file, but not of depthwise"):
        load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, 2000, -1])
def test_a_cut_off_file_is_told(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(FileError, match="is no safetensors file, or a damaged one"):
        load(saved)


def test_a_newer_form_is_told(saved):
    rewrite(saved, lambda about: about.update(format=2, depthwise="9.9"))
    with pytest.raises(FileError, match=r"has format 2, written by depthwise 9\.9, but this version .* reads up to 1"):
        load(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("layers"),
        lambda about: about.update(layers="[[layers]]\nkind = 'evil'"),
        lambda about: about.update(input_shape="wide"),
        lambda about: about.update(input_shape=[1, 1, 1]),
        lambda about: about.update(classes=None),
        lambda about: about.update(dtype="what"),
        lambda about: about.update(parameters=[1]),
        lambda about: about.update(history={}),
        lambda about: about.update(format="one"),
        lambda about: about.update(precision="float3"),
    ],
)
def test_a_damaged_description_is_one_clear_error(saved, change):
    rewrite(saved, change)
    with pytest.raises(FileError, match=r"net\.safetensors: its description is damaged"):
        load(saved)


def test_tensors_must_be_those_of_the_layers(saved):
    tensors = load_file(saved)
    rewrite(saved, tensors={**tensors, "conv2d1.weight": torch.zeros(4, 1, 5, 5)})
    with pytest.raises(FileError, match=r"the tensor 'conv2d1\.weight' is 4x1x5x5 but its layer needs 4x1x3x3"):
        load(saved)
    rewrite(saved, tensors={name: value for name, value in tensors.items() if name != "dense4.bias"})
    with pytest.raises(FileError, match=r"misses the tensor 'dense4\.bias', unlike its layers"):
        load(saved)
    rewrite(saved, tensors={**tensors, "extra": torch.zeros(1)})
    with pytest.raises(FileError, match="holds the tensor 'extra', unlike its layers"):
        load(saved)


GIANTS = """
[[layers]]
kind = "dense"
units = 1000000000
[[layers]]
kind = "output"
"""


def test_a_description_of_giants_takes_no_memory(saved):
    rewrite(saved, lambda about: about.update(layers=GIANTS))
    with pytest.raises(FileError, match=r"(misses|holds) the tensor"):
        load(saved)
