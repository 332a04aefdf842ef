"""The stated rules by which arrays become images and labels."""

import re
from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthwise.errors import DataError
from depthwise.layers.shapes import are_channels_last


def as_array(values: ArrayLike, where: str) -> NDArray[Any]:
    """An array as it is, or of lists of equal length.

    Raises
    ------
    DataError
        The lengths differ.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{where}: images or labels of different lengths ({error}). Give all one size.") from error


def as_images(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Images of shape (n_images, channels, height, width), uint8 or float32.

    Four axes are ``(n_images, channels, height, width)``, unless only the last one is as long as channels are; three
    are grey images; two are rows of grey square images.

    The type decides, never the values: whole numbers become uint8 and must lie in 0..255, floating point numbers become
    float32 and keep their values.

    Raises
    ------
    DataError
        The shape is none of these, there are no pixels, or values are no numbers or do not fit.

    Examples
    --------
    >>> as_images(np.zeros((5, 8, 6, 3), np.int64), "photos").shape, as_images(np.zeros((5, 64)), "digits").dtype
    ((5, 3, 8, 6), dtype('float32'))
    """
    shape = "x".join(map(str, array.shape)) or "no axes"
    if array.size == 0:
        raise DataError(f"{where}: holds no pixels, its shape is {shape}. Give images.")
    return _as_values(_arrange(array, shape, where), where)


def _arrange(array: NDArray[Any], shape: str, where: str) -> NDArray[Any]:
    match array.shape:
        case (_, *image_shape) if are_channels_last(image_shape):
            return array.transpose(0, 3, 1, 2)
        case (_, _, _, _):
            return array
        case (_, _, _):
            return array[:, None]
        case (n, pixels) if (side := isqrt(pixels)) ** 2 == pixels:
            return array.reshape(n, 1, side, side)
        case (_, pixels):
            raise DataError(
                f"{where}: rows of {pixels} values are no square grey images. "
                "Give it the shape (n_images, channels, height, width)."
            )
    raise DataError(
        f"{where}: has {array.ndim} axes, {shape}, but images need 2 to 4. "
        "Give it the shape (n_images, channels, height, width)."
    )


def _as_values(array: NDArray[Any], where: str) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind == "b" or array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if kind in "iu":
        low, high = array.min(), array.max()
        if low < 0 or high > 255:
            raise DataError(
                f"{where}: whole numbers from {low} to {high}, but pixels lie in 0..255. "
                "Scale them, or give them as float32."
            )
        return array.astype(np.uint8)
    if kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which training refuses
            return array.astype(np.float32, copy=False)
    raise DataError(f"{where}: values of type {array.dtype} are no pixels. Give uint8 or float32.")


def as_labels(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Labels of shape (n_images,): int64 or strings; a second axis of length 1 is dropped, 5.0 is 5.

    Raises
    ------
    DataError
        They have another shape, or are neither whole numbers nor strings.

    Examples
    --------
    >>> as_labels(np.array([[5.0], [7.0]]), "digits")
    array([5, 7])
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"{where}: labels of shape {'x'.join(map(str, array.shape)) or 'no axes'}, but each image has one. "
            "Give the class of each, such as y.argmax(axis=1) of one-hot labels."
        )
    kind = array.dtype.kind
    if kind == "O" and all(isinstance(label, str) for label in array):
        return array.astype(np.str_)
    if kind == "f" and not _are_whole(array):
        raise DataError(f"{where}: labels with fractions are no classes. For a regression give fit the numbers.")
    if kind in "fbiu":
        return array.astype(np.int64)
    if kind in "U":
        return array
    raise DataError(f"{where}: labels of type {array.dtype} are no classes. Give whole numbers or strings.")


def read_labels(texts: Sequence[str]) -> NDArray[Any]:
    """Labels as they stand in a text: int64 if all are whole numbers, else strings.

    Only what is written as numbers are counts as one: ``01`` and ``1`` are two labels, so both are strings.

    Examples
    --------
    >>> read_labels(["5", "7.0"]), read_labels(["5", "seven"]), read_labels(["01", "1"])
    (array([5, 7]), array(['5', 'seven'], dtype='<U5'), array(['01', '1'], dtype='<U2'))
    """
    wholes = [_WHOLE.fullmatch(text) for text in texts]
    numbers = [int(whole[1]) for whole in wholes if whole]
    return np.array(numbers, np.int64) if len(numbers) == len(texts) else np.array(texts)


def is_missing(texts: Sequence[str]) -> list[bool]:
    """Whether each label is missing: an empty text, or what programs write for a missing number, among numbers.

    >>> is_missing(["7", "NaN", ""]), is_missing(["NA", "EU"])
    ([False, True, True], [False, False])
    """
    gaps = [text.lower() in _GAPS for text in texts]
    if all(gap or _WHOLE.fullmatch(text) for gap, text in zip(gaps, texts, strict=True)):
        return gaps
    return [not text for text in texts]


_WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,17})(?:\.0*)?")  # 18 digits fit into int64
_GAPS = ("", "nan", "na")  # NumPy, pandas and R


def _are_whole(numbers: NDArray[Any]) -> bool:
    # Beyond 2^53 float64 has no room for every whole number.
    return bool(np.all((np.abs(numbers) <= 2**53) & (numbers == np.trunc(numbers))))
