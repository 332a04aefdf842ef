"""Primitive operations that are no window: products of maps, attention, and what is not understood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from depthwise.errors import SizeError
from depthwise.layers.ops import Op
from depthwise.layers.shapes import Shape, format_shape


@dataclass(frozen=True, kw_only=True)
class Recorded(Op):
    """An operation whose shapes are known only as they were recorded: it holds at one input size.

    Attributes
    ----------
    function
        What was called.
    shape
        Shape that came out.
    reads
        Shapes that went in; filled in when first bound.
    """

    function: str
    shape: Shape
    reads: tuple[Shape, ...] = ()

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        if self.reads and self.reads != inputs:
            seen, gets = (" and ".join(map(format_shape, shapes)) for shapes in (self.reads, inputs))
            raise SizeError(
                f"{self.function} was recorded with {seen} and gets {gets}",
                "Its shape holds at one size of images: trace the module at the one you want",
            )
        return replace(self, reads=inputs)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return self.shape


@dataclass(frozen=True, kw_only=True)
class Reshape(Recorded):
    """The same values under other axes: where a position of the image stands is no longer told by an axis."""


@dataclass(frozen=True, kw_only=True)
class Expand(Recorded):
    """The same values at each of several positions."""


@dataclass(frozen=True, kw_only=True)
class Matmul(Recorded):
    """Product of two maps, or of positions with learned weights (``terms`` products are summed for each value)."""

    terms: int
    macs: int

    @property
    def reads_all(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Attention(Matmul):
    """Softmax of the products of queries and keys, times the values; with its projections where they are inside."""


@dataclass(frozen=True, kw_only=True)
class Opaque(Recorded):
    """An operation that is not understood: its shape was observed, what its units read is not known.

    Attributes
    ----------
    sums
        Whether it may multiply and add, so that its work is not known either.
    """

    sums: bool = True
