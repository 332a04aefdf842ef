"""The primitive operations that every layer lowers itself to, and that a traced module is read as.

An op as declared leaves open what its input decides (channels, the padding of ``"same"``).  ``op.bind(inputs)`` fills
that in and ``op.output_shape(inputs)`` tells the shape that comes out.  Shapes are ``(channels, *size)`` or
``(features,)``, without the batch; a size is a tuple with height before width (one or three entries for 1-D and 3-D).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal, Self

from depthwise.errors import DoesNotFit, SizeError
from depthwise.layers.shapes import (
    Shape,
    Sides,
    Size,
    also,
    clash,
    format_shape,
    known,
    map_size,
    same_padding,
)

__all__ = [
    "Activation", "Conv", "ConvTranspose", "Dense", "Dropout", "Flatten", "GlobalPool", "Input",
    "Lowered", "Merge", "Norm", "Op", "Pad", "Pool", "Shape", "Sides", "Size", "Upsample", "Window", "format_shape",
    "same_padding",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Op:
    """One primitive operation."""

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        """Fill in what the inputs decide."""
        return self

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape that comes out of a bound op."""
        return inputs[0]

    @property
    def params(self) -> int | None:
        """Number of learned values of a bound op; ``None`` while a width is unknown."""
        return 0

    @property
    def buffers(self) -> int:
        """Number of values that are kept with the network but not learned by gradient."""
        return 0

    @property
    def reads_all(self) -> bool:
        """Whether each unit of the output depends on all positions of the input."""
        return False


@dataclass(frozen=True, kw_only=True)
class Input(Op):
    """The images: ``shape`` as declared, or ``None``; ``any_size`` where it is merely the one that was traced."""

    shape: Shape | None = None
    any_size: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.shape is None:
            raise SizeError(
                "the shape of the images is not known",
                "Give input_shape=(channels, height, width), or --input CxHxW",
            )
        return self.shape


