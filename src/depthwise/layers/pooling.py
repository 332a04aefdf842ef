"""Layers that change the size of a map without learning: pooling, upsampling, padding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from depthwise.layers import ops
from depthwise.layers.layer import Layer, Padding, Pair, both_axes, both_sides, whole
from depthwise.layers.ops import Lowered


@dataclass(frozen=True, repr=False)
class Pooling(Layer):
    """What the pooling layers share: one value of each window of each channel.

    Parameters
    ----------
    kernel_size
        Side of the window.
    stride
        Step between windows; ``None`` is the kernel size: windows side by side.
    padding
        ``"valid"``, ``"same"`` (output side ceil(n / stride)) or pixels, at most half of the window.
    ceil_mode
        Whether a last, partial window counts: 9 becomes 5 instead of 4 under a 2x2 window.
    """

    kernel_size: Pair = 2
    stride: Pair | None = None
    padding: Padding = field(default="valid", kw_only=True)
    ceil_mode: bool = field(default=False, kw_only=True)

    function: ClassVar[Literal["max", "avg"]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_pair("kernel_size")
        if self.stride is not None:
            self.check_pair("stride")
        if self.stride == self.kernel_size:
            self.set("stride", None)
        self.check_padding()
        self.check_flag("ceil_mode")
        if not isinstance(self.padding, str):
            pads, kernel = both_axes(self.padding), both_axes(self.kernel_size)
            ok = all(p <= k // 2 for p, k in zip(pads, kernel, strict=True))
            self.check("padding", ok, f"must be at most half of kernel_size={self.kernel_size}")

    def lower(self) -> Lowered:
        op = ops.Pool(
            function=self.function,
            kernel_size=both_axes(self.kernel_size),
            stride=both_axes(self.kernel_size if self.stride is None else self.stride),
            padding=both_sides(self.padding),
            dilation=(1, 1),
            ceil_mode=self.ceil_mode,
        )
        return (("", op),)


@dataclass(frozen=True, repr=False)
class MaxPool2D(Pooling):
    """Largest value of each window.

    See :class:`Pooling` for the arguments.

    Examples
    --------
    >>> MaxPool2D(3, 2)
    MaxPool2D(kernel_size=3, stride=2)
    """

    function = "max"


@dataclass(frozen=True, repr=False)
class AvgPool2D(Pooling):
    """Mean of each window; padding does not count, as in Keras.

    See :class:`Pooling` for the arguments.

    Examples
    --------
    >>> AvgPool2D()
    AvgPool2D()
    """

    function = "avg"


@dataclass(frozen=True, repr=False)
class GlobalAvgPool2D(Layer):
    """Mean of each channel over the whole map: ``(channels, height, width)`` to ``(channels,)``.

    References
    ----------
    Lin, Chen, Yan: Network In Network, ICLR 2014.

    Examples
    --------
    >>> GlobalAvgPool2D()
    GlobalAvgPool2D()
    """

    def lower(self) -> Lowered:
        return (("", ops.GlobalPool(function="avg")),)


@dataclass(frozen=True, repr=False)
class GlobalMaxPool2D(Layer):
    """Largest value of each channel over the whole map: ``(channels, height, width)`` to ``(channels,)``.

    Examples
    --------
    >>> GlobalMaxPool2D()
    GlobalMaxPool2D()
    """

    def lower(self) -> Lowered:
        return (("", ops.GlobalPool(function="max")),)


@dataclass(frozen=True, repr=False)
class Upsample2D(Layer):
    """Enlarge a map by whole factors.

    Parameters
    ----------
    scale
        Factor, or (height, width) factors.
    mode
        ``"nearest"`` repeats pixels, ``"bilinear"`` mixes the nearest two of each axis.

    Examples
    --------
    >>> Upsample2D(2, mode="bilinear")
    Upsample2D(mode='bilinear')
    """

    scale: Pair = 2
    mode: Literal["nearest", "bilinear"] = field(default="nearest", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_pair("scale")
        self.check("mode", self.mode in ("nearest", "bilinear"), 'must be "nearest" or "bilinear"')

    def lower(self) -> Lowered:
        return (("", ops.Upsample(scale=both_axes(self.scale), mode=self.mode)),)


@dataclass(frozen=True, repr=False)
class ZeroPad2D(Layer):
    """Zeros around a map.

    Parameters
    ----------
    padding
        Pixels on every side, (height, width), or ((top, bottom), (left, right)).

    Examples
    --------
    >>> ZeroPad2D(((0, 1), (0, 1)))
    ZeroPad2D(padding=((0, 1), (0, 1)))
    """

    padding: Pair | tuple[tuple[int, int], tuple[int, int]] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        padding: Any = self.padding
        if isinstance(padding, (tuple, list)) and all(isinstance(side, (tuple, list)) for side in padding):
            numbers = [[whole(number) for number in side] for side in padding]
            ok = [len(side) for side in numbers] == [2, 2]
            ok = ok and all(number is not None and number >= 0 for side in numbers for number in side)
            self.check("padding", ok, "must be pixels of 0 or more, as ((top, bottom), (left, right))")
            if any(before != after for before, after in numbers):
                self.set("padding", tuple(map(tuple, numbers)))
                return
            self.set("padding", tuple(before for before, _ in numbers))
        self.check_pair("padding", least=0)

    @property
    def _sides(self) -> ops.Sides:
        if isinstance(self.padding, int):
            return ((self.padding,) * 2,) * 2
        return tuple((side, side) if isinstance(side, int) else side for side in self.padding)

    def lower(self) -> Lowered:
        return (("", ops.Pad(padding=self._sides)),)
