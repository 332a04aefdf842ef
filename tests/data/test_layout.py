"""Arrays become images and labels by rules that are the same as in training."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthwise.data import ImageSet, layout
from depthwise.errors import DataError
from depthwise.training import inputs


@settings(max_examples=40)
@given(shape=st.lists(st.integers(1, 6), min_size=3, max_size=4))
def test_images_lie_as_training_takes_them(shape):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    images = layout.as_images(array, "X")
    expected = inputs.arrange(array, inputs.input_shape_of(array, None))
    np.testing.assert_array_equal(images, expected.numpy())


@pytest.mark.parametrize("kind", ["?", "u1", "i1", "u2", ">i4", "i8", "f2", ">f4", "f8"])
def test_the_type_decides_never_the_values(kind):
    array = np.ones((2, 3, 4), kind)
    found = layout.as_images(array, "X")
    assert found.dtype == (np.float32 if "f" in kind else np.uint8) and found.dtype.isnative
    assert found.tolist() == np.ones((2, 1, 3, 4)).tolist()


def test_a_set_of_floats_keeps_them():
    floats = ImageSet.from_arrays(np.full((1, 3, 2, 2), 0.5), ["cat"])
    assert floats.with_channels(1).X.tolist() == [[[[0.5, 0.5], [0.5, 0.5]]]]
    assert floats.X.dtype == floats.with_channels(1).X.dtype == np.float32


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 8, 8)), "X: holds no pixels, its shape is 0x8x8. Give images."),
        (
            np.zeros((2, 48)),
            "X: rows of 48 values are no square grey images. Give it the shape (n_images, channels, height, width).",
        ),
        (
            np.zeros(4),
            "X: has 1 axes, 4, but images need 2 to 4. Give it the shape (n_images, channels, height, width).",
        ),
        (
            np.array([[[-1, 300]]]),
            "X: whole numbers from -1 to 300, but pixels lie in 0..255. Scale them, or give them as float32.",
        ),
        (np.array([[["a"]]]), "X: values of type <U1 are no pixels. Give uint8 or float32."),
        (np.zeros((1, 2, 2), complex), "X: values of type complex128 are no pixels. Give uint8 or float32."),
    ],
)
def test_what_is_no_image(X, message):
    with pytest.raises(DataError) as error:
        ImageSet.from_arrays(X, source="X")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([5, 7], [5, 7]),
        ([5.0, 7.0], [5, 7]),
        ([True, False], [1, 0]),
        (np.array([[5], [7]], np.uint8), [5, 7]),
        (["cat", "dog"], ["cat", "dog"]),
        (np.array(["cat", "dog"], object), ["cat", "dog"]),
    ],
)
def test_labels(y, expected):
    found = ImageSet.from_arrays(np.zeros((2, 8, 8)), y).y
    assert found.tolist() == expected and found.dtype.kind in "iU"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(2), "y: labels of shape 2x2, but each image has one. Give the class of each, such as y.argmax(axis=1) "
         "of one-hot labels."),
        ([0.5, 1], "y: labels with fractions are no classes. For a regression give fit the numbers."),
        ([np.nan, 1], "y: labels with fractions are no classes. For a regression give fit the numbers."),
        ([None, 1], "y: labels of type object are no classes. Give whole numbers or strings."),
        ([1, 2, 3], "y: 2 images but 3 labels. Give each image one."),
    ],
)  # fmt: skip
def test_what_is_no_label(y, message):
    with pytest.raises(DataError) as error:
        ImageSet.from_arrays(np.zeros((2, 8, 8)), y, source="y")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["5", "7.0", "0.", "-12"], [5, 7, 0, -12]),
        (["01", "1", "1e1", "1_0"], ["01", "1", "1e1", "1_0"]),
        (["1", "+1"], ["1", "+1"]),
        (["0", "-0"], ["0", "-0"]),
        (["1", "\u0661"], ["1", "\u0661"]),  # a one in Arabic
        (["9007199254740993", "9007199254740992"], [2**53 + 1, 2**53]),
        (["9" * 30, "1"], ["9" * 30, "1"]),
        (["nan", "cat"], ["nan", "cat"]),
    ],
)
def test_different_texts_are_different_labels(texts, expected):
    assert layout.read_labels(texts).tolist() == expected


WRITTEN = st.builds(
    "{}{}{}".format, st.sampled_from(["", "-", "0"]), st.integers(0, 3), st.sampled_from(["", ".", ".0", "e0"])
)


@given(st.lists(WRITTEN, min_size=2, max_size=5, unique=True))
def test_only_a_point_that_says_nothing_is_dropped(texts):
    plain = {text.partition(".")[0] if not text.partition(".")[2].strip("0") else text for text in texts}
    assert len(set(layout.read_labels(texts).tolist())) >= len(plain)


def test_lists_of_different_lengths():
    with pytest.raises(DataError, match=r"X: images or labels of different lengths .* Give all one size\."):
        ImageSet.from_arrays([[[1, 2]], [[1]]], source="X")
