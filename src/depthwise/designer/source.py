"""A network as the source of a plain ``torch.nn.Module``, which runs without depthwise."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import groupby

from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.layer import Pair
from depthwise.layers.ops import (
    Activation,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Input,
    Merge,
    Norm,
    Op,
    Pool,
    Sides,
    Size,
    format_shape,
)

LINE = 100
"""Columns; a row of modules that is longer is broken up."""

EPS, MOMENTUM = 1e-5, 0.1
"""What PyTorch's norms have where nothing else is said."""

HEAD = '''"""{title}.

For images of {shape}, channels first; made with depthwise, needs PyTorch alone.
"""

import torch
from torch import nn

'''

RESIDUAL = '''
class Residual(nn.Module):
    """The sum of what went in and what the layers make of it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.relu(maps + self.layers(maps))

'''

NETWORK = '''
class Network(nn.Module):
    """Logits of a batch of images."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
{lines}
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)
'''


def write_source(graph: SizedGraph, title: str) -> str:
    """Source of a design's network.

    Parameters
    ----------
    graph
        Of a list of convolutions, max pools, residual blocks without a shortcut of their own, global average pooling
        and an output: what the designer makes.
    title
        What the file says that it is.
    """
    lines, blocks = [], False
    for name, group in groupby(graph.nodes[1:], key=lambda node: node.name.partition(".")[0]):
        nodes = list(group)
        if any(isinstance(node.op, Merge) for node in nodes):
            blocks = True
            inner = groupby((node for node in nodes if node.node.layer != name), key=lambda node: node.node.layer)
            within = [line for _, row in inner for line in _row(list(row), 16)]
            lines += [f"{' ' * 12}Residual(", *within, f"{' ' * 12}),"]
        else:
            lines += _row(nodes, 12)
    head = HEAD.format(title=title, shape=format_shape(graph.input_shape))
    return head + RESIDUAL * blocks + NETWORK.format(lines="\n".join(lines))


def _row(nodes: list[SizedNode], indent: int) -> list[str]:
    """The modules of one layer, on one line where they fit."""
    modules = [module for node in nodes for module in _modules(node.op)]
    line = f"{' ' * indent}{', '.join(modules)},"
    return [line] if len(line) <= LINE else [f"{' ' * indent}{module}," for module in modules]


def _modules(op: Op) -> Iterator[str]:
    match op:
        case Conv():
            padding = yield from _padding(op.sides)
            options = {
                "stride": _pair(op.stride), "padding": padding, "groups": str(op.groups), "bias": str(op.bias),
            }  # fmt: skip
            usual = {"stride": "1", "padding": "0", "groups": "1", "bias": "True"}
            told = [f"{name}={value}" for name, value in options.items() if value != usual[name]]
            head = [str(op.in_channels), str(op.out_channels), _pair(op.kernel_size)]
            yield f"nn.Conv2d({', '.join([*head, *told])})"
        case Norm(function="batch"):
            told = [f"eps={op.eps}"] * (op.eps != EPS) + [f"momentum={op.momentum}"] * (op.momentum != MOMENTUM)
            yield f"nn.BatchNorm2d({', '.join([str(op.num_features), *told])})"
        case Norm():
            told = [f"eps={op.eps}"] * (op.eps != EPS)
            yield f"nn.GroupNorm({', '.join([str(op.groups), str(op.num_features), *told])})"
        case Activation():
            yield "nn.ReLU()"
        case Pool():
            yield f"nn.MaxPool2d({_pair(op.kernel_size)})"
        case GlobalPool():
            yield "nn.AdaptiveAvgPool2d(1)"
            yield "nn.Flatten()"
        case Dense():
            yield f"nn.Linear({op.in_features}, {op.out_features})"
        case _:
            assert isinstance(op, (Flatten, Input)), op


def _padding(sides: Sides) -> Generator[str, None, str]:
    """A module for padding that differs from side to side, which convolutions of PyTorch do not have."""
    if any(before != after for before, after in sides):
        yield f"nn.ZeroPad2d({tuple(side for pair in reversed(sides) for side in pair)})"
        return "0"
    return _pair(tuple(before for before, _ in sides))


def _pair(value: Size | Pair) -> str:
    return str(value[0]) if isinstance(value, tuple) and len(set(value)) == 1 else str(value)
