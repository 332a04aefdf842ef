"""Layers that convolve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from depthwise.layers.layer import Layer, Padding, Pair, activation_step, both_axes, both_sides
from depthwise.layers.ops import Conv, ConvTranspose, Lowered
from depthwise.layers.pointwise import BatchNorm, GroupNorm


@dataclass(frozen=True, repr=False)
class Convolution(Layer):
    """What all convolutions share: a kernel that slides, an optional norm, an activation.

    Parameters
    ----------
    kernel_size, stride, dilation
        Whole numbers, or (height, width).
    padding
        ``"valid"`` (none), ``"same"`` (output side ceil(n / stride), the smaller half first, as Keras), or pixels.
    bias
        Whether a learned constant is added to each output channel.
    activation
        One of :data:`~depthwise.layers.layer.ACTIVATIONS`, or ``None``.
    norm
        ``"batch"``, a :class:`BatchNorm` or :class:`GroupNorm` between the convolution and its activation, or ``None``.
    """

    stride: Pair = field(default=1, kw_only=True)
    padding: Padding = field(default="valid", kw_only=True)
    dilation: Pair = field(default=1, kw_only=True)
    bias: bool = field(default=True, kw_only=True)
    activation: str | None = field(default="relu", kw_only=True)
    norm: str | BatchNorm | GroupNorm | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for argument in ("kernel_size", "stride", "dilation"):
            self.check_pair(argument)
        self.check_padding()
        self.check_flag("bias")
        self.check_activation()
        ok = self.norm in (None, "batch") or isinstance(self.norm, (BatchNorm, GroupNorm))
        self.check("norm", ok, 'must be None, "batch", BatchNorm() or GroupNorm(groups)')
        if self.norm == BatchNorm():
            self.set("norm", "batch")

    def _window(self) -> dict[str, Any]:
        return {
            "stride": both_axes(self.stride),
            "padding": both_sides(self.padding),
            "dilation": both_axes(self.dilation),
        }

    def _finish(self) -> Lowered:
        norm = BatchNorm() if self.norm == "batch" else self.norm
        assert not isinstance(norm, str)
        return (() if norm is None else (("norm", norm.op),)) + activation_step(self.activation)


@dataclass(frozen=True, repr=False)
class Conv2D(Convolution):
    """Convolution: each output channel is a learned filter over all input channels.

    Output side floor((n + 2 p - d (k - 1) - 1) / s) + 1; parameters (k_y k_x c_in / groups + 1) c_out.

    Parameters
    ----------
    out_channels
        Number of filters.
    groups
        Number of groups that input and output channels are split into.

    See :class:`Convolution` for the rest.

    Examples
    --------
    >>> Conv2D(32)
    Conv2D(32)
    >>> Conv2D(0)
    Traceback (most recent call last):
    depthwise.errors.LayerError: Conv2D: out_channels is 0 but must be a whole number of 1 or more.
    """

    out_channels: int
    kernel_size: Pair = 3
    groups: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        self.check_count("out_channels", "groups")
        super().__post_init__()
        self.check("groups", self.out_channels % self.groups == 0, f"must divide out_channels={self.out_channels}")

    def lower(self) -> Lowered:
        conv = Conv(
            out_channels=self.out_channels,
            kernel_size=both_axes(self.kernel_size),
            groups=self.groups,
            bias=self.bias,
            **self._window(),
        )
        return (("", conv), *self._finish())


@dataclass(frozen=True, repr=False)
class DepthwiseConv2D(Convolution):
    """Convolution of each input channel by filters of its own.

    Output channels multiplier c_in; parameters (k_y k_x + 1) multiplier c_in.

    Parameters
    ----------
    multiplier
        Number of filters an input channel.

    See :class:`Convolution` for the rest.

    Examples
    --------
    >>> DepthwiseConv2D(3, multiplier=2, padding="same")
    DepthwiseConv2D(multiplier=2, padding='same')
    """

    kernel_size: Pair = 3
    multiplier: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        self.check_count("multiplier")
        super().__post_init__()

    def lower(self) -> Lowered:
        conv = Conv(
            out_channels=None,
            multiplier=self.multiplier,
            groups=None,
            kernel_size=both_axes(self.kernel_size),
            bias=self.bias,
            **self._window(),
        )
        return (("", conv), *self._finish())


@dataclass(frozen=True, repr=False)
class SeparableConv2D(Convolution):
    """A depthwise convolution, then a 1x1 convolution that mixes the channels.

    Parameters k_y k_x c_in + (c_in + 1) c_out: as in Keras the bias belongs to the 1x1 part alone.

    Parameters
    ----------
    out_channels
        Number of filters of the 1x1 convolution.

    See :class:`Convolution` for the rest.

    Examples
    --------
    >>> SeparableConv2D(64, 5)
    SeparableConv2D(64, kernel_size=5)
    """

    out_channels: int
    kernel_size: Pair = 3

    def __post_init__(self) -> None:
        self.check_count("out_channels")
        super().__post_init__()

    def lower(self) -> Lowered:
        size = both_axes(self.kernel_size)
        depthwise = Conv(out_channels=None, multiplier=1, groups=None, kernel_size=size, bias=False, **self._window())
        pointwise = Conv(
            out_channels=self.out_channels,
            kernel_size=(1, 1),
            stride=(1, 1),
            padding=both_sides("valid"),
            dilation=(1, 1),
            bias=self.bias,
        )
        return (("depthwise", depthwise), ("pointwise", pointwise), *self._finish())


@dataclass(frozen=True, repr=False)
class Conv2DTranspose(Convolution):
    """Transposed convolution: spreads each input value over a kernel, to enlarge a map.

    Output side (n - 1) s - 2 p + d (k - 1) + 1 + output_padding; with ``padding="same"`` n s.

    Parameters
    ----------
    out_channels
        Number of filters.
    output_padding
        Rows and columns added at the end, less than the stride.  Not with ``padding="same"``.
    groups
        Number of groups that input and output channels are split into.

    See :class:`Convolution` for the rest.

    Examples
    --------
    >>> Conv2DTranspose(16, 4, stride=2, padding=1)
    Conv2DTranspose(16, kernel_size=4, stride=2, padding=1)
    """

    out_channels: int
    kernel_size: Pair = 3
    output_padding: Pair = field(default=0, kw_only=True)
    groups: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        self.check_count("out_channels", "groups")
        super().__post_init__()
        self.check("groups", self.out_channels % self.groups == 0, f"must divide out_channels={self.out_channels}")
        self.check_pair("output_padding", least=0)
        extra, stride = both_axes(self.output_padding), both_axes(self.stride)
        ok = all(e < s for e, s in zip(extra, stride, strict=True))
        self.check("output_padding", ok, f"must be less than stride={self.stride}")
        ok = self.padding != "same" or self.output_padding == 0
        self.check("output_padding", ok, 'must be 0 with padding="same", which sets the output size itself')

    def lower(self) -> Lowered:
        conv = ConvTranspose(
            out_channels=self.out_channels,
            kernel_size=both_axes(self.kernel_size),
            groups=self.groups,
            bias=self.bias,
            output_padding=both_axes(self.output_padding),
            **self._window(),
        )
        return (("", conv), *self._finish())
