"""Which layers of a network are watched in training, and where."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from depthwise.graph import SizedNode
from depthwise.layers.ops import Activation, Conv, Dense, Norm
from depthwise.modules import Network

BY_LAST_AXIS = (nn.Linear, nn.LayerNorm)
"""Their units lie along the last axis also where there are more than two."""
ACTIVATIONS = nn.ReLU.__module__
"""Where PyTorch keeps its activations."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A layer with weights or an activation.

    Attributes
    ----------
    name
        Of the declared layer, or path of the submodule.
    reads
        The part whose input is what the layer learns from; ``None`` without weights.
    gives
        The part whose output is that of the layer, behind norm and activation.
    weights
        Kernels and matrices, without biases and norms.
    normed
        Whether a norm stands in the layer, or right behind it.
    """

    name: str
    reads: nn.Module | None
    gives: nn.Module
    weights: tuple[nn.Parameter, ...] = ()
    normed: bool = False

    @property
    def by_last_axis(self) -> bool:
        """Whether units lie along the last axis of the output, and not along the second."""
        return isinstance(self.gives, BY_LAST_AXIS)


def watched_layers(module: nn.Module) -> list[Watched]:
    """Layers with weights or an activation, in order.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> [(each.name, each.normed) for each in watched_layers(net)]
    [('0', True), ('2', False), ('4', False)]
    """
    return _of_network(module) if isinstance(module, Network) else _of_module(module)


def batch_norms(module: nn.Module) -> tuple[str, ...]:
    """Layers that normalize over a batch.

    >>> batch_norms(nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)))
    ('1',)
    """
    if isinstance(module, Network):
        norms = [node for node in module.sized.nodes if isinstance(node.op, Norm) and node.op.function == "batch"]
        return tuple(dict.fromkeys(node.node.layer for node in norms))
    return tuple(path for path, part in module.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm))


def _of_network(network: Network) -> list[Watched]:
    layers: dict[str, list[SizedNode]] = {}
    for node in network.sized.nodes[1:]:
        layers.setdefault(node.node.layer, []).append(node)
    owners = {node.name: layer for layer, nodes in layers.items() for node in nodes}
    normed = {layer for layer, nodes in layers.items() if any(isinstance(node.op, Norm) for node in nodes)}
    normed |= {owners[name] for layer in normed for name in layers[layer][0].node.inputs if name in owners}
    found = []
    for layer, nodes in layers.items():
        weighted = [network.get_submodule(node.name) for node in nodes if isinstance(node.op, (Conv, Dense))]
        if not weighted and not any(isinstance(node.op, Activation) for node in nodes):
            continue
        weights = tuple(weight for part in weighted for weight in _weights(part))
        gives = network.get_submodule(nodes[-1].name)
        found.append(Watched(layer, weighted[0] if weighted else None, gives, weights, layer in normed))
    return found


def _of_module(module: nn.Module) -> list[Watched]:
    leaves = [(path, part) for path, part in module.named_modules() if next(part.children(), None) is None]
    found = []
    for place, (path, part) in enumerate(leaves):
        weights = _weights(part)
        if not weights and type(part).__module__ != ACTIVATIONS:
            continue
        behind = leaves[place + 1][1] if place + 1 < len(leaves) else None
        name = path or type(module).__name__
        found.append(Watched(name, part if weights else None, part, weights, "Norm" in type(behind).__name__))
    return found


def _weights(part: nn.Module) -> tuple[nn.Parameter, ...]:
    return tuple(weight for weight in part.parameters(recurse=False) if weight.ndim > 1)
