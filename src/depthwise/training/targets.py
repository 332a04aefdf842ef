"""Labels and targets as they come -> one tensor, checked."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from depthwise.errors import DataError
from depthwise.training.inputs import as_array, check_finite

SHOWN_LABELS = 5
"""Labels that an error lists at most."""


def check_lengths(X: Any, y: Any, where: str = "") -> None:
    """Demand targets, one for each image.

    >>> check_lengths([0, 0, 0], [1, 2])
    Traceback (most recent call last):
    depthwise.errors.DataError: X holds 3 images but y holds 2 targets. Give one for each image.
    """
    if y is None:
        raise DataError(f"{where}training requires y to be passed, but the target y is None. Write fit(X, y).")
    try:
        shape = np.asarray(as_array(y)).shape
    except ValueError as problem:  # rows of several lengths
        raise DataError(f"{where}y: {problem} Give each image one target, or rows of one length.") from None
    if shape == ():
        raise DataError(f"{where}y is {y!r}, but it must hold one target for each image.")
    if len(X) != shape[0]:
        raise DataError(f"{where}X holds {len(X)} images but y holds {shape[0]} targets. Give one for each image.")


def read_labels(y: Any) -> NDArray[Any]:
    """Class labels as a 1-D array: strings, or whole numbers of any size; of one-hot rows the place of the one.

    Warns
    -----
    UserWarning
        There are one-hot rows.

    Raises
    ------
    DataError
        An image has several labels, or labels are real numbers or of two kinds.
    """
    y = as_array(y)
    if _are_indicators(y):
        return _read_one_hot(np.asarray(y))
    try:
        labels = column_or_1d(y, warn=True)
        labels = make_one_kind(labels) if labels.dtype == object else labels
        if labels.dtype.kind == "f":
            check_finite(labels, "y")
        check_classification_targets(labels)
    except DataError:
        raise
    except (ValueError, TypeError) as problem:  # scikit-learn's, which say what is wrong
        raise DataError(f"y: {problem}") from None
    return labels


def make_one_kind(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels of an array of objects, such as a column of a data frame: strings as they are, whole numbers as such."""
    kinds = {str if isinstance(label, str) else int if isinstance(label, Integral) else type(label): label
             for label in labels[::-1]}  # fmt: skip
    if len(kinds) > 1:
        listed = " and ".join(f"{label!r} ({kind.__name__})" for kind, label in list(kinds.items())[:2])
        raise DataError(f"y: labels are of two kinds, {listed}. Make all of them strings, or whole numbers.")
    return labels.astype(np.int64) if int in kinds else labels


def read_indicators(y: Any) -> NDArray[np.float32]:
    """Several labels an image: rows of 0 and 1, one column a label.

    >>> read_indicators([[1, 0], [1, 1]])
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """
    y = np.asarray(as_array(y))
    if not _are_indicators(y):
        raise DataError(
            f"y: has shape {y.shape}, but several labels an image are rows of 0 and 1, one column a label. "
            "Encode them with scikit-learn's MultiLabelBinarizer."
        )
    return y.astype(np.float32)


def means_several_labels(y: Any, loss: object) -> bool:
    """Whether a classifier with this loss reads several labels an image from rows, not one from one-hot rows."""
    return loss == "bce" and has_rows(y)


def has_rows(y: Any) -> bool:
    """Whether there are several columns."""
    shape = np.asarray(as_array(y)).shape
    return len(shape) == 2 and shape[1] > 1


def _are_indicators(y: Any) -> bool:
    if not has_rows(y):
        return False
    values = np.asarray(y)
    return values.dtype.kind in "bifu" and bool(np.isin(values, (0, 1)).all())


def _read_one_hot(rows: NDArray[Any]) -> NDArray[Any]:
    ones = rows.sum(1)
    if (ones != 1).any():
        first = int((ones != 1).argmax())
        raise DataError(
            f"y: row {first} has {int(ones[first])} ones in {rows.shape[1]} columns, but an image of one class has 1. "
            "Write loss='bce' for several labels an image."
        )
    warnings.warn(
        f"y: rows with a single one in {rows.shape[1]} columns are read as classes 0 to {rows.shape[1] - 1}.",
        UserWarning,
        stacklevel=2,
    )
    labels: NDArray[Any] = rows.argmax(1)
    return labels


def find_classes(labels: NDArray[Any]) -> NDArray[Any]:
    """The labels that occur, sorted.

    Raises
    ------
    DataError
        There are fewer than two.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError(
            f"y: all {len(labels)} images are of one class, {classes.tolist()[0]!r}, but training needs 2. "
            "Add images of another class."
        )
    return classes


def encode_labels(labels: NDArray[Any], classes: NDArray[Any], where: str = "y") -> Tensor:
    """Places of the labels among the classes.

    >>> encode_labels(np.array(["dog", "cat"]), np.array(["cat", "dog"]))
    tensor([1, 0])
    >>> encode_labels(np.array(["dog", "cow"]), np.array(["cat", "dog"]))
    Traceback (most recent call last):
    depthwise.errors.DataError: y: the label 'cow' is none of the 2 classes of training ('cat', 'dog'). Remove its \
images, or train on it.
    """
    places = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    strange = classes[places] != labels
    if strange.any():
        label = labels[strange].tolist()[0]
        known = ", ".join(map(repr, classes.tolist()[:SHOWN_LABELS])) + (", ..." * (len(classes) > SHOWN_LABELS))
        twin = next((one for one in classes.tolist() if str(one) == str(label)), None)
        if isinstance(twin, (str, int, float)):
            kind = type(twin).__name__
            raise DataError(
                f"{where}: the label {label!r} is of type {type(label).__name__}, but the {len(classes)} classes of "
                f"training are of type {kind} ({known}). Convert the labels with astype({kind})."
            )
        raise DataError(
            f"{where}: the label {label!r} is none of the {len(classes)} classes of training "
            f"({known}). Remove its images, or train on it."
        )
    return torch.from_numpy(places.astype(np.int64))


def read_targets(y: Any) -> NDArray[np.float32]:
    """Regression targets as float32 of the shape they have: ``(n_images,)`` or ``(n_images, n_targets)``.

    Raises
    ------
    DataError
        They are no numbers, or one is not finite.
    """
    try:
        targets = check_array(as_array(y), ensure_2d=False, dtype="numeric", ensure_all_finite=False, input_name="y")
    except (ValueError, TypeError) as problem:
        raise DataError(f"y: {problem}") from None
    with np.errstate(over="ignore"):
        targets = targets.astype(np.float32)
    check_finite(targets, "y")
    return targets


def check_columns(n_columns: int, fitted: tuple[int, ...], of: str = "targets") -> None:
    """Demand as many columns as training had; `fitted` is empty or holds their number."""
    expected = fitted[0] if fitted else 1
    if n_columns != expected:
        raise DataError(f"y: holds {n_columns} {of} an image but training had {expected}. Give as many.")
