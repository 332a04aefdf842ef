"""``depthwise predict`` on every form in which images come, and the whole way from Kaggle's files to its submission."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from depthwise.training import load


@pytest.fixture
def kaggle(tmp_path):
    """train.csv and test.csv of dark images, 3, and light ones, 8; the labels of the test images."""
    random = np.random.default_rng(0)
    y = np.tile([3, 8], 20)
    X = random.integers(0, 60, (40, 64)) + 30 * (y[:, None] - 3)
    names = [f"pixel{i}" for i in range(64)]
    for name, rows, head in (("train", np.c_[y, X][:30], ["label", *names]), ("test", X[30:], names)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([head, *rows.tolist()])
    return tmp_path, X[30:].reshape(-1, 8, 8).astype(np.uint8), y[30:]


@pytest.fixture
def trained(run, kaggle):
    folder, *_ = kaggle
    net = folder / "net.safetensors"
    words = ("--layers", "2C3-N", "-o", net, "--epochs", 30, "--batch-size", 8, "-v", 0)
    assert run("train", folder / "train.csv", *words)[0] == 0
    return net


def test_from_kaggle_to_kaggle(run, kaggle, trained):
    folder, X, y = kaggle
    assert "Accuracy: 30/30 (100.00%)" in run("test", trained, folder / "train.csv")[1]
    out = folder / "out.csv"
    assert run("predict", trained, folder / "test.csv", "--submission", out) == (0, f"wrote {out} (10 images)\n", "")
    rows = [f"{place},{label}" for place, label in enumerate(y, 1)]
    assert out.read_text().splitlines() == ["ImageId,Label", *rows]
    assert load(trained).predict(X[:, None]).tolist() == y.tolist()
    status, printed, _ = run("predict", trained, folder / "test.csv", "--submission", out, "--json")
    assert status == 0 and json.loads(printed) == {"path": str(out), "images": 10}


def test_every_form(run, kaggle, trained):
    folder, X, y = kaggle
    np.save(folder / "test.npy", X)
    for i, pixels in enumerate(X[:2]):
        (folder / "loose" / "class").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "loose" / f"{i}.png")
        Image.fromarray(pixels).save(folder / "loose" / "class" / f"{i}.png")
    (folder / "files.csv").write_text("loose/0.png\nloose/1.png\n")
    expected = [(str(label), "1.000") for label in y[:2]]
    for given, name in (
        (folder / "test.csv", f"{folder / 'test.csv'}[0]"),
        (folder / "test.npy", f"{folder / 'test.npy'}[0]"),
        (folder / "loose", str(folder / "loose" / "0.png")),
        (folder / "files.csv", str(folder / "loose" / "0.png")),
    ):
        status, out, _ = run("predict", trained, given, "--top", 1)
        lines = [line.split() for line in out.splitlines()]
        assert status == 0 and lines[0][0] == name
        assert [line[1] for line in lines[:2]] == [label for label, _ in expected]
    answers = json.loads(run("predict", trained, folder / "test.npy", "--json")[1])
    assert answers[1]["path"] == f"{folder / 'test.npy'}[1]" and sum(answers[1]["answer"].values()) == pytest.approx(1)


def test_what_lacks_labels_is_said_once(run, kaggle, trained):
    folder, *_ = kaggle
    path = folder / "test.csv"
    expected = (2, "", f"depthwise: {path}: 10 images without labels, but labels are needed. Add them.\n")
    assert run("train", path, "--layers", "2C3-N", "-o", folder / "x.safetensors") == expected
    assert run("test", trained, path) == expected
    assert run("look", trained, path, "-o", folder / "look") == expected


def test_a_submission_does_not_replace_what_is_read(run, kaggle, trained):
    folder, *_ = kaggle
    data = folder / "test.csv"
    before = data.read_bytes()
    for given, path in ((data, data), (folder, data), (data, trained)):
        expected = f"depthwise: {path}: is among the files that predict reads. Give --submission another path.\n"
        assert run("predict", trained, given, "--submission", path) == (2, "", expected)
    assert data.read_bytes() == before


def test_a_submission_that_cannot_be_written_is_refused_first(run, kaggle, trained):
    folder, *_ = kaggle
    status, out, err = run("predict", trained, folder / "nowhere.csv", "--submission", folder / "no" / "such" / "s.csv")
    assert (status, out) == (2, "") and "there is no folder" in err
