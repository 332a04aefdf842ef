"""What is declared, and the shapes of the data -> a network with its first weights."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import DepthwiseError
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import Layer
from depthwise.layers.ops import GlobalPool, Pad, Upsample, Window
from depthwise.modules import build, initialize_weights
from depthwise.rules import Findings, check_graph, check_training
from depthwise.training.inputs import needs_input_shape
from depthwise.training.output import check_module_output, with_logits
from depthwise.training.randomness import Seeds

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


@dataclass(frozen=True)
class NewNetwork:
    """A network, and what is known of it.

    Attributes
    ----------
    module
        On the processor, in the memory layout that convolutions are fastest in.
    declared
        Its layers, the input written out; ``None`` for a module of the user's.
    graph
        Its operations with their sizes; ``None`` for a module.
    analysis
        What can be told without running it; ``None`` for a module that cannot be read.
    n_outputs
        Width of its output; ``None`` for a module whose images have no shape yet.
    """

    module: nn.Module
    declared: tuple[Layer, ...] | None
    graph: SizedGraph | None
    analysis: Analysis | None
    n_outputs: int | None

    @classmethod
    def of_graph(cls, module: nn.Module, declared: tuple[Layer, ...], graph: SizedGraph) -> NewNetwork:
        """The network of a graph."""
        width = prod(map(int, graph.output_shape))  # type: ignore[arg-type]
        return cls(_channels_last(module), declared, graph, analyze_graph(graph), width)


def make_network(
    net: NeuralNet, declared: tuple[Layer, ...] | None, input_shape: tuple[int, ...] | None, n_outputs: int | None
) -> NewNetwork:
    """Make the network of an estimator; without declared layers it is a copy of its module.

    Parameters
    ----------
    net
        With its seed.
    declared
        Its layers, the input written out, or ``None``.
    input_shape
        Of one image, where it is known.
    n_outputs
        Number of classes or targets, where it is known.
    """
    if declared is None:
        module: nn.Module = copy.deepcopy(net.layers)
        if input_shape is None:
            return NewNetwork(_channels_last(module), None, None, None, None)
        width = check_module_output(module, input_shape, n_outputs, net.outputs_are)
        return NewNetwork(_channels_last(module), None, None, _read_module(module, input_shape), width)
    graph = Graph.from_layers(declared)
    _demand_images(graph, input_shape)
    sized = with_logits(graph, input_shape, n_outputs, net.outputs_are)
    network = build(sized)
    initialize_weights(network, net.init, Seeds(net.seed_).weights)
    return NewNetwork.of_graph(network, declared, sized)


def check_network(net: NeuralNet) -> Findings:
    """What the rules say of a network at its image size, if it can be read, and of its training."""
    health = getattr(net, "health_", None)
    if net.analysis_ is None:
        return Findings(()) if health is None else check_training(health)
    graph = net.analysis_.graph
    declared = graph.declared or Graph(tuple(node.node for node in graph.nodes))
    own = {} if net.graph_ else {"root": "model", "modules": frozenset(dict(net.module_.named_modules()))}
    return check_graph(declared, graph.input_shape, health=health, **own)  # type: ignore[arg-type]  # known sides


def declared_shape(declared: tuple[Layer, ...] | None) -> tuple[int, ...] | None:
    """Shape that an ``Input`` declares, if any."""
    return None if declared is None else getattr(declared[0], "shape", None)


def _read_module(module: nn.Module, input_shape: tuple[int, ...]) -> Analysis | None:
    """What can be told of a module without running it, if it can be read."""
    from depthwise.trace import trace_module

    try:
        return analyze_graph(trace_module(module, input_shape).at())
    except DepthwiseError:
        return None


def _demand_images(graph: Graph, input_shape: tuple[int, ...] | None) -> None:
    if input_shape is not None and len(input_shape) == 1:
        for node in graph.nodes:
            if isinstance(node.op, (Window, Pad, Upsample, GlobalPool)):
                raise needs_input_shape(input_shape[0], node.layer)


def _channels_last(module: Any) -> nn.Module:
    if any(parameter.ndim == 5 for parameter in module.parameters()):
        return module  # kernels of 3-D convolutions have another layout
    return module.to(memory_format=torch.channels_last)
