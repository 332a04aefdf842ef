"""Random layer lists that are networks: what the property tests of every room draw from.

``random_layers`` makes one list from a seeded ``random.Random``; ``layer_lists`` is the same as a hypothesis strategy.
Both return the list and an input shape for which ``Graph.from_layers(layers).at(input_shape)`` works.
"""

from __future__ import annotations

from dataclasses import fields
from math import gcd
from random import Random
from typing import Any

from hypothesis import strategies as st

from depthwise.errors import SizeError
from depthwise.graph import Graph
from depthwise.layers import (
    Activation,
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Input,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    SpatialDropout2D,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.layers.layer import ACTIVATIONS

GREATEST_DEPTH = 20
LARGEST_SIDE = 40
MOST_CHANNELS = 16
MOST_VALUES = 20_000  # of one map, so that real forward passes are fast

Shape = tuple[int, ...]
Drawn = tuple[tuple[Layer, ...], Shape]


def random_layers(
    rng: Random, *, depth: int | None = None, residual: bool = True, wired: bool = True, open_output: bool = False
) -> Drawn:
    """A valid layer list and an input shape ``(channels, height, width)`` for it.

    Parameters
    ----------
    rng
        Seeded source of all choices.
    depth
        Number of layers, those inside a residual block not counted; without it one from 1 to ``GREATEST_DEPTH``.
        The list is shorter where the map became too small for a next layer.
    residual
        Whether residual blocks may stand in it.
    wired
        Whether own names and ``inputs=`` (Add, Concat, parallel branches) may stand in it.
    open_output
        Whether it may end in ``Output()``, whose width only the data tell.
    """
    depth = depth or rng.randint(1, GREATEST_DEPTH)
    shape = _input_shape(rng)
    ways = (["residual"] if residual else []) + (["wired"] if wired else [])
    branches = ways if ways and rng.random() < 0.35 else []
    level = _Level(rng, shape, branches, first_place=1)
    if depth > 1 and rng.random() < 0.3:
        level.layers.append(Input(shape if rng.random() < 0.7 else None))
        level.first_place = 0
    if wired and rng.random() < 0.3:
        level.name_share = 0.3
    level.shapes["input0"] = shape
    head = min(rng.choice((0, 1, 1, 2, 3, 4)), depth - len(level.layers))
    level.grow(depth - head)
    if head:
        level.finish(depth, open_output)
    if all(isinstance(layer, Input) for layer in level.layers):
        level.layers.append(Activation("relu"))
    layers = tuple(level.layers)
    Graph.from_layers(layers).at(shape)
    return layers, shape


def layer_lists(**options: Any) -> st.SearchStrategy[Drawn]:
    """``random_layers`` as a strategy: ``@given(layer_lists())`` draws ``(layers, input_shape)``.

    It takes the same options.  A failing list shrinks to the least depth that fails.
    """
    depths = st.just(options.pop("depth")) if "depth" in options else st.integers(1, GREATEST_DEPTH)
    seeds = st.integers(0, 1 << 32)
    return st.builds(lambda depth, seed: random_layers(Random(seed), depth=depth, **options), depths, seeds)


def shape_after(layer: Layer, shape: Shape) -> Shape | None:
    """Shape that one layer gives, ``None`` where it does not fit or the map would be too large for a fast test."""
    try:
        if layer.branches:
            after: tuple[int | None, ...] = Graph.from_layers([layer]).at(shape).output_shape
        else:
            after = shape
            for _, op in layer.lower():
                after = op.bind((after,)).output_shape((after,))
    except SizeError:
        return None
    sides = [1 if side is None else side for side in after]
    too_large = max(sides[1:], default=1) > LARGEST_SIDE + 8 or (sides[0] > 4 * MOST_CHANNELS and len(sides) > 1)
    values = 1
    for side in sides:
        values *= side
    return None if too_large or values > MOST_VALUES else tuple(sides)


class _Level:
    """The layers of one list while it grows; those of a residual block are a level of their own."""

    def __init__(self, rng: Random, shape: Shape, branches: list[str], first_place: int, same: bool = False) -> None:
        self.rng = rng
        self.shape = shape
        self.branches = branches
        self.first_place = first_place
        self.same = same  # only layers whose size a 1x1 convolution with a stride can follow
        self.name_share = 0.0
        self.layers: list[Layer] = []
        self.shapes: dict[str, Shape] = {}

    def grow(self, depth: int) -> None:
        """Add random layers that fit until there are so many; one of them branches where branches are asked for."""
        must_branch = self.rng.randint(len(self.layers), max(depth - 1, len(self.layers))) if self.branches else -1
        for _ in range(6 * depth):
            if len(self.layers) >= depth:
                return
            branch = self.branches and (len(self.layers) == must_branch or self.rng.random() < 0.15)
            if branch and self.branch(depth - len(self.layers)):
                continue
            draw = _map_layer if len(self.shape) == 3 else _flat_layer
            self.add(draw(self.rng, self.shape, self.same))

    def finish(self, depth: int, open_output: bool) -> None:
        """The head: at most one layer that ends the map, some flat ones, an output or none."""
        rng = self.rng
        if len(self.layers) < depth and rng.random() < 0.5:
            self.add(rng.choice((GlobalAvgPool2D(), GlobalMaxPool2D(), Flatten())))
        wants_output = rng.random() < 0.7
        while len(self.layers) < depth - wants_output:
            self.add(_flat_layer(rng, self.shape, self.same) if len(self.shape) == 1 else _dense(rng))
        if wants_output and len(self.layers) < depth:
            units = None if open_output and rng.random() < 0.5 else rng.randint(1, 12)
            self.add(Output(units, bias=rng.random() < 0.9))

    def add(self, layer: Layer, reads: Shape | None = None) -> str | None:
        """Append the layer if it fits, and tell how it is called."""
        after = self.shape
        if not isinstance(layer, (Add, Concat)):
            sized = shape_after(layer, self.shape if reads is None else reads)
            if sized is None:
                return None
            after = sized
        elif isinstance(layer, Concat) and layer.inputs:
            after = (sum(self.shapes[name][0] for name in layer.inputs), *self.shapes[layer.inputs[0]][1:])
        elif layer.inputs:
            after = self.shapes[layer.inputs[0]]
        place = len(self.layers) + self.first_place
        if self.rng.random() < self.name_share:
            layer = type(layer)(**{**_arguments(layer), "name": f"{self.rng.choice(('stem', 'left', 'x_'))}{place}"})
        self.layers.append(layer)
        name = layer.name or f"{layer.kind}{place}"
        self.shapes[name] = self.shape = after
        return name

    def branch(self, room: int) -> bool:
        """One residual block, or parallel layers and their join, or a join with layers above."""
        if self.rng.choice(self.branches) == "residual":
            block = _residual(self.rng, self.shape, self.branches)
            return block is not None and self.add(block) is not None
        if room >= 4 and self.rng.random() < 0.6 and self.shapes:
            return self._fork(self.rng.randint(2, min(3, room - 2)))
        return self._join(list(self.shapes)[-1:], list(self.shapes)[:-1])

    def _fork(self, ways: int) -> bool:
        source, shape = list(self.shapes)[-1], self.shape
        stride = self.rng.choice((1, 1, 2))
        equal = self.rng.randint(1, 8) if self.rng.random() < 0.5 else None
        ends = []
        for way in range(ways):
            if len(shape) == 1:
                layer: Layer = Dense(equal or self.rng.randint(1, MOST_CHANNELS), _activation(self.rng))
            else:
                arguments = _convolution(self.rng, shape, same=True)
                layer = Conv2D(equal or self.rng.randint(1, 8), **{**arguments, "stride": stride})
            if way or self.rng.random() < 0.3:
                layer = type(layer)(**{**_arguments(layer), "inputs": (source,)})
            end = self.add(layer, shape)
            assert end is not None
            ends.append(end)
        self._join(ends, [])
        return True

    def _join(self, ends: list[str], above: list[str]) -> bool:
        """Add or stack the ends and one or two fitting layers above; dead ends are not left behind."""
        if not ends:
            return False
        equal = [name for name in above if self.shapes[name] == self.shapes[ends[0]]]
        sized = [name for name in above if self.shapes[name][1:] == self.shapes[ends[0]][1:]]
        addable = len({self.shapes[name] for name in ends}) == 1
        if addable and self.rng.random() < 0.8 and (equal or len(ends) > 1):
            inputs = ends + ([self.rng.choice(equal)] if equal else [])
            return self.add(Add(inputs=tuple(inputs))) is not None
        inputs = ends + ([self.rng.choice(sized)] if sized else [])
        if len(inputs) < 2 or sum(self.shapes[name][0] for name in inputs) > 2 * MOST_CHANNELS:
            if len(ends) < 2:
                return False
            inputs = ends
        if self.rng.random() < 0.5:
            inputs.reverse()
        return self.add(Concat(inputs=tuple(inputs))) is not None


def _arguments(layer: Layer) -> dict[str, Any]:
    return {entry.name: getattr(layer, entry.name) for entry in fields(layer)}


def _input_shape(rng: Random) -> Shape:
    least = 1 if rng.random() < 0.1 else 6
    height = rng.randint(least, LARGEST_SIDE)
    width = height if rng.random() < 0.35 else rng.randint(least, LARGEST_SIDE)
    return (rng.randint(1, 6), height, width)


def _residual(rng: Random, shape: Shape, branches: list[str]) -> Residual | None:
    """A block that fits, with the identity or a shortcut beside it."""
    deeper = [way for way in branches if rng.random() < 0.2]
    inner = _Level(rng, shape, deeper, first_place=0, same=True)
    inner.grow(rng.randint(1, 3))
    activation = _activation(rng)
    if not inner.layers:
        return None
    if inner.shape == shape and rng.random() < 0.6:
        return Residual(tuple(inner.layers), activation=activation)
    shortcut = _shortcut(rng, shape, inner.shape)
    return None if shortcut is None else Residual(tuple(inner.layers), shortcut, activation=activation)


def _shortcut(rng: Random, shape: Shape, wanted: Shape) -> tuple[Layer, ...] | None:
    if len(wanted) == 1:
        return (Dense(wanted[0], None),)
    strides = []
    for before, after in zip(shape[1:], wanted[1:], strict=True):
        fitting = [stride for stride in range(1, before + 1) if -(-before // stride) == after]
        if not fitting:
            return None
        strides.append(fitting[0])
    stride = (strides[0], strides[1])
    norm = rng.choice((None, None, "batch"))
    if stride != (1, 1) and rng.random() < 0.4:
        return (AvgPool2D(stride, ceil_mode=True), Conv2D(wanted[0], 1, activation=None, norm=norm))
    return (Conv2D(wanted[0], 1, stride=stride, activation=None, norm=norm),)


def _dense(rng: Random) -> Dense:
    return Dense(rng.randint(1, MOST_CHANNELS), _activation(rng), bias=rng.random() < 0.8)


def _activation(rng: Random) -> str | None:
    return rng.choice(("relu", "relu", None, rng.choice(ACTIVATIONS)))


def _flat_layer(rng: Random, shape: Shape, same: bool) -> Layer:
    if rng.random() < 0.5:
        return _dense(rng)
    return _pointwise(rng, shape[0], ("BatchNorm", "GroupNorm", "Activation", "LeakyReLU", "Dropout", "Dropout"))


def _pointwise(rng: Random, channels: int, kinds: tuple[str, ...]) -> Layer:
    match rng.choice(kinds):
        case "BatchNorm":
            return _batch_norm(rng)
        case "GroupNorm":
            return _group_norm(rng, channels)
        case "Activation":
            return Activation(rng.choice(ACTIVATIONS))
        case "LeakyReLU":
            return LeakyReLU(rng.choice((0.01, 0.1, 0.3)))
        case "Dropout":
            return Dropout(rng.choice((0.5, 0.1, 0.0)))
        case _:
            return SpatialDropout2D(rng.choice((0.5, 0.2)))


def _batch_norm(rng: Random) -> BatchNorm:
    return (
        BatchNorm() if rng.random() < 0.6 else BatchNorm(momentum=rng.choice((0.1, 0.25)), eps=rng.choice((1e-5, 1e-3)))
    )


def _group_norm(rng: Random, channels: int) -> GroupNorm:
    return GroupNorm(rng.choice(_divisors(channels)), eps=rng.choice((1e-5, 1e-5, 1e-3)))


def _norm(rng: Random, channels: int) -> str | BatchNorm | GroupNorm | None:
    return rng.choice((None, None, None, "batch", _batch_norm(rng), _group_norm(rng, channels)))


def _map_layer(rng: Random, shape: Shape, same: bool) -> Layer:
    draws = (_conv, _conv, _conv, _depthwise, _separable, _transpose, _pool, _pool, _map_pointwise, _map_pointwise)
    resized = () if same else (_upsample, _zero_pad)
    return rng.choice(draws + resized)(rng, shape, same)


def _map_pointwise(rng: Random, shape: Shape, same: bool) -> Layer:
    kinds = ("BatchNorm", "GroupNorm", "Activation", "LeakyReLU", "Dropout", "SpatialDropout2D")
    return _pointwise(rng, shape[0], kinds)


def _upsample(rng: Random, shape: Shape, same: bool) -> Layer:
    return Upsample2D(rng.choice((2, 2, 3, (1, 2), (3, 1))), mode=rng.choice(("nearest", "bilinear")))


def _zero_pad(rng: Random, shape: Shape, same: bool) -> Layer:
    return ZeroPad2D(rng.choice((1, 2, (0, 2), (1, 0), ((0, 1), (0, 1)), ((2, 0), (1, 3)))))


def _pair(rng: Random, least: int, most: int) -> int | tuple[int, int]:
    """One number for both axes, or sometimes two."""
    first = rng.randint(least, most)
    return (first, rng.randint(least, most)) if rng.random() < 0.2 else first


def _convolution(rng: Random, shape: Shape, same: bool) -> dict[str, Any]:
    """Arguments that all convolutions share; they often fit, for small maps get small kernels."""
    side = min(shape[1:])
    padding = "same" if same or side < 3 else rng.choice(("valid", "valid", "same", "same", _pair(rng, 0, 3)))
    kernel = _pair(rng, 1, 7 if padding == "same" else min(7, side))
    return {
        "kernel_size": 3 if padding != "valid" and rng.random() < 0.3 else kernel,
        "stride": rng.choice((1, 1, 1, 2, _pair(rng, 1, 3))),
        "padding": padding,
        "dilation": rng.choice((1, 1, 1, _pair(rng, 1, 3))),
        "bias": rng.random() < 0.8,
        "activation": _activation(rng),
    }


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _conv(rng: Random, shape: Shape, same: bool) -> Layer:
    out = rng.randint(1, MOST_CHANNELS)
    groups = rng.choice((1, 1, rng.choice(_divisors(gcd(out, shape[0])))))
    return Conv2D(out, **_convolution(rng, shape, same), groups=groups, norm=_norm(rng, out))


def _depthwise(rng: Random, shape: Shape, same: bool) -> Layer:
    multiplier = rng.choice((1, 1, 2, 3)) if shape[0] <= MOST_CHANNELS // 2 else 1
    norm = _norm(rng, multiplier * shape[0])
    return DepthwiseConv2D(**_convolution(rng, shape, same), multiplier=multiplier, norm=norm)


def _separable(rng: Random, shape: Shape, same: bool) -> Layer:
    out = rng.randint(1, MOST_CHANNELS)
    return SeparableConv2D(out, **_convolution(rng, shape, same), norm=_norm(rng, out))


def _transpose(rng: Random, shape: Shape, same: bool) -> Layer:
    out = rng.randint(1, MOST_CHANNELS)
    groups = rng.choice((1, rng.choice(_divisors(gcd(out, shape[0])))))
    arguments = _convolution(rng, shape, same)
    if same:
        arguments["stride"] = 1
    stride = arguments["stride"]
    if arguments["padding"] != "same" and rng.random() < 0.5:
        most = stride if isinstance(stride, int) else min(stride)
        arguments["output_padding"] = _pair(rng, 0, most - 1)
    return Conv2DTranspose(out, **arguments, groups=groups, norm=_norm(rng, out))


def _pool(rng: Random, shape: Shape, same: bool) -> Layer:
    kernel = rng.choice((2, 2, 3, _pair(rng, 1, 4)))
    stride = rng.choice((None, None, 1, 2, _pair(rng, 1, 3)))
    if same:
        padding: Any = "same"
    else:
        smallest = kernel if isinstance(kernel, int) else min(kernel)
        padding = rng.choice(("valid", "valid", "same", _pair(rng, 0, smallest // 2)))
    kind = rng.choice((MaxPool2D, MaxPool2D, AvgPool2D))
    return kind(kernel, stride, padding=padding, ceil_mode=rng.random() < 0.25)
