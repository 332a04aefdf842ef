"""Which layer is meant, and which of them maps a class best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from depthwise.errors import TargetError, did_you_mean
from depthwise.inspection.running import run_module
from depthwise.modules import Network

CLOSEST = 3
"""Names that an error suggests at most."""
LISTED = 20
"""Names that an error lists at most: large modules have hundreds."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Chosen:
    """A layer and the submodule whose output is that of the layer.

    Attributes
    ----------
    name
        Declared layer, or path of the submodule.
    part
        Submodule that ends it: its activation, where it has one.
    """

    name: str
    part: nn.Module


def find_layer(module: nn.Module, layer: object) -> Chosen:
    """Layer by name, index, entry of ``net.layers_``, or submodule.

    A name is first that of a declared layer, whose output is behind its norm and activation, then the path of a
    submodule.  An index counts as ``net.layers_`` does, the input first, or else the module's own children.

    Raises
    ------
    TargetError
        There is no such layer.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())
    >>> find_layer(net, "1").part, find_layer(net, -2).name
    (ReLU(), '0')
    >>> find_layer(net, "2")
    Traceback (most recent call last):
    depthwise.errors.TargetError: there is no layer '2'. There are: 0, 1.
    """
    paths = {path: part for path, part in module.named_modules() if path}
    if isinstance(layer, nn.Module):
        if layer is module:
            return Chosen("output", module)
        for path, part in paths.items():
            if part is layer:
                return Chosen(path, part)
        raise TargetError(f"the {type(layer).__name__} is no part of the network. Give one of its own layers.")
    declared = _declared(module)
    names = [name for name in declared or [path for path, _ in module.named_children()] if "." not in name]
    if isinstance(layer, int) and not isinstance(layer, bool):
        if not -len(names) <= layer < len(names):
            raise TargetError(f"there is no layer {layer}: the network has {len(names)}. There are: {_listed(names)}.")
        layer = names[layer]
    name: Any = getattr(layer, "name", layer)
    if name in declared:
        return Chosen(name, paths[declared[name]])
    if name in paths:
        return Chosen(name, paths[name])
    meant = did_you_mean(name, declared or paths, CLOSEST)
    raise TargetError(f"there is no layer {name!r}.{meant} There are: {_listed(names)}.")


def find_last_map(module: nn.Module, images: Tensor) -> Chosen:
    """The last convolution that runs, with all that follows it on maps of the same size.

    Raises
    ------
    TargetError
        The network has no convolution.
    """
    outputs: list[tuple[str, tuple[int, ...], bool]] = []
    paths = {part: path for part, path in hookable(module).items() if path}

    def note(part: nn.Module, _: object, output: object) -> None:
        shape = tuple(output.shape) if isinstance(output, Tensor) else ()
        outputs.append((paths[part], shape, isinstance(part, CONVOLUTIONS)))

    with hooked(paths, note), torch.no_grad():
        run_module(module, images)
    last = max((place for place, (*_, convolves) in enumerate(outputs) if convolves), default=None)
    if last is None:
        raise TargetError("the network has no convolution, hence no maps of classes. Look at its saliency instead.")
    name, shape, _ = outputs[last]
    for path, other, _ in outputs[last + 1 :]:
        if other != shape:
            break
        name = path
    declared = {node: layer for layer, node in _declared(module).items()}
    return Chosen(declared.get(name, name), module.get_submodule(name))


def find_first_map(module: nn.Module) -> Chosen:
    """The first convolution, as declared layer where there is one.

    Raises
    ------
    TargetError
        The network has no convolution.
    """
    for path, part in module.named_modules():
        if isinstance(part, CONVOLUTIONS):
            return find_layer(module, _owner(module, path))
    raise TargetError("the network has no convolution, hence no maps to show. Name a layer.")


def hookable(module: nn.Module) -> dict[nn.Module, str]:
    """The module and its parts, with their paths; not those of a script, which tell nobody when they run."""
    return {part: path for path, part in module.named_modules() if not isinstance(part, torch.jit.ScriptModule)}


@contextmanager
def hooked(parts: Any, hook: Any) -> Iterator[None]:
    """Have a forward hook on each part, for a while.

    Raises
    ------
    TargetError
        One of them is a script.
    """
    parts = list(parts)
    for part in parts:
        if isinstance(part, torch.jit.ScriptModule):
            name = getattr(part, "original_name", type(part).__name__)
            raise TargetError(
                f"the layer {name} is a TorchScript, which cannot be looked into. Name another, or give "
                "the module that it was made of."
            )
    handles = [part.register_forward_hook(hook) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _declared(module: nn.Module) -> dict[str, str]:
    """Path of the node that ends each declared layer; nothing of a module that was not built from layers."""
    return {node.node.layer: node.name for node in module.sized.nodes} if isinstance(module, Network) else {}


def _owner(module: nn.Module, path: str) -> object:
    if isinstance(module, Network):
        return next(node.node.layer for node in module.sized.nodes if node.name == path)
    return path or module


def _listed(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
