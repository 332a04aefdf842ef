"""First weights of a network."""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
from torch import nn

from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers import ops
from depthwise.modules.network import Network

Init = Literal["he", "glorot", "torch"]

PASSING = (ops.Norm, ops.Dropout, ops.Pool, ops.GlobalPool, ops.Pad, ops.Upsample, ops.Flatten)
"""Operations that may stand between weights and the activation they are drawn for."""


def initialize_weights(network: Network, init: Init, seed: int) -> None:
    """Draw new weights, from a generator of their own.

    ``"he"``: normal, variance gain² / fan_in, where the gain is that of the layer's activation; a layer without
    activation as in ``"glorot"``.  ``"glorot"``: uniform, variance 2 / (fan_in + fan_out).  Biases are zero.
    ``"torch"``: whatever PyTorch does.

    Parameters
    ----------
    network
        Made by :func:`build`.
    init
        ``"he"``, ``"glorot"`` or ``"torch"``.
    seed
        Equal seeds give equal weights.

    References
    ----------
    He et al.: Delving Deep into Rectifiers, ICCV 2015.  Glorot and Bengio: Understanding the Difficulty of Training
    Deep Feedforward Neural Networks, AISTATS 2010.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Dense
    >>> from depthwise.modules import build
    >>> network = build(Graph.from_layers([Dense(1000)]).at((200,)))
    >>> initialize_weights(network, "he", seed=0)
    >>> round(network.dense1.weight.std().item(), 3)  # sqrt(2 / 200)
    0.1
    """
    if init == "torch":
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            for child in network.modules():
                if isinstance(child, (nn.modules.conv._ConvNd, nn.Linear)):
                    child.reset_parameters()
        return
    generator = torch.Generator().manual_seed(seed)
    activations = _activations(network.sized)
    for node in network.sized.nodes:
        if not isinstance(node.op, (ops.Conv, ops.Dense)):
            continue
        module: Any = network.get_submodule(node.name)
        fan_in, fan_out = _fans(node.op)
        gain = _gain(activations[node.name]) if init == "he" else None
        if gain is None:
            bound = math.sqrt(6 / (fan_in + fan_out))
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        else:
            nn.init.normal_(module.weight, 0.0, gain / math.sqrt(fan_in), generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _fans(op: ops.Conv | ops.Dense) -> tuple[float, float]:
    """How many values an output is a sum of, and how many outputs a value goes into, on the average."""
    if isinstance(op, ops.Dense):
        return float(cast(int, op.in_features)), float(cast(int, op.out_features))
    taps, steps, groups = math.prod(op.kernel_size), math.prod(op.stride), cast(int, op.groups)
    into, out_of = cast(int, op.in_channels) // groups * taps, cast(int, op.out_channels) // groups * taps
    # A strided convolution reads each value less often; a transposed one fills its stride with zeros.
    if isinstance(op, ops.ConvTranspose):
        return max(into / steps, 1.0), float(out_of)
    return float(into), max(out_of / steps, 1.0)


def _activations(sized: SizedGraph) -> dict[str, ops.Activation | None]:
    """The activation that each node's values go into, if no other weights or sums come first."""
    readers: dict[str, SizedNode] = {}
    for node in sized.nodes:
        for name in node.node.inputs:
            readers.setdefault(name, node)
    found: dict[str, ops.Activation | None] = {}
    for node in reversed(sized.nodes):
        reader = readers.get(node.name)
        match reader.op if reader else None:
            case ops.Activation() as activation:
                found[node.name] = activation
            case op if isinstance(op, PASSING):
                found[node.name] = found[reader.name] if reader else None
            case _:
                found[node.name] = None
    return found


def _gain(activation: ops.Activation | None) -> float | None:
    """Factor that keeps the variance of a layer's outputs through its activation; ``None`` asks for Glorot."""
    match activation:
        case None | ops.Activation(function="softmax" | "log_softmax"):
            return None
        case ops.Activation(function="leaky_relu", slope=slope):
            return nn.init.calculate_gain("leaky_relu", slope)
        case ops.Activation(function="tanh" | "sigmoid" as function):
            return nn.init.calculate_gain(function)
        case ops.Activation(function="selu"):
            return 1.0  # Klambauer et al.: Self-Normalizing Neural Networks, NeurIPS 2017
    return nn.init.calculate_gain("relu")
