"""The network: operations of a graph as submodules, run in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from depthwise.errors import GraphError
from depthwise.graph import SizedGraph
from depthwise.modules.making import make_module
from depthwise.modules.parts import Standardize


def build(sized: SizedGraph, *, gemm: bool = True) -> Network:
    """Make the module of a graph, with PyTorch's default weights.

    Parameters
    ----------
    sized
        ``graph.at(input_shape)``.
    gemm
        Whether large convolutions on tiny maps are computed as one product of matrices, which is faster on processors.

    Raises
    ------
    GraphError
        The width of an output is unknown, or a name cannot be that of a submodule.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D, Output
    >>> network = build(Graph.from_layers([Conv2D(8, norm="batch"), MaxPool2D(), Output(10)]).at((1, 28, 28)))
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> [name for name, _ in network.named_parameters()]
    ['conv2d1.weight', 'conv2d1.bias', 'conv2d1.norm.weight', 'conv2d1.norm.bias', 'output3.weight', 'output3.bias']
    """
    # PyTorch's layers draw their first weights from the global generator, which is not ours to move on.
    with torch.random.fork_rng(devices=[]):
        return Network(sized, gemm=gemm)


class Network(nn.Module):
    """The operations of a graph, run in order.

    Every node is a submodule at its path: ``network.conv2d1``, ``network.conv2d1.norm``.

    Parameters
    ----------
    sized
        Operations and their sizes; kept as ``network.sized``.
    gemm
        As in :func:`build`.
    """

    def __init__(self, sized: SizedGraph, *, gemm: bool = True) -> None:
        super().__init__()
        self.sized = sized
        modules = {node.name: make_module(node, gemm=gemm) for node in sized.nodes}
        self._plan = plan_steps(sized, [_attach(self, name, modules) for name in modules])

    def forward(self, images: Tensor, record: dict[str, Tensor] | None = None) -> Tensor:
        """Output for a batch of images.

        Parameters
        ----------
        images
            Shape ``(n_images, channels, height, width)`` or ``(n_images, features)``; uint8 or float.
        record
            A dictionary that is filled with the output of every node, by name.
        """
        values: list[Tensor | None] = [None] * len(self._plan)
        value = images
        for place, step in enumerate(self._plan):
            inputs = [values[source] for source in step.sources] or [images]
            value = step.siblings[step.name](*inputs)
            values[place] = value
            if record is not None:
                record[step.path] = value
            for source in step.last_uses:
                values[source] = None
        return value

    @property
    def parts(self) -> list[nn.Module]:
        """The modules that run, node by node."""
        return [step.siblings[step.name] for step in self._plan]

    @property
    def input(self) -> Standardize:
        """The node that standardizes the images."""
        return cast(Standardize, self.parts[0])


@dataclass(frozen=True)
class _Step:
    """One node of the plan; its module is looked up among its siblings, so that a submodule can be replaced."""

    siblings: dict[str, nn.Module]
    name: str
    path: str
    sources: tuple[int, ...]
    last_uses: tuple[int, ...]


def plan_steps(sized: SizedGraph, homes: Sequence[tuple[dict[str, nn.Module], str]]) -> list[_Step]:
    """Nodes in order; `homes` are the siblings and the name of each one's module."""
    places = {node.name: place for place, node in enumerate(sized.nodes)}
    sources = [tuple(places[name] for name in node.node.inputs) for node in sized.nodes]
    last = {source: reader for reader, read in enumerate(sources) for source in read}
    return [
        _Step(siblings, name, node.name, read, tuple(source for source in dict.fromkeys(read) if last[source] == place))
        for place, (node, (siblings, name), read) in enumerate(zip(sized.nodes, homes, sources, strict=True))
    ]


def _attach(root: nn.Module, path: str, modules: dict[str, nn.Module]) -> tuple[dict[str, nn.Module], str]:
    """Put a node's module at its path, below containers or the modules of other nodes; tell its place."""
    owner, parts = root, path.split(".")
    for depth, part in enumerate(parts):
        siblings = cast("dict[str, nn.Module]", owner._modules)
        if part not in siblings:
            if hasattr(owner, part):
                raise GraphError(f"layer {path!r}: PyTorch modules have an attribute {part!r}. Choose another name=.")
            above = ".".join(parts[: depth + 1])
            owner.add_module(part, modules[above] if above in modules else nn.Module())
        owner = siblings[part]
    return siblings, parts[-1]
