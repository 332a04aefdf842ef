"""Batches of images that lie on the device as one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

EVALUATION_BATCH = 512
"""Images a batch where nothing is learned; from about 256 on, images per second no longer grow."""


@dataclass(frozen=True)
class DeviceData:
    """Images and targets on the device, and the rows of them that are meant.

    Attributes
    ----------
    X
        Shape ``(n_images, *input_shape)``; uint8 stays uint8 until the network reads it.
    y
        Shape ``(n_images, ...)``.
    rows
        Indices, so that parts of the data are not copied.
    """

    X: Tensor
    y: Tensor
    rows: Tensor

    @classmethod
    def on(cls, device: torch.device, X: Tensor, y: Tensor | None = None) -> Self:
        """All images on a device; without targets the rows stand in for them."""
        rows = torch.arange(len(X), device=device)
        return cls(X.to(device), rows if y is None else y.to(device), rows)

    def part(self, rows: Tensor) -> Self:
        """Some of the images, on the same memory."""
        return replace(self, rows=rows.to(self.rows.device))

    def __len__(self) -> int:
        return len(self.rows)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows in a new random order, in batches; the last one holds what is left."""
        order = torch.randperm(len(self.rows), generator=generator).to(self.rows.device)
        sizes = [batch_size] * (len(self) // batch_size)
        rest = len(self) % batch_size
        if rest == 1 and sizes:
            # Batch normalization cannot learn from one value; the image joins the batch before.
            sizes[-1] += 1
        elif rest:
            sizes.append(rest)
        return self._batches(self.rows[order], sizes)

    def in_order(self, batch_size: int = EVALUATION_BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows in order, in batches of nearly equal size: kernels are prepared for each size anew."""
        size, more = divmod(len(self), max(-(-len(self) // batch_size), 1))
        n_batches = -(-len(self) // batch_size)
        return self._batches(self.rows, [size + (place < more) for place in range(n_batches)])

    def _batches(self, rows: Tensor, sizes: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
        for chunk in rows.split(sizes):
            yield channels_last(self.X.index_select(0, chunk)), self.y.index_select(0, chunk)


def channels_last(images: Tensor) -> Tensor:
    """Images in the memory layout that convolutions are fastest in."""
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images.contiguous()
