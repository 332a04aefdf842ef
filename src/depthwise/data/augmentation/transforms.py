"""Random changes of a batch of images that keep their class: on whole batches, where they lie, each image its own draw.

Every transform takes floating-point images of shape ``(n_images, channels, height, width)`` and returns new ones of the
same shape, type, device and memory layout.  Values are those of the user (0 to 255, say): the network standardizes
later, and nothing is cut off at black or white.  Draws come from PyTorch's generator of the device, and nothing waits
for the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from numbers import Integral
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from depthwise.data.augmentation.arguments import Bounds, Fill, Range, set_fill, set_number, set_range
from depthwise.data.augmentation.pixels import clamp, demand_images, layout, mirror, pick, rectangles
from depthwise.errors import TrainingError

_PADDING_MODES = {"reflect": "reflection", "edge": "border"}
_PART = Bounds(least=0, most=1)


@dataclass(frozen=True)
class RandomFlip:
    """Mirror images left to right, or upside down.

    Parameters
    ----------
    horizontal
        Probability of exchanging left and right.
    vertical
        Probability of exchanging top and bottom.

    Raises
    ------
    TrainingError
        A probability is not in 0..1.

    Examples
    --------
    >>> RandomFlip(horizontal=1)(torch.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[3.0, 2.0, 1.0]]]]
    """

    horizontal: float = 0.5
    vertical: float = 0.0

    def __post_init__(self) -> None:
        for name in ("horizontal", "vertical"):
            set_number(self, name, _PART)

    def __call__(self, images: Tensor) -> Tensor:
        demand_images(self, images)
        for axis, probability in ((2, self.vertical), (3, self.horizontal)):
            if probability:
                drawn = torch.rand(len(images), 1, 1, 1, device=images.device) < probability
                images = torch.where(drawn, images.flip(axis), images)
        return images


@dataclass(frozen=True)
class RandomCrop:
    """Cut images of the old size out of padded ones: a shift by whole pixels, each of (2 padding + 1)² equally likely.

    Parameters
    ----------
    padding
        Pixels on every side, the farthest shift.
    fill
        What comes in from outside: ``"reflect"``, ``"edge"`` or a value.

    Raises
    ------
    TrainingError
        An argument is none of these.

    Examples
    --------
    >>> moved = RandomCrop(padding=1, fill=0)(torch.ones(2, 1, 4, 4))
    >>> moved.shape, bool((moved.sum((1, 2, 3)) >= 9).all())
    (torch.Size([2, 1, 4, 4]), True)
    """

    padding: int = 4
    fill: Fill = "reflect"

    def __post_init__(self) -> None:
        if isinstance(self.padding, bool) or not isinstance(self.padding, Integral) or self.padding < 0:
            raise TrainingError(f"RandomCrop: padding is {self.padding!r} but must be a whole number, 0 or more.")
        set_fill(self, self.fill, *_PADDING_MODES)

    def __call__(self, images: Tensor) -> Tensor:
        demand_images(self, images)
        shifts = torch.randint(-self.padding, self.padding + 1, (2, len(images), 1), device=images.device)
        sources = [
            shift + torch.arange(length, device=images.device)
            for shift, length in zip(shifts, images.shape[2:], strict=True)
        ]
        if isinstance(self.fill, str):
            fold = mirror if self.fill == "reflect" else clamp
            rows, columns = (fold(source, n) for source, n in zip(sources, images.shape[2:], strict=True))
            return pick(images, rows, columns)
        # A frame of one pixel is enough: all that lies outside reads it.
        framed = F.pad(images, (1, 1, 1, 1), value=self.fill)
        rows, columns = (clamp(source + 1, n) for source, n in zip(sources, framed.shape[2:], strict=True))
        return pick(framed, rows, columns)


@dataclass(frozen=True)
class RandomAffine:
    """Rotate, scale, shear and shift images about their center, by bilinear interpolation.

    A point p (pixels from the center) goes to R(degrees) S(shear) scale p + translate; each is drawn uniformly.  A
    number stands for as much either way, a pair for (lowest, highest).

    Parameters
    ----------
    degrees
        Rotation, counterclockwise.
    translate
        Shift down and to the right, in sides of the image; drawn for each of the two.
    scale
        Factor: 0.1 is (0.9, 1.1).
    shear
        Slant in degrees: how far upright lines lean to the right.
    fill
        What comes in from outside: ``"reflect"``, ``"edge"`` or a value.

    Raises
    ------
    TrainingError
        An argument is none of these.

    Examples
    --------
    >>> RandomAffine(degrees=(90, 90))(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).round().tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """

    degrees: Range = 0.0
    translate: Range = 0.0
    scale: Range = 0.0
    shear: Range = 0.0
    fill: Fill = "reflect"

    def __post_init__(self) -> None:
        set_range(self, "degrees", Bounds())
        set_range(self, "translate", Bounds())
        set_range(self, "scale", Bounds(above=0), center=1)
        set_range(self, "shear", Bounds(above=-90, below=90))
        set_fill(self, self.fill, *_PADDING_MODES)

    def __call__(self, images: Tensor) -> Tensor:
        demand_images(self, images)
        value, mode = (0.0, _PADDING_MODES[self.fill]) if isinstance(self.fill, str) else (self.fill, "zeros")
        grid = self._draw_grid(images)
        source = images.float() - value if value else images.float()
        moved = F.grid_sample(source, grid, padding_mode=mode, align_corners=True)
        moved = moved + value if value else moved
        return moved.to(images.dtype).contiguous(memory_format=layout(images))

    def _draw_grid(self, images: Tensor) -> Tensor:
        """Where every new pixel reads, (x, y) in -1..1 from the first pixel's center to the last one's."""
        n_images, _, height, width = images.shape
        turn = _draw(self.degrees, images, n_images) * (pi / 180)
        slant = (_draw(self.shear, images, n_images) * (pi / 180)).tan()
        factor = _draw(self.scale, images, n_images)
        shift = torch.stack([side * _draw(self.translate, images, n_images) for side in (width, height)], 1)
        cos, sin = turn.cos(), turn.sin()
        # Inverse of scale R S where y points down, on to the unit of the grid: rows give the source's x and y.
        to_x, to_y = (2 / (factor * max(side - 1, 1)) for side in (width, height))
        elements = [to_x * (cos + slant * sin), to_x * (slant * cos - sin), to_y * sin, to_y * cos]
        inverse = torch.stack(elements, 1).view(n_images, 2, 2)
        origin = -(inverse @ shift[:, :, None])[:, None, None, :, 0]
        across, down = (inverse[:, None, None, :, column] for column in (0, 1))
        x, y = (
            torch.arange(side, device=images.device, dtype=torch.float32) - (side - 1) / 2 for side in (width, height)
        )
        return (across * x[:, None] + origin) + down * y[:, None, None]


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness and contrast: x becomes b (m + c (x - m)), with m the mean of the image over all its values.

    Parameters
    ----------
    brightness, contrast
        b and c, drawn uniformly: a number d stands for 1 - d to 1 + d, a pair for (lowest, highest).

    Raises
    ------
    TrainingError
        An argument is none of these, or a factor could be negative.

    Examples
    --------
    >>> ColorJitter(brightness=(2, 2), contrast=(0.5, 0.5))(torch.tensor([[[[0.0, 100.0]]]])).tolist()
    [[[[50.0, 150.0]]]]
    """

    brightness: Range = 0.2
    contrast: Range = 0.2

    def __post_init__(self) -> None:
        set_range(self, "brightness", Bounds(least=0), center=1)
        set_range(self, "contrast", Bounds(least=0), center=1)

    def __call__(self, images: Tensor) -> Tensor:
        demand_images(self, images)
        brightness, contrast = (
            _draw(bounds, images, len(images), 1, 1, 1).to(images.dtype) for bounds in (self.brightness, self.contrast)
        )
        mean = images.mean((1, 2, 3), keepdim=True)
        return images.mul(brightness * contrast).add_(brightness * (1 - contrast) * mean)


