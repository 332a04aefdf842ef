"""Batches of images that lie on the device as one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from depthwise.training.datasets import LazyImages

EVALUATION_BATCH = 512
"""Images a batch where nothing is learned; from about 256 on, images per second no longer grow."""
LEAST_EVALUATION_BATCH, EVALUATION_VALUES = 16, 2**21
"""Fewer of large images, so that memory stays bounded: 75 of 3x96x96, 16 from 3x210x210 on."""


class Batch(NamedTuple):
    """What one step works on.

    Attributes
    ----------
    images
        Shape ``(n_images, *input_shape)``, channels last in memory.
    targets
        Shape ``(n_images,)`` or ``(n_images, n_targets)``.
    weights
        Shape ``(n_images,)``, or ``None``: all count alike.
    """

    images: Tensor
    targets: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True)
class DeviceData:
    """Images and targets on the device, and the rows of them that are meant.

    Attributes
    ----------
    X
        Shape ``(n_images, *input_shape)``; uint8 stays uint8 until the network reads it.  Or images that are read when
        a batch needs them.
    y
        Shape ``(n_images, ...)``.
    rows
        Indices, so that parts of the data are not copied.
    weights
        Shape ``(n_images,)``, or ``None``.
    """

    X: Tensor | LazyImages
    y: Tensor
    rows: Tensor
    weights: Tensor | None = None

    @classmethod
    def on(cls, device: torch.device, X: Tensor | LazyImages, y: Tensor | None = None) -> Self:
        """All images on a device; without targets the rows stand in for them."""
        rows = torch.arange(len(X), device=device)
        return cls(X.to(device), rows if y is None else y.to(device), rows)

    def part(self, rows: Tensor, weights: Tensor | None = None) -> Self:
        """Some of the images, on the same memory; `weights` are those of all images."""
        device = self.rows.device
        return replace(self, rows=rows.to(device), weights=None if weights is None else weights.to(device))

    def __len__(self) -> int:
        return len(self.rows)

    def sizes(self, batch_size: int) -> list[int]:
        """Images of each batch of an epoch of training; the last one holds what is left."""
        sizes = [batch_size] * (len(self) // batch_size)
        rest = len(self) % batch_size
        if rest == 1 and sizes:
            # Batch normalization cannot learn from one value; the image joins the batch before.
            sizes[-1] += 1
        elif rest:
            sizes.append(rest)
        return sizes

    def shuffled(
        self, batch_size: int, generator: torch.Generator, share: Callable[[int], slice] | None = None
    ) -> Iterator[Batch]:
        """All rows in a new random order, in batches; of each the `share` of so many rows alone, if there is one."""
        order = torch.randperm(len(self.rows), generator=generator).to(self.rows.device)
        return self._batches(self.rows[order], self.sizes(batch_size), share)

    def in_order(self, batch_size: int | None = None) -> Iterator[Batch]:
        """All rows in order, in batches of nearly equal size: kernels are prepared for each size anew."""
        if batch_size is None:
            fitting = EVALUATION_VALUES // prod(self.X.shape[1:])
            batch_size = min(max(fitting, LEAST_EVALUATION_BATCH), EVALUATION_BATCH)
        size, more = divmod(len(self), max(-(-len(self) // batch_size), 1))
        n_batches = -(-len(self) // batch_size)
        return self._batches(self.rows, [size + (place < more) for place in range(n_batches)])

    def _batches(self, rows: Tensor, sizes: list[int], share: Callable[[int], slice] | None = None) -> Iterator[Batch]:
        for chunk in rows.split(sizes):
            if share is not None:
                chunk = chunk[share(len(chunk))]  # noqa: PLW2901
            weights = None if self.weights is None else self.weights.index_select(0, chunk)
            yield Batch(channels_last(self.X.index_select(0, chunk)), self.y.index_select(0, chunk), weights)


def channels_last(images: Tensor) -> Tensor:
    """Images in the memory layout that convolutions are fastest in."""
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images.contiguous()
