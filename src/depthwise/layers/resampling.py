"""Primitive operations that give a map another size without learning: what traced modules use beyond the layer list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, prod
from struct import pack, unpack
from typing import Literal, Self

from depthwise.errors import DoesNotFit, SizeError
from depthwise.layers.ops import Op, Window
from depthwise.layers.shapes import Shape, Size, format_shape, known, map_size


@dataclass(frozen=True, kw_only=True)
class AdaptivePool(Op):
    """Mean or largest value of ``size`` bins of (nearly) equal size an axis; ``None`` keeps an axis.

    Bin o reads the positions floor(o n / m) to ceil((o + 1) n / m) - 1 of n.
    """

    function: Literal["max", "avg"]
    size: tuple[int | None, ...]
    input_size: Size = ()

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        size = map_size(inputs[0], len(self.size))
        return self if size == self.input_size else replace(self, input_size=size)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (inputs[0][0], *self.output_size)

    @property
    def output_size(self) -> Size:
        """Number of bins an axis, of a bound op."""
        return tuple(n if m is None else m for n, m in zip(self.input_size, self.size, strict=True))

    @property
    def reads_all(self) -> bool:
        return all(m == 1 for m in self.size)

    def bin(self, axis: int, unit: int) -> tuple[int, int]:
        """First and last position that a unit reads."""
        n, m = self.input_size[axis], self.output_size[axis]
        return unit * n // m, -(-(unit + 1) * n // m) - 1


@dataclass(frozen=True, kw_only=True)
class Resize(Op):
    """Give a map another size by sampling it between its pixels: to ``size``, or by ``scale``.

    ``"nearest"`` reads one pixel, ``"linear"`` two, ``"cubic"`` four of each axis around the same place of the map;
    ``align_corners`` lays the first and last pixels of both maps upon each other.
    """

    mode: Literal["nearest", "nearest-exact", "linear", "cubic"]
    size: Size | None = None
    scale: tuple[float, ...] | None = None
    align_corners: bool = False
    input_size: Size = ()

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        rank = len(inputs[0]) - 1
        return replace(self, input_size=map_size(inputs[0], len(self.size or self.scale or ()) or rank))

    @property
    def output_size(self) -> Size:
        """Size of the new map, of a bound op."""
        if self.size is not None:
            return self.size
        assert self.scale is not None
        return tuple(int(n * factor) for n, factor in zip(self.input_size, self.scale, strict=True))

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if min(self.output_size) < 1:
            raise DoesNotFit(f"its {format_shape(self.input_size)} input is resized to less than one pixel")
        return (inputs[0][0], *self.output_size)

    def ratio(self, axis: int) -> Fraction:
        """Positions of the input between neighboring units."""
        n, m = self.input_size[axis], self.output_size[axis]
        if self.align_corners:
            return Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
        if self.size is None and self.scale is not None:
            return 1 / Fraction(self.scale[axis])
        return Fraction(n, m)

    def span(self, axis: int, unit: int) -> tuple[int, int]:
        """First and last position that a unit reads; beyond the map where a window hangs over its border.

        Pixels of weight zero are read too.  Places are rounded as PyTorch rounds them, so that a unit whose place falls
        upon a pixel reads the same neighbor.
        """
        n, m = self.input_size[axis], self.output_size[axis]
        if self.mode == "linear" and n == m:
            return unit, unit
        ratio = _single(float(self.ratio(axis)))
        if self.mode.startswith("nearest"):
            place = min(int(_single((unit + (0.5 if self.mode == "nearest-exact" else 0.0)) * ratio)), n - 1)
            return place, place
        source = _single(unit * ratio if self.align_corners else (unit + 0.5) * ratio - 0.5)
        if self.mode == "linear":
            place = min(int(max(source, 0.0)), n - 1)
            return place, place + 1
        return floor(source) - 1, floor(source) + 2


def _single(number: float) -> float:
    """A number as float32 holds it."""
    return float(unpack("f", pack("f", number))[0])


@dataclass(frozen=True, kw_only=True)
class Sample(Window):
    """Every s-th position of a map, from a first one on (a slice with a step): a window of one tap."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.kernel_size))
        if any(n + lo + hi < 1 for n, (lo, hi) in zip(size, self.sides, strict=True)):
            raise DoesNotFit(f"a slice of its {format_shape(size)} input is empty")
        return (inputs[0][0], *self._slide(size, "slice"))


@dataclass(frozen=True, kw_only=True)
class Measured(Window):
    """An operation without a rule of its own, whose window was measured; channels as recorded."""

    function: str
    channels: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.channels, *self._slide(map_size(inputs[0], len(self.kernel_size)), "window"))


@dataclass(frozen=True, kw_only=True)
class PixelShuffle(Op):
    """Lay channels out as blocks of pixels: (c r_y r_x, h, w) to (c, h r_y, w r_x)."""

    factor: Size

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.factor))
        channels, block = known(inputs[0][0]), prod(self.factor)
        if channels % block:
            raise SizeError(
                f"its {channels} channels cannot be laid out as {format_shape(self.factor)} blocks",
                f"Give it a multiple of {block} channels",
            )
        return (channels // block, *(n * r for n, r in zip(size, self.factor, strict=True)))


@dataclass(frozen=True, kw_only=True)
class PixelUnshuffle(Op):
    """Stack blocks of pixels as channels: (c, h r_y, w r_x) to (c r_y r_x, h, w)."""

    factor: Size

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.factor))
        if any(n % r for n, r in zip(size, self.factor, strict=True)):
            raise SizeError(
                f"its {format_shape(size)} input cannot be cut into {format_shape(self.factor)} blocks",
                f"Use images whose sides give multiples of {format_shape(self.factor)} here",
            )
        channels = known(inputs[0][0]) * prod(self.factor)
        return (channels, *(n // r for n, r in zip(size, self.factor, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Select(Op):
    """Some of the channels."""

    channels: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.channels, *inputs[0][1:])


@dataclass(frozen=True, kw_only=True)
class Reduce(Op):
    """One value a position: a statistic of its channels."""

    function: str

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (1, *inputs[0][1:])