@dataclass(frozen=True)
class RandomErasing:
    """Cover a rectangle anywhere within the image.

    Zhong, Zheng, Kang, Li, Yang: Random erasing data augmentation, AAAI 2020, with two changes: a rectangle longer than
    the image is cut to its length rather than drawn again, and it is filled with the mean rather than noise.

    Parameters
    ----------
    probability
        That an image gets one.
    scale
        Its part of the area, (lowest, highest).
    ratio
        Its height by its width, (lowest, highest); its logarithm is drawn uniformly.
    fill
        ``"mean"``, of each channel of the image, or a value.

    Raises
    ------
    TrainingError
        An argument is none of these.

    Examples
    --------
    >>> RandomErasing(probability=1, scale=(1, 1), ratio=(1, 1))(torch.tensor([[[[0.0, 4.0], [4.0, 4.0]]]])).tolist()
    [[[[3.0, 3.0], [3.0, 3.0]]]]
    """

    probability: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    fill: Literal["mean"] | float = "mean"

    def __post_init__(self) -> None:
        set_number(self, "probability", _PART)
        set_range(self, "scale", _PART, center=None)
        set_range(self, "ratio", Bounds(above=0), center=None)
        set_fill(self, self.fill, "mean")

    def __call__(self, images: Tensor) -> Tensor:
        demand_images(self, images)
        n_images, _, *sides = images.shape
        area = sides[0] * sides[1] * _draw(self.scale, images, n_images)
        ratio = _draw((log(self.ratio[0]), log(self.ratio[1])), images, n_images).exp()
        wanted = ((area * ratio).sqrt(), (area / ratio).sqrt())
        lengths = [length.clamp(max=side) for length, side in zip(wanted, sides, strict=True)]
        starts = torch.rand(2, n_images, device=images.device)
        centers = [
            length / 2 + start * (side - length) for length, side, start in zip(lengths, sides, starts, strict=True)
        ]
        erased = torch.rand(n_images, 1, 1, 1, device=images.device) < self.probability
        covered = rectangles(centers, lengths, images) & erased
        fill = images.mean((2, 3), keepdim=True) if self.fill == "mean" else self.fill
        return torch.where(covered, fill, images)


def _draw(bounds: Range, images: Tensor, *shape: int) -> Tensor:
    low, high = cast("tuple[float, float]", bounds)
    return low + (high - low) * torch.rand(shape, device=images.device, dtype=torch.float32)