@dataclass(frozen=True, kw_only=True)
class Window(Op):
    """Something that slides: a kernel of taps over a map, per axis."""

    kernel_size: Size
    stride: Size
    padding: Sides | Literal["same"]
    dilation: Size

    @property
    def span(self) -> Size:
        """Side of the kernel with its dilation: d (k - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))

    @property
    def sides(self) -> Sides:
        """Padding of a bound window."""
        assert self.padding != "same"
        return self.padding

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        size = map_size(inputs[0], len(self.kernel_size))
        if self.padding != "same":
            return self
        return replace(self, padding=same_padding(size, self.span, self.stride))

    def _slide(self, size: Size, name: str, ceil_mode: bool = False) -> Size:
        padded = tuple(n + lo + hi for n, (lo, hi) in zip(size, self.sides, strict=True))
        out = tuple(map(self._steps, size, padded, self.span, self.stride, self.sides, [ceil_mode] * len(size)))
        if min(out) < 1:
            kernel = format_shape(self.kernel_size) + also(self.kernel_size, self.span, "dilation")
            room = format_shape(size) + " input" + also(size, padded, "padding")
            raise DoesNotFit(f"a {kernel} {name} does not fit into its {room}")
        return out

    @staticmethod
    def _steps(n: int, padded: int, span: int, stride: int, sides: tuple[int, int], ceil_mode: bool) -> int:
        steps, rest = divmod(padded - span, stride)
        # A last, partial window counts only if it starts inside the map or its left padding.
        partial = ceil_mode and rest > 0 and (steps + 1) * stride < n + sides[0]
        return steps + 1 + partial


@dataclass(frozen=True, kw_only=True)
class Conv(Window):
    """Convolution; ``groups=None`` is one group an input channel (depthwise), ``multiplier`` outputs each."""

    out_channels: int | None
    groups: int | None = 1
    multiplier: int | None = None
    bias: bool = True
    in_channels: int | None = None

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        bound = super().bind(inputs)
        channels = known(inputs[0][0])
        if self.in_channels is not None and self.in_channels != channels:
            raise SizeError(
                f"a convolution made for {self.in_channels} channels gets {channels}",
                f"Give it in_channels={channels}, or an input of {self.in_channels} channels",
            )
        if self.multiplier is not None:
            return replace(bound, in_channels=channels, groups=channels, out_channels=channels * self.multiplier)
        if self.groups is not None and channels % self.groups:
            raise SizeError(
                f"its {channels} input channels cannot be split into groups={self.groups}",
                f"Choose groups that divide {channels}, or change the channels of the layer before",
            )
        return bound if self.in_channels == channels else replace(bound, in_channels=channels)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out_channels, *self._slide(map_size(inputs[0], len(self.kernel_size)), "kernel"))

    @property
    def fan_in(self) -> int:
        """Number of values that one output value is a sum of."""
        assert self.in_channels is not None and self.groups is not None
        return self.in_channels // self.groups * prod(self.kernel_size)

    @property
    def params(self) -> int:
        assert self.out_channels is not None
        return (self.fan_in + self.bias) * self.out_channels


@dataclass(frozen=True, kw_only=True)
class ConvTranspose(Conv):
    """Transposed convolution; output side (n - 1) s - p_lo - p_hi + d (k - 1) + 1 + output_padding."""

    output_padding: Size = (0, 0)

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        bound = super().bind(inputs)
        if self.padding != "same":
            return bound
        # "same" is n s out: what a "same" convolution of stride s would have read.  The surplus d(k-1)+1-s is cut off.
        surplus = [k - s for k, s in zip(self.span, self.stride, strict=True)]
        cuts = [max(more, 0) for more in surplus]
        return replace(
            bound,
            padding=tuple((cut // 2, cut - cut // 2) for cut in cuts),
            output_padding=tuple(max(-more, 0) for more in surplus),
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.kernel_size))
        terms = zip(size, self.stride, self.sides, self.span, self.output_padding, strict=True)
        out = tuple((n - 1) * s - lo - hi + k + extra for n, s, (lo, hi), k, extra in terms)
        if min(out) < 1:
            raise DoesNotFit(f"its {format_shape(size)} input becomes {format_shape(out)}: less than one pixel")
        return (self.out_channels, *out)


@dataclass(frozen=True, kw_only=True)
class Pool(Window):
    """Largest (``"max"``) or mean (``"avg"``) value of each window, or its norm (``"lp"``)."""

    function: Literal["max", "avg", "lp"]
    ceil_mode: bool = False
    count_include_pad: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.kernel_size))
        return (inputs[0][0], *self._slide(size, "window", self.ceil_mode))


@dataclass(frozen=True, kw_only=True)
class Pad(Op):
    """Zeros (or the map's own values, by ``mode``) around a map; negative sides crop."""

    padding: Sides
    mode: str = "constant"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.padding))
        out = tuple(n + lo + hi for n, (lo, hi) in zip(size, self.padding, strict=True))
        if min(out) < 1:
            raise DoesNotFit(f"its {format_shape(size)} input is cropped to {format_shape(out)}: less than one pixel")
        return (inputs[0][0], *out)


