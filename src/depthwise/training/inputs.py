"""Images as they come -> one tensor, checked."""

from __future__ import annotations

import os
import warnings
from math import isqrt, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor

from depthwise.errors import DataError
from depthwise.layers.ops import format_shape
from depthwise.layers.shapes import are_channels_last, how_to_fit

STATISTICS_VALUES = 2**24
"""Pixels that statistics are summed over at a time, to bound memory: 128 MiB as float64."""

NEARLY_CONSTANT = 1e-7
"""A standard deviation below this share of the mean is rounding of float32 (2^-23), and is taken for one."""


def read_images(estimator: BaseEstimator, X: Any, *, reset: bool) -> NDArray[Any]:
    """Images as an array of numbers: uint8 as it is, bool as uint8, all else float32.

    Parameters
    ----------
    estimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are set, or compared with 2-D `X`.
    X
        Shape ``(n_images, ...)``.
    reset
        Whether this is training data.

    Raises
    ------
    DataError
        They are no array of numbers, or some are not finite.
    """
    X = as_array(X)
    if X is None or type(X) is dict or isinstance(X, (str, bytes, os.PathLike)):
        raise DataError(
            f"X is a {type(X).__name__}, but must be an array of images. "
            "Write load_images(path), which reads folders and files; its X and y are arrays."
        )
    try:
        array = _read_array(estimator, X, reset)
    except DataError:
        raise
    except ValueError as problem:
        text = str(problem)
        # scikit-learn writes out the whole array behind it.
        refused = "Complex data not supported"
        raise DataError(f"X: {f'{refused}. Give real numbers.' if text.startswith(refused) else text}") from None
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype != np.uint8:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
            array = array.astype(np.float32, copy=False)
        check_finite(array, "X")
    # PyTorch does not take negative strides.
    return array if all(stride >= 0 for stride in array.strides) else array.copy()


def _read_array(estimator: BaseEstimator, X: Any, reset: bool) -> NDArray[Any]:
    plain: dict[str, Any] = {"dtype": "numeric", "ensure_all_finite": False}
    shape = tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)
    if not reset:
        _refuse_single(shape, getattr(estimator, "input_shape_", ()))
    if len(shape) == 2:
        return np.asarray(validate_data(estimator, X, reset=reset, **plain))
    array = check_array(X, allow_nd=True, input_name="X", **plain)
    if reset and hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return np.asarray(array)


