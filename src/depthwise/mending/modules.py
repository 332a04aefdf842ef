"""Changes of a traced graph, made on a copy of the module, and proven by tracing the copy again."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from depthwise.errors import DepthwiseError, RuleError
from depthwise.graph import Change, Edit, Graph, Insert, Remove, SizedGraph
from depthwise.layers.ops import Activation, Conv, Dense, Dropout, Norm, Pool
from depthwise.trace import trace_module

COMPARED = (Conv, Dense, Pool, Norm, Activation, Dropout)
"""Operations that the copy must do as planned; views and merges follow from them."""


def change_module(module: nn.Module, changes: Iterable[Change], input_shape: Iterable[int] | None) -> nn.Module:
    """Deep copy of a module with changes made, where they are settings of its submodules.

    Parameters
    ----------
    module
        Stays as it is.
    changes
        Of its traced graph.  Submodules taken out become ``nn.Identity()``; a first kernel made smaller keeps the
        middle of its weights; a linear layer that gets another number of inputs or outputs is made anew.
    input_shape
        Shape of one image, for tracing the copy.

    Raises
    ------
    RuleError
        A change concerns a function that ``forward`` calls, or the copy does not do what was planned.
    """
    if input_shape is None:
        raise RuleError("a module is traced again when it was changed. Give input_shape=(channels, height, width).")
    shape, listed = tuple(input_shape), tuple(changes)
    graph = trace_module(module, shape)
    planned = _plan(graph, listed)
    copy = deepcopy(module)
    for change in listed:
        match change:
            case Edit():
                _set(copy, graph, change)
            case Insert():
                raise RuleError(
                    f"nothing can be put behind {change.after!r} of a module: its forward decides what follows. "
                    "Make the change in the class."
                )
    _take_out(copy, graph, {change.node for change in listed if isinstance(change, Remove)})
    _adapt(copy, planned)
    _prove(copy, shape, planned)
    return copy


def _plan(graph: Graph, changes: tuple[Change, ...]) -> SizedGraph:
    """The edited graph with sizes; linear layers take what they get."""
    loose = [Edit(node.name, "in_features", None) for node in graph.nodes if isinstance(node.op, Dense)]
    return graph.edit([*loose, *changes]).at()


def _submodule(copy: nn.Module, node: str) -> nn.Module:
    try:
        return copy.get_submodule(node.partition("#")[0])
    except AttributeError:
        raise RuleError(
            f"{node!r} is a function that forward calls, no submodule. Make the change in the class."
        ) from None


def _replace(copy: nn.Module, path: str, new: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(copy.get_submodule(parent), name, new)


def _set(copy: nn.Module, graph: Graph, edit: Edit) -> None:
    part: Any = _submodule(copy, edit.node)
    value: Any = edit.value
    if edit.attribute == "bias" and value is False:
        _drop_bias(copy, graph, edit.node, part)
    elif edit.attribute == "kernel_size" and isinstance(part, nn.modules.conv._ConvNd):
        _shrink_kernel(part, value)
    elif edit.attribute == "padding" and not isinstance(value, str):
        if any(before != after for before, after in value):
            raise RuleError(
                f"{edit.node!r} cannot pad {value}: both sides must be equal. Make the change in the class."
            )
        part.padding = tuple(before for before, _ in value)
    elif edit.attribute in ("out_features", "out_channels"):
        _widen(copy, edit.node, part, value)
    elif hasattr(part, edit.attribute):
        setattr(part, edit.attribute, value)
    else:
        raise RuleError(
            f"{edit.node!r} ({type(part).__name__}) has no {edit.attribute!r}. Make the change in the class."
        )


def _drop_bias(copy: nn.Module, graph: Graph, name: str, part: Any) -> None:
    """Leave the bias out; what the norm behind it has learned to subtract shrinks by it, so that nothing changes."""
    reader = next((node for node in graph.nodes if name in node.inputs and isinstance(node.op, Norm)), None)
    norm: Any = _submodule(copy, reader.name) if reader is not None else None
    with torch.no_grad():
        if norm is not None and getattr(norm, "running_mean", None) is not None and part.bias is not None:
            norm.running_mean -= part.bias
    part.bias = None


def _shrink_kernel(part: Any, kernel: tuple[int, ...]) -> None:
    """The middle of the old weights, which saw the same place."""
    old = part.weight.data
    starts = [(was - now) // 2 for was, now in zip(old.shape[2:], kernel, strict=True)]
    if min(starts) < 0:
        raise RuleError(f"weights cannot grow from {tuple(old.shape[2:])} to {kernel}. Make the change in the class.")
    middle = tuple(slice(start, start + now) for start, now in zip(starts, kernel, strict=True))
    part.weight = nn.Parameter(old[(slice(None), slice(None), *middle)].clone())
    part.kernel_size = kernel


def _widen(copy: nn.Module, name: str, part: Any, width: int) -> None:
    if not isinstance(part, nn.Linear):
        raise RuleError(f"{name!r} ({type(part).__name__}) is not made wider in place. Make the change in the class.")
    _replace(copy, name, _linear_like(part, part.in_features, width))


def _linear_like(part: nn.Linear, inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, part.bias is not None, part.weight.device, part.weight.dtype)


def _take_out(copy: nn.Module, graph: Graph, gone: set[str]) -> None:
    """Identities in place of the submodules of which every operation is taken out.

    The innermost first: a forward may call a part of a submodule by itself, as our own networks do.
    """
    paths = {name for name, _ in copy.named_modules() if name}
    owners = {path: {node.name for node in graph.nodes if f"{node.name}.".startswith(f"{path}.")} for path in paths}
    left = set(gone)
    for path in sorted(paths, key=lambda path: path.count("."), reverse=True):
        inside = owners[path]
        if inside and inside <= gone:
            _replace(copy, path, nn.Identity())
            left -= inside
    if left:
        raise RuleError(
            f"{sorted(left)[0]!r} is a function that forward calls, no submodule. Make the change in the class."
        )


def _adapt(copy: nn.Module, planned: SizedGraph) -> None:
    """Linear layers whose number of inputs has changed, made anew."""
    for node in planned.nodes:
        if not isinstance(node.op, Dense):
            continue
        part = _submodule(copy, node.name)
        if isinstance(part, nn.Linear) and node.op.in_features not in (None, part.in_features):
            _replace(copy, node.name, _linear_like(part, node.op.in_features or 0, part.out_features))


def _prove(copy: nn.Module, shape: tuple[int, ...], planned: SizedGraph) -> None:
    try:
        found = trace_module(copy, shape).at()
    except DepthwiseError as problem:
        raise RuleError(f"the changed module cannot be traced: {problem} Make the change in the class.") from None
    done, wanted = ([(type(node.op), node.output_shape) for node in graph.nodes if isinstance(node.op, COMPARED)]
                    for graph in (found, planned))  # fmt: skip
    if done != wanted:
        raise RuleError("the changed module does not do what was planned. Make the change in the class.")
