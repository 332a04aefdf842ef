"""CIFAR's batches are read as they come, and a pickle that would run code runs none."""

import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthwise.data import load_images
from depthwise.data.batches import unpickle
from depthwise.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (7, 3072), np.uint8)
Y = [3, 0, 2, 1, 0, 0, 2]
WORDS = ["airplane", "automobile", "bird", "cat"]


def python2(value) -> bytes:
    """A pickle as Python 2 wrote CIFAR's: protocol 2, its texts as bytes, numpy under its old name."""

    def text(word: str) -> bytes:
        return b"U" + bytes([len(word)]) + word.encode("latin1")

    def write(one) -> bytes:
        if isinstance(one, str):
            return text(one)
        if isinstance(one, int):
            return b"J" + struct.pack("<i", one)
        if isinstance(one, list):
            return b"](" + b"".join(map(write, one)) + b"e"
        if isinstance(one, dict):
            return b"}(" + b"".join(write(k) + write(v) for k, v in one.items()) + b"u"
        dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xff" * 1
        dtype += b"J\xff\xff\xff\xffK\x00tb"
        shape = write(one.shape[0]) + write(one.shape[1]) + b"\x86"
        body = b"T" + struct.pack("<i", one.nbytes) + one.tobytes()
        start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
        return start + b"(K\x01" + shape + dtype + b"\x89" + body + b"tb"

    return b"\x80\x02" + write(value) + b"."


def contents(kind: str) -> dict[str, bytes]:
    """The files of a tiny CIFAR: 2 + 2 images to train on, 3 to test with."""
    rows = {"1": slice(0, 2), "2": slice(2, 4), "test": slice(4, 7)}
    if kind == "100":
        batch = {
            part: {"data": X[s], "fine_labels": Y[s], "coarse_labels": [0] * len(Y[s])} for part, s in rows.items()
        }
        files = {"train": {**batch["1"]}, "test": batch["test"], "meta": {"fine_label_names": WORDS}}
        return {name: python2(value) for name, value in files.items()}
    if kind == "binary":
        packed = {p: np.c_[np.array(Y[s], np.uint8), X[s]].tobytes() for p, s in rows.items()}
        return {
            "data_batch_1.bin": packed["1"],
            "data_batch_2.bin": packed["2"],
            "test_batch.bin": packed["test"],
            "batches.meta.txt": "\n".join([*WORDS, ""]).encode(),
            "readme.html": b"<html>",
        }
    if kind == "100 binary":
        packed = {p: np.c_[np.full(len(Y[s]), 9, np.uint8), np.array(Y[s], np.uint8), X[s]] for p, s in rows.items()}
        train = np.concatenate([packed["1"], packed["2"]]).tobytes()
        names = {"fine_label_names.txt": "\n".join(WORDS).encode(), "coarse_label_names.txt": b"x"}
        return {"train.bin": train, "test.bin": packed["test"].tobytes(), **names}
    dump = python2 if kind == "python 2" else lambda value: pickle.dumps(value, protocol=int(kind[-1]))
    files = {
        "data_batch_1": {"data": X[:2], "labels": Y[:2], "batch_label": "batch 1", "filenames": ["a", "b"]},
        "data_batch_2": {"data": X[2:4], "labels": Y[2:4]},
        "test_batch": {"data": X[4:], "labels": Y[4:]},
        "batches.meta": {"label_names": WORDS, "num_vis": 3072},
    }
    return {name: dump(value) for name, value in files.items()}


def write(folder, kind: str) -> None:
    for name, content in contents(kind).items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("kind", ["python 2", "protocol 2", "protocol 3", "protocol 4", "binary", "100 binary"])
def test_both_parts(tmp_path, kind):
    write(tmp_path, kind)
    train, test = load_images(tmp_path), load_images(tmp_path, split="test")
    assert (train.split, train.splits) == ("train", ("train", "test")) and test.split == "test"
    np.testing.assert_array_equal(train.X.reshape(4, -1), X[:4])
    np.testing.assert_array_equal(test.X.reshape(3, -1), X[4:])
    assert train.X.shape == (4, 3, 32, 32) and train.X.dtype == np.uint8 and train.X.flags.writeable
    assert train.y.tolist() == ["cat", "airplane", "bird", "automobile"]
    assert test.classes == ("airplane", "bird")
    assert load_images(tmp_path, size=8).X.shape == (4, 3, 8, 8)


