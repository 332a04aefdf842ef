"""What a stage is made of: its layers, and what they add to the costs of a network.

Nothing is counted here: a piece costs what it adds to the analysis of a network that it is put into.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from operator import add, sub

from depthwise.analysis import analyze_graph
from depthwise.designer.problem import Problem, width_at
from depthwise.designer.states import Halving, State, Step, map_size
from depthwise.graph import Graph
from depthwise.layers import Conv2D, GlobalAvgPool2D, Layer, MaxPool2D, Output, Residual, SeparableConv2D
from depthwise.layers.layer import Pair
from depthwise.layers.ops import Size

Costs = tuple[int, ...]
"""One number for each name in ``problem.costs``."""


def added(costs: Costs, more: Costs) -> Costs:
    """Costs of both together."""
    return tuple(map(add, costs, more))


@dataclass
class Pieces:
    """Layers and prices of the pieces of a problem's networks."""

    problem: Problem
    _layers: dict[tuple[Halving | None, int, int], tuple[Layer, ...]] = field(default_factory=dict)
    _prices: dict[tuple[object, ...], Costs] = field(default_factory=dict)

    def stem(self, width: int) -> tuple[Layer, ...]:
        """The first convolution: a full one in every block, since a depthwise filter of one color sees little.

        As in Howard et al.: MobileNets, 2017.
        """
        return (self._conv(Conv2D, width),)

    def layers(self, halving: Halving | None, before: int, width: int) -> tuple[Layer, ...]:
        """Layers of a step, from `before` channels to `width`."""
        key = (halving, before, width)
        if key not in self._layers:
            self._layers[key] = self._unit(width) if halving is None else self._opening(halving, width)
        return self._layers[key]

    def head(self) -> tuple[Layer, ...]:
        """Global average pooling and the output."""
        return GlobalAvgPool2D(), Output(self.problem.n_classes)

    def _unit(self, width: int) -> tuple[Layer, ...]:
        if self.problem.block == "residual":
            return (Residual((self._conv(Conv2D, width), self._conv(Conv2D, width, activation=None))),)
        return (self._conv(self._kind, width),)

    def _opening(self, halving: Halving, width: int) -> tuple[Layer, ...]:
        halved = tuple(2 if halving[place] else 1 for place in self.problem.places)
        sides: Pair = halved[0] if halved[0] == halved[1] else (halved[0], halved[1])
        if self.problem.downsampling == "stride":
            return (self._conv(self._kind, width, stride=sides),)
        return MaxPool2D(sides), self._conv(self._kind, width)

    @property
    def _kind(self) -> type[Conv2D] | type[SeparableConv2D]:
        return SeparableConv2D if self.problem.block == "separable" else Conv2D

    def _conv(
        self, kind: type[Conv2D] | type[SeparableConv2D], width: int, stride: Pair = 1, activation: str | None = "relu"
    ) -> Layer:
        problem = self.problem
        return kind(
            width,
            (problem.kernel[0], problem.kernel[1]),
            stride=stride,
            padding=problem.padding,
            activation=activation,
            norm=problem.norm,
            bias=problem.norm is None,  # a norm has a shift of its own
        )

    def stem_price(self, width: int) -> Costs:
        """Costs of the first convolution."""
        return self._costs(self.stem(width), self.problem.input_shape)

    def price(self, state: State, step: Step, first: int) -> Costs:
        """What a step adds, in a network whose first width is `first`."""
        before, width = width_at(first, state.stage), width_at(first, step.to.stage)
        size = map_size(self.problem, state)
        key = (step.halving, before, width, size)
        if key not in self._prices:
            self._prices[key] = self._added(self.layers(step.halving, before, width), before, size)
        return self._prices[key]

    def head_price(self, state: State, first: int) -> Costs:
        """What the head adds behind a state."""
        width, size = width_at(first, state.stage), map_size(self.problem, state)
        key = ("head", width, size)
        if key not in self._prices:
            self._prices[key] = self._added(self.head(), width, size)
        return self._prices[key]

    def _added(self, layers: tuple[Layer, ...], channels: int, size: Size) -> Costs:
        """Costs behind a layer that keeps its result for learning, as all in front of a piece do, less the layer's."""
        front = Conv2D(channels, 1)
        shape = (channels, *size)
        key = ("front", shape)
        if key not in self._prices:
            self._prices[key] = self._costs((front,), shape)
        return tuple(map(sub, self._costs((front, *layers), shape), self._prices[key]))

    def _costs(self, layers: tuple[Layer, ...], shape: tuple[int, ...]) -> Costs:
        return _measure(layers, shape, self.problem.costs, self.problem.budget.batch_size)


@lru_cache(maxsize=1 << 14)
def _measure(layers: tuple[Layer, ...], shape: tuple[int, ...], names: tuple[str, ...], batch_size: int) -> Costs:
    """Costs of a small network; the next problem has most of its pieces from the one before."""
    analysis = analyze_graph(Graph.from_layers(layers).at(shape))
    return tuple(
        analysis.memory(batch_size).training if name == "training_memory" else getattr(analysis, name) for name in names
    )
