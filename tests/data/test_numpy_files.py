"""NumPy's files: which array is what, and what is refused before memory is taken."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from depthwise.data import load_images
from depthwise.data.numpy_files import read_npy
from depthwise.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), np.uint8)
Y = np.array([3, 0, 2, 1, 0])
NCHW = X.transpose(0, 3, 1, 2)


@settings(max_examples=40)
@given(
    npst.arrays(
        st.sampled_from(["?", "u1", ">i2", "<i8", ">f4", "f8", "<U3", ">U2", "S4"]),
        npst.array_shapes(max_dims=4, min_side=0, max_side=4),
    ),
    st.booleans(),
)
def test_what_was_saved_is_read(array, is_fortran):
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(array) if is_fortran else array)
    stream.seek(0)
    found = read_npy(stream, "X.npy")
    assert found.dtype == array.dtype.newbyteorder("=") and found.shape == array.shape
    assert found.tobytes() == array.astype(found.dtype).tobytes()


@pytest.mark.parametrize(
    ("images", "labels"),
    [("X", "y"), ("x", "Y"), ("images", "labels"), ("data", "target"), ("arr_0", "arr_1"), ("Images", "labels")],
)
def test_a_pair(tmp_path, images, labels):
    np.savez_compressed(tmp_path / "a.npz", **{images: X, labels: Y[:, None]})
    found = load_images(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.X, NCHW)
    assert found.y.tolist() == Y.tolist() and (found.split, found.splits) == (None, ())


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_val", "y_val"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_parts(tmp_path, names):
    np.savez(tmp_path / "a.npz", **dict(zip(names, (X[:3], Y[:3], X[3:], Y[3:]), strict=True)))
    train, other = (
        load_images(tmp_path / "a.npz"),
        load_images(tmp_path / "a.npz", split=names[2].split("_")[names[2].startswith(("x_", "X_"))]),
    )
    np.testing.assert_array_equal(train.X, NCHW[:3])
    np.testing.assert_array_equal(other.X, NCHW[3:])
    assert other.y.tolist() == Y[3:].tolist() and train.split == "train" and len(train.splits) == 2


def test_one_array_and_its_partner(tmp_path):
    np.save(tmp_path / "photos.npy", X)
    assert load_images(tmp_path / "photos.npy").y is None
    np.save(tmp_path / "photos_labels.npy", Y)
    assert load_images(tmp_path / "photos.npy").y.tolist() == Y.tolist()
    np.save(tmp_path / "X_train.npy", X.astype(np.float64) / 255)
    np.save(tmp_path / "y_train.npy", Y.astype(str))
    found = load_images(tmp_path / "X_train.npy", size=4)
    assert found.y.tolist() == ["3", "0", "2", "1", "0"] and found.X.dtype == np.float32
    assert found.X.shape == (5, 3, 4, 4) and 0 < found.X.mean() < 1
    np.savez(tmp_path / "only.npz", whatever=X)
    np.testing.assert_array_equal(load_images(tmp_path / "only.npz").X, NCHW)


def header(text: str, version=(1, 0)) -> bytes:
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text.encode("latin1")


HUGE = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000)}\n"


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_alone_takes_no_memory(tmp_path, packed):
    path = tmp_path / ("a.npz" if packed else "a.npy")
    content = header(HUGE) + b"12345"
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", content)
    else:
        path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"announces 1000000x1000x1000 values of uint8 = 10+ bytes, but 5 follow"):
            load_images(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header is none of a .npy array. Save it with numpy.save."),
        (header("{'descr'"), "its header is none of a .npy array. Save it with numpy.save."),
        (header("{}", (7, 0)), "its header is none of a .npy array. Save it with numpy.save."),
        (header("(" * 5000), "its header is none of a .npy array. Save it with numpy.save."),
        (
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"\x80\x03cos\nsystem\n.",
            "holds values of type object, not numbers. Save plain numbers or strings.",
        ),
        (
            header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}"),
            "holds values of type [('a', '<i4')], not numbers. Save plain numbers or strings.",
        ),
        (
            header("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}") + b"123",
            "its header announces 2 values of uint8 = 2 bytes, but more follow. Save it again.",
        ),
    ],
)
def test_damage_is_named(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError) as error:
        load_images(tmp_path / "a.npy")
    assert str(error.value) == f"{tmp_path / 'a.npy'}: {message}"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": X, "b": Y},
            "DIR/a.npz: holds the arrays a, b, but it cannot be told which are the images. "
            "Name them X and y, or x_train, y_train, x_test, y_test.",
        ),
        (
            {"x": X, "x_test": X},
            "DIR/a.npz: holds the arrays x, x_test, but it cannot be told which are the images. "
            "Name them X and y, or x_train, y_train, x_test, y_test.",
        ),
        ({"X": X, "y": Y[:2]}, "DIR/a.npz: 5 images but 2 labels. Give each image one."),
        ({"X": X[:0]}, "DIR/a.npz, X: holds no pixels, its shape is 0x8x6x3. Give images."),
        (
            {"X": X, "y": np.array(["a", 1], object)},
            "DIR/a.npz, y: holds values of type object, not numbers. Save plain numbers or strings.",
        ),
    ],
)
def test_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as error:
        load_images(tmp_path / "a.npz")
    assert str(error.value).replace(str(tmp_path), "DIR") == message


def test_no_archive(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"hello")
    with pytest.raises(DataError) as error:
        load_images(tmp_path / "a.npz")
    assert (
        str(error.value) == f"{tmp_path / 'a.npz'}: no .npz archive (File is not a zip file). Save it with numpy.savez."
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), junk=st.binary(min_size=1, max_size=9), packed=st.booleans())
def test_damaged_files_are_read_or_refused(tmp_path, place, junk, packed):
    path = tmp_path / ("a.npz" if packed else "a.npy")
    (np.savez(path, X=X[:1], y=Y[:1]) if packed else np.save(path, X[:1]))
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at : at + len(junk)] = junk
    path.write_bytes(content)
    try:
        load_images(path)
    except DataError as error:
        assert str(error).startswith(str(path))
