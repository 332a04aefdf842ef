"""Images and targets, as training gets them, in a few figures."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthwise.analysis.health import DataHealth
from depthwise.training.batches import DeviceData

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

LOOKED_AT = 512
"""Images whose pixels are looked at, spread over all."""
KEY_PIXELS = 64
"""Pixels of an image, at random places, of which its first key is made; equal keys are compared in full."""
MOST_BYTES = 1 << 31
"""Size of the training images up to which they are compared with those of validation; a file may lie behind them."""


def measure_data(net: NeuralNet, train: DeviceData, valid: DeviceData | None) -> DataHealth:
    """Look at the data of a fit, once.

    Parameters
    ----------
    net
        With its network.
    train, valid
        Images and encoded targets.
    """
    images = train.X.index_select(0, spread(train.rows, LOOKED_AT))
    lowest, highest = torch.aminmax(images)
    constant = (images == images[:1]).all(0).float().mean()
    targets = train.y.index_select(0, train.rows)
    classes = net.outputs_are == "classes"
    counts = None
    if classes and targets.ndim == 1:
        counts = tuple(torch.bincount(targets.long(), minlength=len(_classes(net))).tolist())
    return DataHealth(
        n_train=len(train),
        n_valid=0 if valid is None else len(valid),
        lowest=rounded(float(lowest)),
        highest=rounded(float(highest)),
        constant_pixels=rounded(float(constant)),
        class_counts=counts,
        chance_loss=_chance_loss(net, train, targets),
        duplicates=None if valid is None else count_repeated(valid, train),
        least_target=None if classes else rounded(float(targets.min())),
        greatest_target=None if classes else rounded(float(targets.max())),
        weighted=train.weights is not None,
    )


def rounded(value: float) -> float:
    """Four digits: what a record of training keeps.

    >>> rounded(0.123456), rounded(123456.0)
    (0.1235, 123500.0)
    """
    return float(f"{value:.4g}")


def spread(rows: Tensor, count: int) -> Tensor:
    """At most so many of the rows, at even distances.

    >>> spread(torch.arange(10), 4).tolist()
    [0, 2, 5, 7]
    """
    count = min(count, len(rows))
    return rows[torch.arange(count, device=rows.device) * len(rows) // count]


def count_repeated(images: DeviceData, others: DeviceData) -> int | None:
    """How many images are among others, pixel for pixel; ``None`` where they are not in memory.

    Examples
    --------
    >>> X = torch.arange(40.0).view(5, 1, 2, 4)
    >>> data = DeviceData.on(torch.device("cpu"), torch.cat([X, X[:2]]))
    >>> count_repeated(data.part(torch.tensor([4, 5, 6])), data.part(torch.arange(4)))
    2
    """
    if not isinstance(images.X, Tensor) or not isinstance(others.X, Tensor) or others.X.nbytes > MOST_BYTES:
        return None
    if images.X.shape[1:] != others.X.shape[1:] or images.X.dtype != others.X.dtype:
        return 0
    keys, other_keys = _keys(images.X, images.rows), _keys(others.X, others.rows)
    here, there = np.isin(keys, other_keys), np.isin(other_keys, keys)
    known = {image.tobytes() for image in _pixels(others, there)}
    return sum(image.tobytes() in known for image in _pixels(images, here))


def _keys(X: Tensor, rows: Tensor) -> NDArray[np.int64]:
    """A whole number for each image, the same for equal ones: sums that overflow do so alike."""
    generator = torch.Generator().manual_seed(0)
    places = torch.randperm(prod(X.shape[1:]), generator=generator)[:KEY_PIXELS]
    factors = torch.randint(2**62, (len(places),), generator=generator)
    columns = torch.unravel_index(places.to(X.device), X.shape[1:])
    pixels = X[(rows[:, None], *columns)].cpu()
    if pixels.is_floating_point():
        pixels = pixels.double().view(torch.int64)
    numbers: NDArray[np.int64] = (pixels.long() * factors).sum(1).numpy()
    return numbers


def _pixels(data: DeviceData, chosen: NDArray[np.bool_]) -> NDArray[np.generic]:
    rows = data.rows[torch.from_numpy(chosen).to(data.rows.device)]
    pixels: NDArray[np.generic] = data.X.index_select(0, rows).cpu().contiguous().numpy()
    return pixels


def _classes(net: NeuralNet) -> NDArray[np.generic]:
    classes: NDArray[np.generic] = net.classes_
    return classes


def _chance_loss(net: NeuralNet, train: DeviceData, targets: Tensor) -> float | None:
    """Loss of the best answer that is the same for all images: the entropy of the classes, or the variance."""
    if train.weights is not None or net.l1 or net.l2:
        return None
    if net.outputs_are != "classes":
        known = net.loss in (None, "squared_error")
        return rounded(float(targets.double().var(0, correction=0).mean())) if known else None
    if net.loss not in (None, "cross_entropy", "bce"):
        return None
    n_classes = len(_classes(net)) if targets.ndim == 1 else 2
    if targets.ndim == 1:
        shares = torch.bincount(targets.long(), minlength=n_classes).double()[None] / len(targets)
    else:
        ones = (targets > 0).double().mean(0)
        shares = torch.stack([ones, 1 - ones], 1)
    shares = shares * (1 - net.label_smoothing) + net.label_smoothing / n_classes
    return rounded(float(torch.special.entr(shares).sum(1).mean()))
