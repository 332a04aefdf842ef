"""The primitive operations that every layer lowers itself to, and that a traced module is read as.

An op as declared leaves open what its input decides (channels, the padding of ``"same"``).  ``op.bind(inputs)`` fills
that in and ``op.output_shape(inputs)`` tells the shape that comes out.  Shapes are ``(channels, *size)`` or
``(features,)``, without the batch; a size is a tuple with height before width (one or three entries for 1-D and 3-D).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal, Self

from depthwise.errors import SizeError

Size = tuple[int, ...]
Shape = tuple[int | None, ...]
"""``None`` stands for a width that only the data will tell: that of ``Output()``."""
Sides = tuple[tuple[int, int], ...]
"""Padding per axis: (before, after)."""


def format_shape(shape: Shape) -> str:
    """Write a shape as people do.

    >>> format_shape((1, 28, 28)), format_shape((64,)), format_shape((None,))
    ('1x28x28', '64', '?')
    """
    return "x".join("?" if side is None else str(side) for side in shape)


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


@dataclass(frozen=True, kw_only=True)
class Input(Op):
    """The images: ``shape`` as declared, or ``None``."""

    shape: Shape | None = None

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.shape is None:
            raise SizeError("the shape of the images is not known. Give input_shape=(channels, height, width).")
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
        size = _map_size(inputs[0], len(self.kernel_size))
        if self.padding != "same":
            return self
        return replace(self, padding=same_padding(size, self.span, self.stride))

    def _slide(self, size: Size, name: str, ceil_mode: bool = False) -> Size:
        padded = tuple(n + lo + hi for n, (lo, hi) in zip(size, self.sides, strict=True))
        if any(n < k for n, k in zip(padded, self.span, strict=True)):
            kernel = format_shape(self.kernel_size) + _also(self.kernel_size, self.span, "dilation")
            room = format_shape(size) + " input" + _also(size, padded, "padding")
            raise DoesNotFit(f"a {kernel} {name} does not fit into its {room}.")
        return tuple(map(self._steps, size, padded, self.span, self.stride, self.sides, [ceil_mode] * len(size)))

    @staticmethod
    def _steps(n: int, padded: int, span: int, stride: int, sides: tuple[int, int], ceil_mode: bool) -> int:
        steps, rest = divmod(padded - span, stride)
        # A last, partial window counts only if it starts inside the map or its left padding.
        partial = ceil_mode and rest > 0 and (steps + 1) * stride < n + sides[0]
        return steps + 1 + partial


class DoesNotFit(SizeError):
    """A window is larger than its padded map: larger images would help."""


def same_padding(size: Size, span: Size, stride: Size) -> Sides:
    """Padding with which a window gives ceil(n / s) positions, the smaller half first.

    >>> same_padding((16, 16), (3, 3), (2, 2))
    ((0, 1), (0, 1))

    References
    ----------
    Keras and TensorFlow, ``padding="same"``.
    """
    totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, span, stride, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


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
        channels = _known(inputs[0][0])
        if self.in_channels is not None and self.in_channels != channels:
            raise SizeError(
                f"a convolution made for {self.in_channels} channels gets {channels}. "
                f"Give it in_channels={channels}, or an input of {self.in_channels} channels."
            )
        if self.multiplier is not None:
            return replace(bound, in_channels=channels, groups=channels, out_channels=channels * self.multiplier)
        if self.groups is not None and channels % self.groups:
            raise SizeError(
                f"its {channels} input channels cannot be split into groups={self.groups}. "
                f"Choose groups that divide {channels}, or change the channels of the layer before."
            )
        return replace(bound, in_channels=channels)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out_channels, *self._slide(_map_size(inputs[0], len(self.kernel_size)), "kernel"))

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
        size = _map_size(inputs[0], len(self.kernel_size))
        terms = zip(size, self.stride, self.sides, self.span, self.output_padding, strict=True)
        out = tuple((n - 1) * s - lo - hi + k + extra for n, s, (lo, hi), k, extra in terms)
        if min(out) < 1:
            raise DoesNotFit(f"its {format_shape(size)} input becomes {format_shape(out)}: less than one pixel.")
        return (self.out_channels, *out)


@dataclass(frozen=True, kw_only=True)
class Pool(Window):
    """Largest (``"max"``) or mean (``"avg"``) value of each window."""

    function: Literal["max", "avg"]
    ceil_mode: bool = False
    count_include_pad: bool = False

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = _map_size(inputs[0], len(self.kernel_size))
        return (inputs[0][0], *self._slide(size, "window", self.ceil_mode))


@dataclass(frozen=True, kw_only=True)
class Pad(Op):
    """Zeros around a map; negative sides crop."""

    padding: Sides

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = _map_size(inputs[0], len(self.padding))
        return (inputs[0][0], *(n + lo + hi for n, (lo, hi) in zip(size, self.padding, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Upsample(Op):
    """Enlarge a map by whole factors."""

    scale: Size
    mode: Literal["nearest", "bilinear"] = "nearest"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = _map_size(inputs[0], len(self.scale))
        return (inputs[0][0], *(n * s for n, s in zip(size, self.scale, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Activation(Op):
    """A function of each value; ``softmax`` of each position's channels."""

    function: str
    slope: float | None = None


