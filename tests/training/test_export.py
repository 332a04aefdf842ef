"""A fitted network leaves for programs without depthwise, and says the same there."""

import json
import logging
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.exceptions import NotFittedError
from torch import nn

from depthwise.cli import main
from depthwise.errors import FileError
from depthwise.layers import (
    AvgPool2D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    GlobalAvgPool2D,
    GroupNorm,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.layers.layer import ACTIVATIONS
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor, export

LAYERS = [
    Conv2D(6, norm="batch", padding="same", stride=2),
    Residual([SeparableConv2D(6, padding="same", norm="batch"), Conv2D(6, padding="same", activation=None)]),
    AvgPool2D(3, padding="same"),
    Dropout(),
    GlobalAvgPool2D(),
    Output(),
]


@pytest.fixture(scope="module")
def photos():
    """40 uint8 images of 3x13x11; the second class is darker."""
    rng = np.random.default_rng(0)
    y = np.tile(["cat", "öwl\n\"'"], 20)
    return (rng.integers(0, 256, (40, 3, 13, 11)) // (1 + (y != "cat"))[:, None, None, None]).astype(np.uint8), y


@pytest.fixture(scope="module")
def net(photos):
    return NeuralNetClassifier(LAYERS, max_epochs=3, batch_size=8, verbose=0, random_state=0).fit(*photos)


def run_onnx(path, X):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"images": X.astype(np.float32)})[0], session


def executed(path, monkeypatch):
    """The names of a source file that runs where there is no depthwise."""
    names = {}
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "depthwise"]:
            patch.setitem(sys.modules, name, None)
        exec(compile(path.read_text("utf-8"), path.name, "exec"), names)
    return names


def check_onnx(net, X, path):
    pytest.importorskip("onnxscript")
    net.export(path)
    for images in (X[:1], X[:5]):
        said, _ = run_onnx(path, images)
        expected = net.predict_proba(images) if hasattr(net, "predict_proba") else net.predict(images)
        assert said.shape == expected.shape and said.dtype == np.float32
        np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-4)


def test_onnx_says_the_same_of_raw_images(net, photos, tmp_path):
    X, _ = photos
    path = tmp_path / "net.onnx"
    before, level = torch.get_rng_state(), logging.getLogger("torch.onnx").level
    check_onnx(net, X, path)
    assert torch.equal(before, torch.get_rng_state()) and logging.getLogger("torch.onnx").level == level
    _, session = run_onnx(path, X[:2])
    [images], [probabilities] = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape, images.type) == ("images", ["n_images", 3, 13, 11], "tensor(float)")
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["n_images", 2])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == net.classes_.tolist() and about["input_shape"] == "3x13x11"
    assert b".py" not in path.read_bytes(), "lines of source, and where they stand on this machine"
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


def test_onnx_of_a_module_and_a_regression(photos, tmp_path):
    X, _ = photos
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(396, 2))
    y = np.random.default_rng(1).normal(size=(40, 2))
    check_onnx(NeuralNetRegressor(module, max_epochs=1, verbose=0, random_state=0).fit(X, y), X, tmp_path / "a.onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "params"),
    [
        *([[Conv2D(4, activation=name, norm=GroupNorm(2)), Output()], {}] for name in ACTIVATIONS),
        ([Conv2D(4, dilation=2, groups=1), Output(1)], {}),
        ([Conv2DTranspose(4, stride=2, padding="same"), MaxPool2D(3, padding="same"), Output()], {"loss": "hinge"}),
        ([MaxPool2D(3, 2, ceil_mode=True), Upsample2D(2, mode="bilinear"), ZeroPad2D(1), Output()], {}),
        ([Dense(8), Output()], {"standardize": False}),
    ],
)
def test_onnx_of_every_kind_of_layer(photos, tmp_path, layers, params):
    X, y = photos
    net = NeuralNetClassifier(layers, max_epochs=1, verbose=0, random_state=0, **params).fit(X, y)
    check_onnx(net, X, tmp_path / "net.onnx")


@pytest.mark.slow
def test_onnx_of_several_labels_rows_and_single_targets(photos, tmp_path):
    X, _ = photos
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (40, 3))
    common = {"max_epochs": 1, "verbose": 0, "random_state": 0}
    check_onnx(NeuralNetClassifier(LAYERS, loss="bce", **common).fit(X, labels), X, tmp_path / "a.onnx")
    rows = rng.normal(size=(40, 7))
    check_onnx(NeuralNetRegressor([Dense(4), Output()], **common).fit(rows, rows[:, 0]), rows, tmp_path / "b.onnx")
    large = [MaxPool2D(4), Conv2D(1030, 1), Conv2D(1030, padding="same", activation=None), Output()]
    check_onnx(NeuralNetClassifier(large, **common).fit(X, labels[:, 0]), X, tmp_path / "c.onnx")  # a matrix product


