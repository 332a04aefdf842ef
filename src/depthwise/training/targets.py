"""Labels and targets as they come -> one tensor, checked; and which of them are kept for validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from depthwise.errors import DataError, TrainingError
from depthwise.training.inputs import check_finite

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
    shape = np.asarray(y).shape
    if shape == ():
        raise DataError(f"{where}y is {y!r}, but it must hold one target for each image.")
    if len(X) != shape[0]:
        raise DataError(f"{where}X holds {len(X)} images but y holds {shape[0]} targets. Give one for each image.")


def read_labels(y: Any) -> NDArray[Any]:
    """Class labels as a 1-D array: strings, or whole numbers of any size.

    Raises
    ------
    ValueError
        They are real numbers or of several columns, as scikit-learn says it.
    """
    labels = column_or_1d(y, warn=True)
    if labels.dtype.kind == "f":
        check_finite(labels, "y")
    check_classification_targets(labels)
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
        known = ", ".join(map(repr, classes.tolist()[:SHOWN_LABELS])) + (", ..." * (len(classes) > SHOWN_LABELS))
        raise DataError(
            f"{where}: the label {labels[strange].tolist()[0]!r} is none of the {len(classes)} classes of training "
            f"({known}). Remove its images, or train on it."
        )
    return torch.from_numpy(places.astype(np.int64))


def read_targets(y: Any) -> NDArray[np.float32]:
    """Regression targets as float32 of the shape they have: ``(n_images,)`` or ``(n_images, n_targets)``.

    Raises
    ------
    DataError
        A target is not finite.
    """
    targets = check_array(y, ensure_2d=False, dtype="numeric", ensure_all_finite=False, input_name="y")
    with np.errstate(over="ignore"):
        targets = targets.astype(np.float32)
    check_finite(targets, "y")
    return targets


def check_columns(n_targets: int, fitted: tuple[int, ...]) -> None:
    """Demand as many targets an image as training had; `fitted` is empty or holds their number."""
    expected = fitted[0] if fitted else 1
    if n_targets != expected:
        raise DataError(f"y: holds {n_targets} targets an image but training had {expected}. Give as many.")


def choose_validation(
    n_images: int, share: float, classes: NDArray[np.int64] | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Indices of the images to train on, and of those to validate on: ``round(share * n_images)``, at random.

    With classes, each gives its share, to the nearest image; one image of each stays for training.

    Parameters
    ----------
    n_images
        How many there are.
    share
        Between 0 and 1.
    classes
        Encoded label of each image, or ``None``.
    seed
        Equal seeds choose equal images.

    Raises
    ------
    TrainingError
        There would be no image to train or to validate on.

    Examples
    --------
    >>> train, valid = choose_validation(10, 0.3, np.array([0] * 7 + [1] * 3), seed=0)
    >>> len(train), len(valid), int((valid >= 7).sum())
    (7, 3, 1)
    """
    wanted = round(share * n_images)
    if not 0 < wanted < n_images:
        raise TrainingError(
            f"validation={share:g} of n_samples = {n_images} leaves {wanted} images to validate on and "
            f"{n_images - wanted} to train on, but both must be 1 or more. Give more images, or validation=None."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_images)
    if classes is None:
        chosen = order[:wanted]
    else:
        counts = np.bincount(classes)
        quotas = _quotas(counts, wanted)
        # Place of each image within its class, in random order.
        by_class = order[np.argsort(classes[order], kind="stable")]
        rank = np.arange(n_images) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = by_class[rank < np.repeat(quotas, counts)]
    valid = np.zeros(n_images, bool)
    valid[chosen] = True
    return torch.from_numpy(np.flatnonzero(~valid)), torch.from_numpy(np.flatnonzero(valid))


def _quotas(counts: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Whole numbers near ``wanted * counts / sum(counts)`` with sum `wanted`: the largest remainders are rounded up."""
    exact = wanted * counts / counts.sum()
    quotas = np.floor(exact).astype(np.int64)
    for place in np.argsort(quotas - exact, kind="stable")[: wanted - int(quotas.sum())]:
        quotas[place] += 1
    return np.minimum(quotas, np.maximum(counts - 1, 0))
