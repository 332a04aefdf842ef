"""Modules that PyTorch does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import has_torch_function


class Standardize(nn.Module):
    """Subtract the mean and divide by the standard deviation: per channel of a map, or per feature.

    Until ``set`` is called, values pass as they are.  Whole numbers become floating-point ones.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("std", torch.ones(shape[0]))
        self.axes = (-1, *[1] * (len(shape) - 1))

    @property
    def passes(self) -> bool:
        """Whether values pass as they are."""
        return bool((self.mean == 0).all() and (self.std == 1).all())

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Store statistics, shape ``(channels,)`` or ``(features,)`` each."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.mean.dtype)
        return (images - self.mean.view(self.axes)) / self.std.view(self.axes)


class Merge(nn.Module):
    """Sum of maps, or maps stacked along their channels."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, *maps: Tensor) -> Tensor:
        if self.function == "concat":
            return torch.cat(maps, 1)
        total = maps[0]
        for value in maps[1:]:
            total = total + value
        return total


class GlobalPool(nn.Module):
    """Mean or largest value of each channel."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        axes = list(range(2, images.ndim))
        return images.amax(axes) if self.function == "max" else images.mean(axes)


class _Padding(nn.Module):
    """Mixin: pad the input by more on one side than on the other, which PyTorch's own layers cannot."""

    pads: tuple[int, ...]
    fill: float = 0.0

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(F.pad(images, self.pads, value=self.fill))


class PaddedConv2d(_Padding, nn.Conv2d):
    """Convolution of an unevenly padded map."""


class GemmConv2d(nn.Conv2d):
    """Convolution as one product of matrices: the windows of all images times the weights.

    For many weights on a small map, where kernels made for convolutions find little to share (benchmarks/engine.py).
    Windows overlap, so it takes the memory of the input ``kernel_size`` times over.  Weights and results are those of
    ``nn.Conv2d``.  It is for the processor and one group; elsewhere, and where someone watches which functions of
    PyTorch are called, it is an ordinary convolution.
    """

    def forward(self, images: Tensor) -> Tensor:
        if isinstance(self.padding, str):  # set by hand, or by a mend
            return super().forward(images)
        return self.convolve(images, cast("tuple[int, int]", self.padding))

    def convolve(self, images: Tensor, padding: tuple[int, int]) -> Tensor:
        """Convolve with another padding."""
        weight, (down, across) = self.weight, padding
        if images.device.type != "cpu" or images.ndim != 4 or has_torch_function((images, weight)):
            return F.conv2d(images, weight, self.bias, self.stride, padding, self.dilation, self.groups)
        windows = F.pad(images, (across, across, down, down)).permute(0, 2, 3, 1)
        for axis, (size, stride, dilation) in enumerate(zip(self.kernel_size, self.stride, self.dilation, strict=True)):
            windows = windows.unfold(1 + axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
        positions = windows.permute(0, 1, 2, 4, 5, 3).flatten(3)
        return F.linear(positions, weight.permute(0, 2, 3, 1).flatten(1), self.bias).permute(0, 3, 1, 2)


class PaddedMaxPool2d(_Padding, nn.MaxPool2d):
    """Maximum pooling of an unevenly padded map; padding never wins."""

    fill = -math.inf


class PaddedAvgPool2d(_Padding, nn.AvgPool2d):
    """Average pooling of an unevenly padded map; unless told otherwise, the mean is that of the real values."""

    def forward(self, images: Tensor) -> Tensor:
        mean = super().forward(images)
        if self.count_include_pad:
            return mean
        return mean / super().forward(images.new_ones(1, 1, *images.shape[2:]))


class CroppedConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution that loses more on one side than on the other."""

    crops: tuple[int, ...]

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        return F.pad(super().forward(images, output_size), self.crops)
