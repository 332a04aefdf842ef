"""Which images are kept to check on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthwise.errors import TrainingError


def is_splitter(validation: Any) -> bool:
    """Whether it is one of scikit-learn's splitters."""
    return hasattr(validation, "split") and hasattr(validation, "get_n_splits")


def split_once(splitter: Any, n_images: int, labels: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Indices of the first of a splitter's splits: to train on, and to validate on.

    Raises
    ------
    TrainingError
        The splitter cannot split these images.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> split_once(KFold(3), 6, np.zeros(6))
    (tensor([2, 3, 4, 5]), tensor([0, 1]))
    """
    try:
        train, valid = next(iter(splitter.split(np.zeros((n_images, 1)), labels)))
    except (ValueError, TypeError, StopIteration) as problem:
        raise TrainingError(f"validation={splitter!r} cannot split {n_images} images: {problem}") from None
    parts = []
    for part, purpose in ((np.asarray(train), "train"), (np.asarray(valid), "validate")):
        rows = np.flatnonzero(part) if part.dtype == np.bool_ else part
        if not len(rows) or rows.min() < 0 or rows.max() >= n_images:
            chosen = f"images {rows.min()} to {rows.max()}" if len(rows) else "no images"
            raise TrainingError(
                f"validation={splitter!r} gives {chosen} to {purpose} on, but there are images 0 to {n_images - 1}. "
                "Take another splitter."
            )
        parts.append(torch.from_numpy(rows))
    return parts[0], parts[1]


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
