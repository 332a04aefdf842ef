"""``depthwise predict`` on every form in which images come, and the whole way from Kaggle's files to its submission."""

import csv
import json
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from depthwise.training import NeuralNetClassifier, load


def shades() -> tuple[np.ndarray, np.ndarray]:
    """Rows of dark images, 3, and of light ones, 8, by turns; their labels."""
    random = np.random.default_rng(0)
    y = np.tile([3, 8], 20)
    return random.integers(0, 60, (40, 64)) + 30 * (y[:, None] - 3), y


@pytest.fixture
def kaggle(tmp_path):
    """train.csv and test.csv, and the images and labels of the latter."""
    X, y = shades()
    names = [f"pixel{i}" for i in range(64)]
    for name, rows, head in (("train", np.c_[y, X][:30], ["label", *names]), ("test", X[30:], names)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([head, *rows.tolist()])
    return tmp_path, X[30:].reshape(-1, 8, 8).astype(np.uint8), y[30:]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    X, y = shades()
    net = NeuralNetClassifier("2C3-N", max_epochs=30, batch_size=8, random_state=0, verbose=0)
    path = tmp_path_factory.mktemp("nets") / "net.safetensors"
    net.fit(X[:30].reshape(-1, 1, 8, 8).astype(np.uint8), y[:30]).save(path)
    return path


@pytest.fixture
def trained(kaggle, network):
    """A network among Kaggle's files."""
    return shutil.copy(network, kaggle[0])


def test_from_kaggle_to_kaggle(run, kaggle):
    folder, X, y = kaggle
    trained = folder / "net.safetensors"
    words = ("--layers", "2C3-N", "-o", trained, "--epochs", 30, "--batch-size", 8, "-v", 0)
    assert run("train", folder / "train.csv", *words)[0] == 0
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


def submitted(path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))[1:]


def test_every_label_goes_to_its_own_image(run, kaggle, trained):
    """As many dark pictures as light ones, in an order that is neither that of their names nor that of the rows."""
    folder, X, y = kaggle
    ids = [7, 3, 11, 2, 1, 10, 4, 12, 9, 6]
    expected = {str(one): str(label) for one, label in zip(ids, y, strict=True)}
    (folder / "sub").mkdir()
    for one, pixels in zip(ids, X, strict=True):
        Image.fromarray(pixels).save(folder / "sub" / f"{one}.png")
    head = ["id", *(f"pixel{i}" for i in range(64))]
    with (folder / "named.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([head, *([i, *x] for i, x in zip(ids, X.reshape(-1, 64).tolist(), strict=True))])
    (folder / "files.csv").write_text("\n".join(["image_id;file", *(f"{i};sub/{i}.png" for i in ids)]))
    with tarfile.open(folder / "sub.tar", "w") as tar:
        tar.add(folder / "sub", "test/any")
    for given in ("sub", "named.csv", "files.csv", "sub.tar"):
        status, _, err = run("predict", trained, folder / given, "--submission", folder / "out.csv")
        assert (status, dict(submitted(folder / "out.csv"))) == (0, expected), (given, err)
        (folder / "out.csv").unlink()


def test_a_submission_that_would_lack_an_image_is_refused(run, kaggle, trained):
    folder, X, _ = kaggle
    (folder / "sub").mkdir()
    for one, pixels in enumerate(X, 1):
        Image.fromarray(pixels).save(folder / "sub" / f"{one}.png")
    (folder / "sub" / "5.png").write_bytes(b"broken")
    (folder / "files.csv").write_text("\n".join(f"sub/{one}.png" for one in range(1, 12)))
    broken, out = folder / "sub" / "5.png", folder / "out.csv"
    for given, lacks in ((folder / "sub", f"1 of 10 pictures cannot be read: {broken}"),
                         (folder / "files.csv", "2 of 11 pictures cannot be read: sub/11.png, sub/5.png")):  # fmt: skip
        status, printed, err = run("predict", trained, given, "--submission", out)
        assert (status, printed, out.exists()) == (2, "", False)
        assert err.endswith(
            f"depthwise: --submission: {lacks}. A submission answers every one: mend them, or take them out.\n"
        )
        assert "skipped, unreadable: " in err
    broken.unlink()
    assert run("predict", trained, folder / "sub", "--submission", out)[0] == 0
    assert sorted(int(one) for one, _ in submitted(out)) == [1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_parts(run, kaggle, trained):
    folder, X, y = kaggle
    np.savez(folder / "parts.npz", x_train=X[:4], y_train=y[:4], x_val=X, y_val=y)
    message = (
        f"depthwise: {folder / 'parts.npz'}: split 'test' was asked for, but only train, valid is there. "
        "Choose what is there with split=, on the command line --split.\n"
    )
    for verb in ("test", "predict"):
        assert run(verb, trained, folder / "parts.npz") == (2, "", message)
    assert "Accuracy: 10/10" in run("test", trained, folder / "parts.npz", "--split", "val")[1]
    assert len(run("predict", trained, folder / "parts.npz", "--split", "valid")[1].splitlines()) == 10
    status, _, err = run("test", trained, folder / "train.csv", "--split", "valid")
    assert status == 2 and "split 'valid' was asked for, but the set has no parts." in err
    Image.fromarray(X[0]).save(folder / "1.png")
    expected = "depthwise: --split: 'val' was asked for, but pictures have no parts. Leave the option out.\n"
    assert run("predict", trained, folder / "1.png", "--split", "val") == (2, "", expected)


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
