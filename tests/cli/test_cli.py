"""The command line, run in this process as a user would type it."""

import json

import numpy as np
import pytest
from PIL import Image

from depthwise.displays.display import Display
from depthwise.errors import DepthwiseError

NOTATION = "32C3-MP2-64C3-64C3-MP2-64N-10N"


def test_analyze_prints_the_modern_table(run):
    status, out, err = run("analyze", NOTATION, "--input", "1x28x28")
    assert (status, err) == (0, "")
    head, _, _, first, *_ = out.splitlines()
    assert head.split() == [
        "layer", "input", "kernel", "output", "params", "MACs", "memory", "filter", "reach", "field", "capacity",
        "coverage",
    ]  # fmt: skip
    assert " ".join(first.split()) == "conv2d1 1x28x28 (3x3x1)x32 32x26x26 320 195 k 84.5 KiB 3 3 3 100.0 % 10.7 %"


def test_analyze_in_every_form(run):
    words = ("analyze", NOTATION, "--input", "1x28x28")
    as_json = json.loads(run(*words, "--json")[1])
    assert as_json["params"] == sum(layer["params"] for layer in as_json["layers"])
    assert run(*words, "--markdown")[1].startswith("| layer")
    assert run(*words, "--html")[1].lstrip().startswith(("<table>", "<figure>"))
    assert "## Layer information" in run(*words, "--verbosity", "2")[1]
    assert "(3 x 3 x 1 + 1) x 32" in run(*words, "--explain")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("analyze", NOTATION), "Give input_shape="),
        (("analyze", NOTATION, "--input", "1x28xq"), "'1x28xq' is no shape. Write channels, height and width as"),
        (("analyze", NOTATION, "--input", "28x28x1"), "last number counts channels, put it first: 1x28x28.\n"),
        (
            ("train", "digits", "--layers", "8C3-N", "-o", "x.safetensors", "--size", "axb"),
            "--size: 'axb' is no size. Write height and width as 28x32, or one number for both.\n",
        ),
        (("train", "digits", "--layers", "8C3-N", "-o", "x.safetensors", "--size", "0"), "--size: '0' is no size."),
        (
            ("train", "digits", "--layers", "8C3-N", "-o", "x.csv"),
            "x.csv: a trained network is written to a .safetensors file, not to .csv. Write x.safetensors.\n",
        ),
        (("search", "digits", "--params", "1k", "-o", "x"), "not to a file without ending. Write x.safetensors.\n"),
        (("analyze", "MP2-MP2-MP2-3C3", "--input", "1x8x8"), "a 3x3 kernel does not fit into its 1x1 input"),
        (("analyze", "32C3-XX", "--input", "1x8x8"), "'XX'"),
        (("analyze", "nowhere.toml", "--input", "1x8x8"), "nowhere.toml"),
        (("train", "nowhere", "--layers", "8C3", "-o", "x.safetensors"), "nowhere: no such file or folder"),
        (("train", "digits", "--layers", "8C3-N", "-o", "no/such/folder/x.safetensors"), "no/such/folder"),
        (("train", "digits", "--layers", "8C3", "-o", "x.safetensors", "--epochs", "1"), "missing output layer"),
        (("test", "nowhere.safetensors", "digits"), "nowhere.safetensors"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(run, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith("depthwise: ") and message in err
    assert list(tmp_path.iterdir()) == []


def test_train_then_test_then_predict(run, tmp_path):
    folder = tmp_path / "shades"
    random = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (folder / name).mkdir(parents=True)
        for place in range(24):
            pixels = random.integers(level - 30, level + 30, (8, 10)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{place}.png")
    net = tmp_path / "net.safetensors"

    status, out, _ = run("train", folder, "--layers", "4C3-16N-N", "-o", net, "--epochs", 20, "--batch-size", 8)
    assert status == 0 and out.rstrip().endswith(f"saved {net}")
    status, out, _ = run("test", net, folder, "--json")
    assert status == 0 and json.loads(out)["accuracy"] == 1.0 and json.loads(out)["total"] == 48
    assert "Accuracy: 48/48 (100.00%)" in run("test", net, folder)[1]
    status, out, _ = run("predict", net, folder / "light" / "0.png", "--top", 1)
    assert status == 0 and out.split()[1] == "light"
    assert "conv2d1" in run("analyze", net)[1]


def test_system_tells_what_training_would_choose(run):
    facts = json.loads(run("system", "--json")[1])
    assert facts["depthwise"] and facts["torch"] and facts["precision"] in ("float32", "bfloat16")
    assert "torch" in run("system")[1]


@pytest.mark.slow
def test_demo_reaches_its_accuracy_and_writes_its_pictures(run, tmp_path):
    status, out, _ = run("demo", "-o", tmp_path / "demo", "--json")
    facts = json.loads(out)
    assert status == 0 and facts["accuracy"] > 0.97
    for path in facts["pictures"].values():
        with Image.open(path) as picture:
            assert picture.size[0] > 300


def test_the_version_is_told(run):
    from depthwise import __version__

    assert run("--version") == (0, f"depthwise {__version__}\n", "")


def test_what_the_system_refuses_is_one_line(run, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "locked/net.toml")

    monkeypatch.setattr("depthwise.network.analyze", refuse)
    status, out, err = run("analyze", NOTATION, "--input", "1x28x28")
    assert (status, out) == (2, "")
    assert err == "depthwise: locked/net.toml: Permission denied. Check the path and its permissions.\n"


def test_grey_networks_read_color_pictures(run, tmp_path, monkeypatch):
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "shades" / name).mkdir(parents=True)
        for place in range(6):
            Image.fromarray(np.full((8, 8), level + place, np.uint8)).save(tmp_path / "shades" / name / f"{place}.png")
            (tmp_path / "color" / name).mkdir(parents=True, exist_ok=True)
            color = Image.fromarray(np.full((8, 8, 3), level + place, np.uint8))
            color.save(tmp_path / "color" / name / f"{place}.png")
    net = tmp_path / "net.safetensors"
    run("train", tmp_path / "shades", "--layers", "2C3-N", "-o", net, "--epochs", 30, "--batch-size", 4, "-v", 0)
    status, out, _ = run("test", net, tmp_path / "color", "--json")
    assert status == 0 and json.loads(out)["total"] == 12
    monkeypatch.setattr(Display, "save", lambda self, path: None)
    words = ("look", net, tmp_path / "color", "--what", "images,mistakes", "-o", tmp_path)
    assert run(*words)[0] == 0
    shapes = []

    def report(opened, X, *_, **__):
        shapes.append(X.shape)
        raise DepthwiseError("seen")

    monkeypatch.setattr("depthwise.pages.report", report)
    for more in ((), ("--size", "8")):
        run("report", net, tmp_path / "color", "-o", tmp_path / "page.html", *more)
    run("report", "2C3-2N", tmp_path / "color", "--input", "1x8x8", "-o", tmp_path / "page.html")
    assert shapes == [(12, 1, 8, 8)] * 3