@dataclass(frozen=True, kw_only=True)
class Dropout(Op):
    """Zero values (or whole channels) at random while training."""

    p: float
    whole_channels: bool = False


@dataclass(frozen=True, kw_only=True)
class Norm(Op):
    """Normalize each channel over the batch (``"batch"``) or groups of channels over the image (``"group"``)."""

    function: Literal["batch", "group"]
    groups: int | None = None
    eps: float = 1e-5
    momentum: float = 0.1
    num_features: int | None = None

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        channels = _known(inputs[0][0])
        if self.groups is not None and channels % self.groups:
            raise SizeError(
                f"its {channels} channels cannot be split into {self.groups} groups. "
                f"Choose a number of groups that divides {channels}."
            )
        return replace(self, num_features=channels)

    @property
    def params(self) -> int:
        assert self.num_features is not None
        return 2 * self.num_features

    @property
    def buffers(self) -> int:
        return self.params if self.function == "batch" else 0


@dataclass(frozen=True, kw_only=True)
class Dense(Op):
    """A weighted sum of all inputs for each unit."""

    out_features: int | None
    bias: bool = True
    in_features: int | None = None

    def bind(self, inputs: tuple[Shape, ...]) -> Self:
        (features,) = inputs[0]
        if self.in_features is not None and self.in_features != features:
            raise SizeError(
                f"a dense layer made for {self.in_features} inputs gets {features}. "
                f"Use images of the size it was made for, or a dense layer of {features} inputs."
            )
        return replace(self, in_features=_known(features))

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out_features,)

    @property
    def params(self) -> int | None:
        assert self.in_features is not None
        return None if self.out_features is None else (self.in_features + self.bias) * self.out_features


@dataclass(frozen=True, kw_only=True)
class Merge(Op):
    """Sum (``"add"``) or stack (``"concat"``) several maps of one size."""

    function: Literal["add", "concat"]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.function == "add":
            return inputs[0] if len(set(inputs)) == 1 else _clash(inputs, "added", "shapes")
        if len({shape[1:] for shape in inputs}) != 1:
            return _clash(inputs, "joined", "sizes")
        return (sum(_known(shape[0]) for shape in inputs), *inputs[0][1:])


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Op):
    """One value a channel: the mean or the largest of the whole map."""

    function: Literal["max", "avg"]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _map_size(inputs[0], len(inputs[0]) - 1)
        return inputs[0][:1]


@dataclass(frozen=True, kw_only=True)
class Flatten(Op):
    """All values in one row."""

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (prod(map(_known, inputs[0])),)


def _known(side: int | None) -> int:
    if side is None:
        raise SizeError("it follows an output layer of unknown width. Let Output() be the last layer.")
    return side


def _map_size(shape: Shape, rank: int) -> Size:
    if len(shape) != rank + 1 or rank == 0:
        axes = {1: "a length", 2: "height and width", 3: "depth, height and width"}.get(rank, "height and width")
        raise SizeError(
            f"needs a map with {axes} but gets {format_shape(shape)}. "
            "Put it before the first flatten, dense or global pooling layer."
        )
    return tuple(map(_known, shape[1:]))


def _also(plain: Size, full: Size, cause: str) -> str:
    return "" if plain == full else f" ({format_shape(full)} with {cause})"


def _clash(shapes: tuple[Shape, ...], verb: str, what: str) -> Shape:
    listed = " and ".join(map(format_shape, shapes))
    raise SizeError(f"maps of {listed} cannot be {verb}: their {what} differ. Make them equal.")


Lowered = tuple[tuple[str, Op], ...]
"""Steps of one layer in order: (role, op); the role names the submodule, ``""`` is the layer itself."""