@pytest.mark.slow
def test_what_onnx_cannot_say_is_one_error_and_no_file(photos, tmp_path, capfd):
    class Chooses(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(429, 2)

        def forward(self, images):
            logits = self.dense(images.flatten(1))
            return logits if logits.sum() > 0 else -logits

    net = NeuralNetClassifier(Chooses(), max_epochs=1, verbose=0, random_state=0).fit(*photos)
    capfd.readouterr()
    with pytest.raises(FileError, match=r"PyTorch cannot write this network as ONNX \(.+\)\. Take what it names out"):
        net.export(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir()) and not any(capfd.readouterr())


def test_source_computes_the_same_without_depthwise(net, photos, tmp_path, monkeypatch):
    X, _ = photos
    net.export(tmp_path / "net.py")
    net.save(tmp_path / "net.safetensors")
    names = executed(tmp_path / "net.py", monkeypatch)
    assert names["CLASSES"] == tuple(net.classes_.tolist())
    for state in (load_file(tmp_path / "net.safetensors"), net.module_.state_dict()):
        network = names["Network"]()
        network.load_state_dict(state)
        with torch.inference_mode():
            logits = network.eval()(torch.from_numpy(X))
        np.testing.assert_allclose(logits.softmax(1), net.predict_proba(X), atol=1e-6)


def test_source_of_a_regression_and_of_rows(tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 5))
    net = NeuralNetRegressor([Dense(4, activation="selu"), Output()], max_epochs=2, verbose=0, random_state=0)
    net.fit(X, X[:, :2]).export(tmp_path / "net.py")
    names = executed(tmp_path / "net.py", monkeypatch)
    network = names["Network"]()
    network.load_state_dict(net.module_.state_dict())
    with torch.inference_mode():
        np.testing.assert_allclose(network(torch.tensor(X)), net.predict(X), atol=1e-6)
    assert "CLASSES" not in names and "For rows of 5 values;" in names["__doc__"]


def test_paths_that_cannot_be(net, tmp_path, monkeypatch):
    with pytest.raises(FileError) as caught:
        net.export(tmp_path / "net.pt")
    assert str(caught.value) == (
        f"{tmp_path / 'net.pt'}: export writes .onnx (for ONNX runtimes) and .py (source of a plain PyTorch module), "
        "not .pt. End the path in one of them; net.save writes .safetensors."
    )
    with pytest.raises(FileError, match="not a file without ending"):
        net.export(tmp_path / "net")
    with pytest.raises(FileError, match="there is no folder"):
        net.export(tmp_path / "no" / "such" / "net.py")
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(FileError) as caught:
        net.export(tmp_path / "net.onnx")
    assert str(caught.value) == (
        f"{tmp_path / 'net.onnx'}: to write ONNX, PyTorch needs onnx and onnxscript. "
        "Install with: pip install 'depthwise[onnx]'"
    )
    with pytest.raises(NotFittedError):
        NeuralNetClassifier(LAYERS).export(tmp_path / "net.py")
    assert not list(tmp_path.iterdir())


def test_networks_that_cannot_be_written(photos, tmp_path, monkeypatch):
    module = nn.Sequential(nn.Flatten(), nn.Linear(429, 2))
    net = NeuralNetClassifier(module, max_epochs=1, verbose=0).fit(*photos)
    with pytest.raises(FileError, match=r"net\.py: the network was given as a module, whose source you have already\."):
        net.export(tmp_path / "net.py")
    monkeypatch.setattr(export, "LARGEST", 1000)
    with pytest.raises(FileError, match=r"the weights take 3,440 bytes, but one ONNX file holds 1,000\. Export to"):
        net.export(tmp_path / "net.onnx")
    net = NeuralNetClassifier([Conv2D(2, name="lambda"), Output()], max_epochs=1, verbose=0).fit(*photos)
    with pytest.raises(FileError, match=r"layer 'lambda': Python's source cannot hold the name 'lambda'\. Give"):
        net.export(tmp_path / "net.py")
    assert not list(tmp_path.iterdir())


def test_command(net, tmp_path, monkeypatch, capsys):
    net.save(tmp_path / "net.safetensors")
    words = ["depthwise", "export", str(tmp_path / "net.safetensors"), str(tmp_path / "net.py")]
    for more in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", words + more)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
    printed = capsys.readouterr().out
    size = (tmp_path / "net.py").stat().st_size
    assert printed.startswith(f"wrote {tmp_path / 'net.py'} ({size:,} bytes)\n")
    assert json.loads(printed.partition("\n")[2]) == {"path": str(tmp_path / "net.py"), "bytes": size}
    net.export(tmp_path / "again.py")
    assert (tmp_path / "again.py").read_text("utf-8") == (tmp_path / "net.py").read_text("utf-8")