@dataclass(frozen=True, kw_only=True)
class Upsample(Op):
    """Enlarge a map by whole factors."""

    scale: Size
    mode: Literal["nearest", "bilinear"] = "nearest"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = map_size(inputs[0], len(self.scale))
        return (inputs[0][0], *(n * s for n, s in zip(size, self.scale, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Activation(Op):
    """A function of each value; ``softmax`` of each position's channels, or of all positions (``over_map``)."""

    function: str
    slope: float | None = None
    over_map: bool = False

    @property
    def reads_all(self) -> bool:
        return self.over_map


@dataclass(frozen=True, kw_only=True)
class Dropout(Op):
    """Zero values (or whole channels) at random while training."""

    p: float
    whole_channels: bool = False


@dataclass(frozen=True, kw_only=True)
class Norm(Op):
    """Normalize by statistics of the batch, of channels of the image, or of each position's channels.

    ``"batch"``: each channel by running statistics; ``"group"``, ``"instance"``: groups of channels, or each one, over
    the whole map; ``"layer"``, ``"rms"``, ``"response"``, ``"normalize"``: the channels of each position.
    ``over_map``: by statistics of the whole map although the function usually is not.
    """

    function: Literal["batch", "group", "instance", "layer", "rms", "response", "normalize"]
    groups: int | None = None
    eps: float = 1e-5
    momentum: float = 0.1
    num_features: int | None = None
    affine: bool = True
    over_map: bool = False

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        channels = known(inputs[0][0])
        if self.groups is not None and channels % self.groups:
            raise SizeError(
                f"its {channels} channels cannot be split into {self.groups} groups",
                f"Choose a number of groups that divides {channels}",
            )
        return self if self.num_features == channels else replace(self, num_features=channels)

    @property
    def params(self) -> int:
        assert self.num_features is not None
        return 2 * self.num_features if self.affine else 0

    @property
    def buffers(self) -> int:
        assert self.num_features is not None
        return 2 * self.num_features if self.function == "batch" and not self.over_map else 0

    @property
    def reads_all(self) -> bool:
        return self.over_map or self.function in ("group", "instance")


@dataclass(frozen=True, kw_only=True)
class Dense(Op):
    """A weighted sum of all inputs for each unit; of each position's channels where it gets a map.

    ``groups`` equal parts of the channels may each go through the same weights (the heads of an attention).
    """

    out_features: int | None
    bias: bool = True
    in_features: int | None = None
    groups: int = 1

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        features = known(inputs[0][0])
        if self.in_features is not None and self.in_features * self.groups != features:
            raise SizeError(
                f"a dense layer made for {self.in_features} inputs gets {features // self.groups}",
                f"Use images of the size it was made for, or a dense layer of {features // self.groups} inputs",
            )
        wide = features // self.groups
        return self if self.in_features == wide else replace(self, in_features=wide)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out_features if self.groups == 1 else self.groups * known(self.out_features), *inputs[0][1:])

    @property
    def params(self) -> int | None:
        assert self.in_features is not None
        return None if self.out_features is None else (self.in_features + self.bias) * self.out_features


@dataclass(frozen=True, kw_only=True)
class Merge(Op):
    """Sum (``"add"``), stack (``"concat"``) or combine several maps of one size (``"mul"``, ``"max"``, ...).

    ``broadcast``: a side of 1 stretches to the others', and flat values to each position, as in PyTorch.
    """

    function: str
    broadcast: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.function != "concat":
            if len(set(inputs)) == 1:
                return inputs[0]
            return self._stretched(inputs) if self.broadcast else clash(inputs, "added", "shapes")
        if len({shape[1:] for shape in inputs}) != 1:
            return clash(inputs, "joined", "sizes")
        return (sum(known(shape[0]) for shape in inputs), *inputs[0][1:])

    def _stretched(self, inputs: tuple[Shape, ...]) -> Shape:
        rank = max(map(len, inputs))
        columns = zip(*(shape + (1,) * (rank - len(shape)) for shape in inputs), strict=True)
        sides = [set(column) - {1} or {1} for column in columns]
        if any(len(side) > 1 for side in sides):
            return clash(inputs, "added" if self.function == "add" else f"combined ({self.function})", "shapes")
        return tuple(side.pop() for side in sides)


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Op):
    """One value a channel: the mean or the largest of the whole map."""

    function: str

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        map_size(inputs[0], len(inputs[0]) - 1)
        return inputs[0][:1]

    @property
    def reads_all(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Flatten(Op):
    """All values in one row."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (prod(map(known, inputs[0])),)

    @property
    def reads_all(self) -> bool:
        return True


Lowered = tuple[tuple[str, Op], ...]
"""Steps of one layer in order: (role, op); the role names the submodule, ``""`` is the layer itself."""
