"""IDX files are read exactly or refused with a reason."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from depthwise.data import load_images, read_idx
from depthwise.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([7, 3], np.uint8)

arrays = npst.arrays(
    st.sampled_from(["u1", "i1", "<i2", "<i4", "<f4", "<f8"]), npst.array_shapes(max_dims=4, min_side=0, max_side=4)
)
one_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@one_folder
@given(array=arrays, name=st.sampled_from(["x-idx", "x-idx.gz"]))
def test_what_was_written_is_read(write_idx, array, name):
    found = read_idx(write_idx(name, array))
    assert found.dtype == array.dtype and found.dtype.isnative
    assert found.shape == array.shape
    # Bytes, since some of the floats are NaN.
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("code", "body", "values"),
    [
        ("08", "01fe", [1, 254]),
        ("09", "01fe", [1, -2]),
        ("0b", "0102fffe", [258, -2]),
        ("0c", "00000102fffffffe", [258, -2]),
        ("0d", "3f800000c0200000", [1, -2.5]),
        ("0e", "3ff0000000000000c004000000000000", [1, -2.5]),
    ],
)
def test_each_type_has_its_bytes(tmp_path, code, body, values):
    path = tmp_path / "x-idx"
    path.write_bytes(bytes.fromhex(f"0000{code}0100000002{body}"))
    assert read_idx(path).tolist() == values


headers = st.builds(
    lambda code, shape, body: struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + body,
    st.sampled_from([8, 9, 11, 12, 13, 14, 7]),
    st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 3), max_size=6),
    st.binary(max_size=30),
)


@one_folder
@given(content=st.binary(max_size=60) | headers, squeeze=st.sampled_from([None, 0, 5, 30]))
@example(content=struct.pack(">HBB80I", 0, 8, 80, *[0] * 80), squeeze=None)
@example(content=struct.pack(">HBB4I", 0, 8, 4, 0, *[2**32 - 1] * 3), squeeze=None)
def test_any_bytes_are_read_or_refused(tmp_path, content, squeeze):
    path = tmp_path / "any-idx"
    path.write_bytes(content if squeeze is None else gzip.compress(content)[: squeeze or None])
    try:
        read_idx(path)
    except DataError as error:
        assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
def test_a_header_alone_takes_no_memory(tmp_path, squeeze):
    path = tmp_path / "huge-idx"
    path.write_bytes(squeeze(struct.pack(">HBB3I", 0, 14, 3, *[2**32 - 1] * 3) + b"12345"))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=f"values = {(2**32 - 1) ** 3 * 8} bytes, but 5 follow"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing, but an IDX file begins with 00 00. Give an IDX file."),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47, but an IDX file begins with 00 00. Give an IDX file."),
        (b"\0\0\x08", "ends within its IDX header. The file is cut off: fetch it again."),
        (b"\0\0\x08\x02\0\0\0\1\0", "ends within its IDX header. The file is cut off: fetch it again."),
        (
            b"\0\0\x0a\x01\0\0\0\1x",
            "unknown IDX type code 0x0a, known are 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e. Fetch the file again.",
        ),
        (b"\0\0\x08\0x", "an IDX header of 0 dimensions, but there must be 1 or more. Fetch the file again."),
        (
            b"\0\0\x0b\x02\0\0\0\2\0\0\0\3abcde",
            "its IDX header announces 2x3 values = 12 bytes, but 5 follow. Fetch the file again.",
        ),
        (
            b"\0\0\x08\x01\0\0\0\2abc",
            "its IDX header announces 2 values = 2 bytes, but more follow. Fetch the file again.",
        ),
        (
            gzip.compress(b"\0\0\x08\x01\0\0\0\2ab")[:-9],
            "the gzip stream is damaged (Compressed file ended before the end-of-stream marker was reached). "
            "Fetch the file again.",
        ),
    ],
    ids=["empty", "png", "short", "cut-header", "type", "no-dimensions", "cut", "longer", "cut-gzip"],
)
def test_damage_is_named(tmp_path, content, message):
    path = tmp_path / "x-idx"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(error.value) == f"{path}: {message}"


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=re.escape("cannot be read (No such file or directory). Check path and p")):
        read_idx(tmp_path / "none-idx")


def test_a_gz_that_was_unpacked_on_the_way(write_idx):
    path = write_idx("x-idx", LABELS)
    assert read_idx(path.rename(path.with_name("x-idx.gz"))).tolist() == [7, 3]


@pytest.mark.parametrize("end", ["", ".gz"])
def test_folder_with_parts(write_idx, tmp_path, end):
    for part, n in (("train", 2), ("t10k", 1)):
        write_idx(f"{part}-images-idx3-ubyte{end}", IMAGES[:n])
        write_idx(f"{part}-labels-idx1-ubyte{end}", LABELS[:n])
    train, test = load_images(tmp_path), load_images(tmp_path, split="test")
    assert (train.split, train.splits) == ("train", ("train", "test"))
    assert (test.split, test.splits) == ("test", ("train", "test"))
    assert train.X.dtype == np.uint8
    np.testing.assert_array_equal(train.X, IMAGES[:, None])
    assert train.y.tolist() == [7, 3] and train.classes == (3, 7)
    assert test.y.tolist() == [7] and len(test) == 1
    assert train.paths is None and train.problems == ()
    assert load_images(tmp_path, size=(6, 9)).X.shape == (2, 1, 6, 9)


def test_other_spellings_and_other_neighbors(write_idx, tmp_path):
    # As Kaggle packs MNIST: dots, and folders that bear the names of files.
    write_idx("train-images.idx3-ubyte", IMAGES)
    write_idx("train-labels.idx1-ubyte", LABELS)
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert load_images(tmp_path).y.tolist() == [7, 3]
    # An unpacked file and its .gz are the same set.
    write_idx("train-images.idx3-ubyte.gz", IMAGES)
    assert load_images(tmp_path).y.tolist() == [7, 3]


def test_one_file_finds_its_labels(write_idx):
    write_idx("mine-labels-idx1-ubyte.gz", LABELS)
    path = write_idx("mine-images-idx3-ubyte", IMAGES)
    found = load_images(path)
    assert (found.y.tolist(), found.split, found.splits) == ([7, 3], None, ())
    assert load_images(path.parent).y.tolist() == [7, 3]


def refused(path, **options) -> str:
    with pytest.raises(DataError) as error:
        load_images(path, **options)
    return str(error.value).replace(f"{path if path.is_dir() else path.parent}", "DIR")


def test_pairs_that_do_not_fit(write_idx, tmp_path):
    images = write_idx("train-images-idx3-ubyte", IMAGES)
    assert refused(images) == (
        "DIR/train-images-idx3-ubyte: neither train-labels-idx1-ubyte nor train-labels-idx1-ubyte.gz lies beside it. "
        "Put the labels there."
    )
    labels = write_idx("train-labels-idx1-ubyte", np.arange(5, dtype=np.uint8))
    assert refused(tmp_path) == (
        "DIR/train-images-idx3-ubyte: 2 images, but DIR/train-labels-idx1-ubyte has 5 labels. Replace one of them."
    )
    assert refused(labels) == (
        "DIR/train-labels-idx1-ubyte: no images file, its name lacks 'images'. Give the images file of the set."
    )
    write_idx("train-labels-idx1-ubyte", np.zeros(2, "f4"))
    assert refused(images) == (
        "DIR/train-labels-idx1-ubyte: 1 dimensions of float32, but labels are 1 of integers. Replace it."
    )
    write_idx("train-images-idx3-ubyte", IMAGES[0])
    assert refused(images) == (
        "DIR/train-images-idx3-ubyte: 2 dimensions of uint8, but images are 3 (number, height, width) of uint8. "
        "Give the images file of the set."
    )
    write_idx("train-images-idx3-ubyte", IMAGES[:0])
    write_idx("train-labels-idx1-ubyte", LABELS[:0])
    assert refused(images) == "DIR/train-images-idx3-ubyte: holds no pixels, its shape is 0x3x4. Replace it."


def test_parts_that_cannot_be_told_apart(write_idx, tmp_path):
    write_idx("letters-train-images-idx3-ubyte", IMAGES)
    write_idx("digits-train-images-idx3-ubyte", IMAGES)
    assert refused(tmp_path) == (
        "DIR: digits-train-images-idx3-ubyte and letters-train-images-idx3-ubyte are both the train part. "
        "Give one of the files instead of the folder."
    )
    (tmp_path / "letters-train-images-idx3-ubyte").rename(tmp_path / "letters-images-idx3-ubyte")
    assert re.fullmatch(
        "DIR/letters-images-idx3-ubyte: its name has none of train, valid, test, as it must beside others. Rename it.",
        refused(tmp_path),
    )


def test_mnist(data_dir):
    if not (data_dir / "mnist").is_dir():
        pytest.skip(f"no mnist in {data_dir}")
    train, test = load_images(data_dir / "mnist"), load_images(data_dir / "mnist", split="test")
    assert train.X.shape == (60000, 1, 28, 28) and test.X.shape == (10000, 1, 28, 28)
    assert train.classes == test.classes == tuple(range(10))
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    # The counts of each digit, and the mean and standard deviation that everybody knows.
    assert np.bincount(train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(train.X.mean() / 255, 4) == 0.1307
    assert round(test.X.mean() / 255, 4) == 0.1325
    assert round(test.X.std(dtype=np.float32) / 255, 4) == 0.3105