def test_fine_labels_and_no_names(tmp_path):
    write(tmp_path, "100")
    assert load_images(tmp_path, split="test").y.tolist() == ["airplane", "airplane", "bird"]
    for file in tmp_path.glob("*"):
        file.unlink()
    write(tmp_path, "python 2")
    (tmp_path / "batches.meta").unlink()
    assert load_images(tmp_path).y.tolist() == Y[:4]


def test_packed(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents("python 2").items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found = load_images(path, split="test")
    assert found.y.tolist() == ["airplane", "airplane", "bird"] and found.splits == ("train", "test")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


class Hidden:
    def __reduce__(self):
        return np.load, ("exploded.npy",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("bomb", [Bomb(), {"data": Bomb(), "labels": []}, {"data": X, "labels": [Hidden()]}])
def test_a_pickle_runs_nothing(tmp_path, monkeypatch, protocol, bomb):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(bomb, protocol)
    if not isinstance(bomb, dict) or "data" in bomb:
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "data_batch_1").write_bytes(content)
        with pytest.raises(DataError, match="no pickled batch of CIFAR: "):
            load_images(tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    if protocol == 2 and isinstance(bomb, Bomb):
        pickle.loads(content)  # the same bytes do explode elsewhere
        assert (tmp_path / "exploded").is_dir()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps({"a": Bomb()}, 2), f"it asks for {os.mkdir.__module__}.mkdir, which no batch of CIFAR does"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}b.", "it gives a state to plain data"),
        (b"\x80\x02U\x01a)R.", "it calls plain data"),
        (b"\x80\x02cbuiltins\neval\n.", "it asks for builtins.eval, which no batch of CIFAR does"),
        (b"\x80\x02\x82\x01.", "its bytes are no such pickle"),  # an extension code
        (b"\x80\x02]r\xff\xff\xff\x7f.", "it holds a list"),  # a memo of 2^31 entries, were it a list
        (b"\x80\x04\x96\x00\x00\x00\x00\x00\x01\x00\x00.", "its bytes are no such pickle"),  # 2^40 bytes announced
        (python2({"data": X})[:-500], "its bytes are no such pickle"),
        (python2({"data": X}).replace(b"U\x02u1", b"U\x02f4"), "it holds an array of other than bytes"),
        (python2({"data": X}).replace(b"J\x07\0\0\0", b"J\x08\0\0\0"), "an array of 8x3072 has 21504 bytes"),
    ],
)  # fmt: skip
def test_damage_is_named(content, reason):
    with pytest.raises(DataError) as error:
        unpickle(content, "batch")
    assert str(error.value) == f"batch: no pickled batch of CIFAR: {reason}. Fetch the set again."


@settings(max_examples=25)
@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
), st.integers(2, 4))  # fmt: skip
def test_plain_data_are_what_they_were(value, protocol):
    assert unpickle(pickle.dumps({"value": value}, protocol), "batch") == {"value": value}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_1.bin", b"12345", "DIR/data_batch_1.bin: 5 bytes, but an image and its label take 3073. "),
        ("train.bin", b"", "DIR/train.bin: 0 bytes, but an image and its label take 3074. "),
        ("test_batch", python2({"labels": []}), "DIR/test_batch: has no data of 3072 bytes an image. "),
        (
            "test_batch",
            python2({"data": X, "labels": Y[:3]}),
            "DIR/test_batch: has no whole number for each of 7 images. ",
        ),
        ("batches.meta", python2({"label_names": [1]}), "DIR/batches.meta: has no names of classes. "),
        (
            "batches.meta",
            python2({"label_names": ["a"]}),
            "DIR: labels from 0 to 2, but batches.meta names 1 classes. ",
        ),
    ],
)
def test_what_does_not_fit(tmp_path, name, content, message):
    if name == "batches.meta":
        write(tmp_path, "python 2")
    (tmp_path / name).write_bytes(content)
    split = "train" if "data" in name or "train" in name else "test"
    with pytest.raises(DataError) as error:
        load_images(tmp_path, split=split)
    assert str(error.value).replace(str(tmp_path), "DIR") == message + "Fetch the set again."