def _refuse_single(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse one image without the axis that counts them, before it is told what it is not; one row is told by all."""
    same = len(shape) > 1 and shape in (expected, expected[1:] if expected[:1] == (1,) else expected)
    if same and prod(shape[1:]) != prod(expected):
        raise DataError(
            f"X: {format_shape(shape)} is the shape of one image, but a batch of them is needed. "
            "Write X[:1] instead of X[0], or image[None]."
        )


def as_array(values: Any) -> Any:
    """A tensor as the array of its values; all else as it is.

    >>> as_array(torch.ones(2))
    array([1., 1.], dtype=float32)
    """
    if not isinstance(values, Tensor):
        return values
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def check_finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinity.

    >>> check_finite(np.array([[0.0, np.nan], [np.inf, 1.0]]), "X")
    Traceback (most recent call last):
    depthwise.errors.DataError: X: 2 of 4 values are NaN or infinite (inf), the first at index (0, 1). Remove or fill \
them.
    """
    # A sum is finite if all values are, and takes no memory; only a sum that is not asks which.
    with np.errstate(invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return
    wrong = ~np.isfinite(array)
    count = int(wrong.sum())
    if count:
        found = array[wrong]
        kinds = ["NaN"] * bool(np.isnan(found).any()) + ["infinite (inf)"] * bool(np.isinf(found).any())
        first = tuple(int(place) for place in np.unravel_index(int(wrong.argmax()), wrong.shape))
        raise DataError(
            f"{name}: {count} of {array.size} values are {' or '.join(kinds)}, the first at index "
            f"{first if len(first) > 1 else first[0]}. Remove or fill them."
        )


def input_shape_of(images: NDArray[Any], declared: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of one image: ``(channels, height, width)`` or ``(features,)``.

    Four axes are ``(n_images, channels, height, width)``, unless only the last one is as long as channels are; three
    are grey images.  A declared shape is right, whatever the array looks like.

    >>> input_shape_of(np.zeros((5, 28, 28, 3)), None), input_shape_of(np.zeros((5, 28, 28)), None)
    ((3, 28, 28), (1, 28, 28))
    """
    if declared is not None:
        return declared
    match images.shape[1:]:
        case (features,):
            return (features,)
        case (height, width):
            return (1, height, width)
        case (first, second, third):
            return (third, first, second) if are_channels_last(images.shape[1:]) else (first, second, third)
    raise DataError(
        f"X: has {images.ndim} axes, {format_shape(images.shape)}, but images need 2 to 4. "
        "Give it the shape (n_images, channels, height, width)."
    )


def arrange(images: NDArray[Any], shape: tuple[int, ...], name: str = "X") -> Tensor:
    """The images as a tensor of shape ``(n_images, *shape)``, on the same memory if they are in its byte order.

    Raises
    ------
    DataError
        They have another shape.

    Examples
    --------
    >>> arrange(np.zeros((5, 8, 6, 3), np.uint8), (3, 8, 6)).shape
    torch.Size([5, 3, 8, 6])
    >>> arrange(np.zeros((5, 1, 8, 8)), (1, 28, 28))
    Traceback (most recent call last):
    depthwise.errors.DataError: X: holds images of 1x8x8 but the network is made for 1x28x28. Resize them.
    """
    # PyTorch takes the machine's own byte order alone; FITS and HDF5 files often have the other.
    images = images.astype(images.dtype.newbyteorder("="), copy=False)
    with warnings.catch_warnings():
        # Of memory that may not be written to, such as a file's: nothing here writes to images.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        tensor = torch.from_numpy(images)
    given = images.shape[1:]
    if given == shape:
        return tensor
    if len(shape) == 3:
        channels, height, width = shape
        if given == (height, width, channels):
            return tensor.permute(0, 3, 1, 2)
        if channels == 1 and given == (height, width):
            return tensor[:, None]
    if 1 in (len(given), len(shape)) and prod(given) == prod(shape):
        return tensor.reshape(len(tensor), *shape)
    raise DataError(
        f"{name}: holds images of {format_shape(given)} but the network is made for {format_shape(shape)}. "
        f"{how_to_fit(given, shape)}."
    )


def needs_input_shape(features: int, layer: str) -> DataError:
    """What to say where a network of maps gets 2-D data and no shape to fold them into."""
    side = isqrt(features)
    shape = f"(1, {side}, {side})" if side * side == features else "(channels, height, width)"
    return DataError(
        f"X: has 2 axes with {features} features, but layer {layer!r} needs images. "
        f"Put Input({shape}) before the other layers, or give X the shape (n_images, channels, height, width)."
    )


def statistics(X: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the chosen images, per channel or per feature; 1 where all values are equal.

    Parameters
    ----------
    X
        Shape ``(n_images, channels, height, width)`` or ``(n_images, features)``.
    rows
        Indices of the images, on their device.
    """
    axes = [0, *range(2, X.ndim)]
    first = X[rows[:1]].double().reshape(X.shape[1], -1)
    shift = first[:, 0]  # any near value keeps the sums of squares exact
    total, squares = torch.zeros_like(shift), torch.zeros_like(shift)  # on the device of the images
    count = len(rows) * prod(X.shape[2:])
    broadcast = shift.view(-1, *[1] * (X.ndim - 2))
    for chunk in rows.split(max(1, STATISTICS_VALUES // prod(X.shape[1:]))):
        values = X[chunk].double() - broadcast
        total += values.sum(axes)
        squares += values.square().sum(axes)
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    mean += shift
    return mean, torch.where(std > NEARLY_CONSTANT * mean.abs(), std, 1.0)
