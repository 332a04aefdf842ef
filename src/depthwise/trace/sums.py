"""Rules for functions that sum over more than a window: dense layers, products, attention, statistics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import torch

from depthwise.errors import SizeError
from depthwise.layers.mixing import Attention, Matmul, Opaque, Reshape
from depthwise.layers.ops import Dense, Flatten, GlobalPool
from depthwise.layers.resampling import AdaptivePool, PixelUnshuffle, Reduce, Select
from depthwise.trace.layout import (
    CHANNEL,
    POSITION,
    Atom,
    Dims,
    Indices,
    Traced,
    atoms_of,
    broadcast,
    channels,
    graph_shape,
    has_duplicates,
    is_position,
    tensor_shape,
)
from depthwise.trace.pointwise import arithmetic
from depthwise.trace.recorder import Recorder


def _linear(recorder: Recorder, input: Any, weight: Any, bias: Any = None) -> Any:
    source = recorder.traced(input)
    if source is None or recorder.traced(weight) is not None:
        return NotImplemented
    last = source.dims[-1]
    inner = [atom for atom in last if is_position(atom)]
    if inner:
        if not any(is_position(atom) and atom.size > 1 for dim in source.dims[:-1] for atom in dim):
            source = flattened(recorder, source)
        elif all(isinstance(atom.label, int) and atom.below == 1 for atom in inner) and _has_outer(source, inner):
            source = _as_blocks(recorder, source, inner)
        else:
            return _over_positions(recorder, source, weight, bias)
    out_features, in_features = weight.shape[0], weight.shape[-1]
    groups = prod(atom.size for dim in source.dims[:-1] for atom in dim if atom.label == CHANNEL)
    dims = (*source.dims[:-1], channels(out_features))
    op = Dense(out_features=out_features, in_features=in_features, bias=bias is not None, groups=groups)
    return recorder.record(op, (source,), "dense", dims, name="linear")


def flattened(recorder: Recorder, source: Traced) -> Traced:
    """All values in one row; for a dense layer or the end."""
    row = (*source.dims[:-1], channels(prod(atom.size for atom in source.dims[-1])))
    return recorder.prepare(Flatten(), source, "flatten", row)


def _has_outer(source: Traced, inner: list[Atom]) -> bool:
    pieces = {(atom.label, atom.below) for atom in atoms_of(source.dims[:-1])}
    return all((atom.label, atom.size) in pieces for atom in inner)


def _as_blocks(recorder: Recorder, source: Traced, inner: list[Atom]) -> Traced:
    sides = {atom.label: atom.size for atom in inner}
    factor = tuple(sides.get(axis, 1) for axis in range(len(source.shape) - 1))
    outer = tuple(
        tuple(atom._replace(below=1) if atom.label in sides else atom for atom in dim) for dim in source.dims[:-1]
    )
    dims = (*outer, channels(prod(atom.size for atom in source.dims[-1])))
    return recorder.prepare(PixelUnshuffle(factor=factor), source, "pixelunshuffle", dims)


def _over_positions(recorder: Recorder, source: Traced, weight: Any, bias: Any) -> Any:
    """A dense layer over an axis: over all positions it is a product that reads everything."""
    last, (units, terms) = source.dims[-1], weight.shape
    size = prod(atom.size for atom in last)
    if size != terms:
        where = recorder.place[-1][0] or "linear"
        raise SizeError(
            f"a dense layer made for {terms} inputs gets {size}, the last axis of its input",
            "Flatten the map before it, move the channels last, or use images of the size it was made for",
            where,
        )
    same = units == terms
    dims = (*source.dims[:-1], last if same else (Atom(POSITION, units),))
    elsewhere = any(is_position(atom) and atom.size > 1 for atom in atoms_of(source.dims[:-1]))
    if elsewhere or any(atom.label == CHANNEL for atom in last):
        return recorder.record(
            Opaque(function="linear", shape=graph_shape(dims)), (source,), "dense", dims, name="linear"
        )
    macs = prod(tensor_shape(dims)) * terms
    op = Matmul(function="linear", shape=graph_shape(dims), terms=terms, macs=macs)
    return recorder.record(op, (source,), "dense", dims, name="linear")


def _matmul(recorder: Recorder, input: Any, other: Any, **_: Any) -> Any:
    left, right = recorder.traced(input), recorder.traced(other)
    if left is not None and right is None and len(other.shape) == 2:
        return _linear(recorder, input, other.T)
    if left is None or right is None or min(len(left.dims), len(right.dims)) < 2:
        return NotImplemented
    terms = tensor_shape(left.dims)[-1]
    if tensor_shape(right.dims)[-2] != terms:
        return NotImplemented
    batch = broadcast([left.dims[:-2], right.dims[:-2]])
    if batch is None:
        return NotImplemented
    # A column for each position of the other map is a channel of this one: so many scores a position.
    columns = tuple(atom._replace(label=CHANNEL, below=1) if is_position(atom) else atom for atom in right.dims[-1])
    dims: Dims = (*batch, left.dims[-2], columns)
    if has_duplicates(dims):
        return NotImplemented
    macs = prod(tensor_shape(dims)) * terms
    op = Matmul(function="matmul", shape=graph_shape(dims), terms=terms, macs=macs)
    return recorder.record(op, (left, right), "matmul", dims)


def _baddbmm(recorder: Recorder, input: Any, batch1: Any, batch2: Any, **_: Any) -> Any:
    return _matmul(recorder, batch1, batch2)


def _addmm(recorder: Recorder, input: Any, mat1: Any, mat2: Any, **_: Any) -> Any:
    if recorder.traced(input) is not None or recorder.traced(mat2) is not None:
        return NotImplemented
    return _linear(recorder, mat1, mat2.T, input)


def _einsum(recorder: Recorder, equation: str, *operands: Any) -> Any:
    listed = operands[0] if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else operands
    traced = [found for found in map(recorder.traced, listed) if found is not None]
    text = equation.replace(" ", "")
    if "->" not in text or "." in text or len(listed) != 2:
        return NotImplemented
    terms, out = text.split("->")
    places: dict[str, tuple[Atom, ...]] = {}
    for letters, operand in zip(terms.split(","), listed, strict=True):
        found = recorder.traced(operand)
        layout = found.dims if found else tuple(channels(size) for size in operand.shape)
        for letter, dim in zip(letters, layout, strict=True):
            if letter not in places or not any(map(is_position, places[letter])):
                places[letter] = dim
    dims = tuple(places[letter] for letter in out)
    seen: set[tuple[Any, int]] = set()
    unique = []
    for dim in dims:  # as for matmul: positions that stand a second time are channels
        again = any(is_position(atom) and (atom.label, atom.below) in seen for atom in dim)
        seen |= {(atom.label, atom.below) for atom in dim}
        unique.append(channels(prod(atom.size for atom in dim)) if again else dim)
    layout = tuple(unique)
    summed = prod(atom.size for letter, dim in places.items() if letter not in out for atom in dim)
    macs = prod(tensor_shape(layout)) * summed
    op = Matmul(function="einsum", shape=graph_shape(layout), terms=summed, macs=macs)
    return recorder.record(op, traced, "matmul", layout, name="einsum")


def _attention(recorder: Recorder, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
    sources = [recorder.traced(part) for part in (query, key, value)]
    if any(source is None for source in sources):
        return NotImplemented
    known = [source for source in sources if source is not None]
    dims = (*known[0].dims[:-1], known[2].dims[-1])
    heads, count, width, wide = prod(query.shape[:-2]), query.shape[-2], query.shape[-1], value.shape[-1]
    macs = heads * count * key.shape[-2] * (width + wide)
    op = Attention(function="attention", shape=graph_shape(dims), terms=key.shape[-2], macs=macs)
    return recorder.record(op, tuple(dict.fromkeys(known)), "attention", dims, name="scaled_dot_product_attention")


def _multi_head(
    recorder: Recorder,
    query: Any,
    key: Any,
    value: Any,
    embed_dim: int,
    num_heads: int,
    *_: Any,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    **__: Any,
) -> Any:
    sources = [found for found in map(recorder.traced, (query, key, value)) if found is not None]
    source = recorder.traced(query)
    if source is None:
        return NotImplemented
    targets, width = query.shape[0], embed_dim
    length, copies = key.shape[0], prod(query.shape[1:-1])
    projections = targets * width * width * 2 + length * width * (key.shape[-1] + value.shape[-1])
    macs = copies * (projections + 2 * targets * length * width)
    dims = (*source.dims[:-1], channels(embed_dim))
    op = Attention(function="attention", shape=graph_shape(dims), terms=length, macs=macs)
    out = recorder.record(op, tuple(dict.fromkeys(sources)), "attention", dims, name="attention")
    if not need_weights:
        return out, None
    heads = () if average_attn_weights else (channels(num_heads),)
    scores: Dims = (source.dims[1], *heads, source.dims[0], channels(length))
    weights = recorder.record(Select(channels=graph_shape(scores)[0] or 0), (out,), "scores", scores)
    return out, weights


PAIRS: dict[str, Callable[..., Any]] = {
    name: getattr(torch.return_types, name) for name in ("max", "min", "median", "nanmedian", "mode")
}
"""Functions that along a dimension tell values and their places."""
POOLS: dict[str, Any] = {"mean": "avg", "sum": "avg", "nansum": "avg", "nanmean": "avg", "amax": "max", "max": "max"}


def _reduce(
    function: str,
    recorder: Recorder,
    input: Any,
    dim: Any = None,
    *rest: Any,
    keepdim: bool = False,
    keepdims: bool = False,
    axis: Any = None,
    **_: Any,
) -> Any:
    source = recorder.traced(input)
    dim = axis if dim is None else dim
    if source is None or isinstance(dim, torch.Tensor):
        return arithmetic(function, recorder, input, dim)
    flags = [entry for entry in rest if isinstance(entry, bool)]
    keep = keepdim or keepdims or (bool(flags[-1]) if flags else False)
    count = len(source.dims)
    listed = range(count) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    out = _statistic(recorder, source, function, {entry % count for entry in listed}, keep)
    if dim is not None and function in PAIRS:
        return PAIRS[function]((out, Indices.of(out)))
    return (out, out) if function in ("std_mean", "var_mean") else out


def _statistic(recorder: Recorder, source: Traced, function: str, chosen: set[int], keep: bool) -> Traced:
    gone = [atom for axis in chosen for atom in source.dims[axis] if atom.size > 1 or is_position(atom)]
    ones = {axis: tuple(atom._replace(size=1) for atom in source.dims[axis]) for axis in chosen}
    kept = tuple(ones[axis] if axis in chosen else dim for axis, dim in enumerate(source.dims))
    dims = kept if keep else tuple(dim for axis, dim in enumerate(source.dims) if axis not in chosen)
    left = [atom for axis, dim in enumerate(source.dims) if axis not in chosen for atom in dim if atom.size > 1]
    over = any(map(is_position, gone))
    if not over:
        fewer = graph_shape(dims)[0] or 0
        op: Any = Reduce(function=function) if fewer == 1 else Select(channels=fewer)
        return recorder.record(op, (source,), function, dims)
    if any(map(is_position, left)):
        opaque = Opaque(function=function, shape=graph_shape(dims), sums=False)
        return recorder.record(opaque, (source,), function, dims)
    pool = POOLS.get(function, function)
    whole = not any(atom.label == CHANNEL for atom in gone)
    if whole and keep and source.plain:
        rank = len(source.shape) - 1
        return recorder.record(AdaptivePool(function=pool, size=(1,) * rank), (source,), f"global{pool}pool{rank}d",
                               dims, name=function)  # fmt: skip
    rank = len(source.shape) - 1
    row = _row(dims)
    if whole:
        return recorder.record(GlobalPool(function=pool), (source,), f"global{pool}pool{rank}d", row, name=function)
    op = Matmul(function=function, shape=graph_shape(row), terms=0, macs=0)
    return recorder.record(op, (source,), function, row)


def _row(dims: Dims) -> Dims:
    """The dimensions without places."""
    return tuple(tuple(atom for atom in dim if not is_position(atom)) for dim in dims)


def end(recorder: Recorder, output: Traced) -> Traced:
    """The output as the graph has it: places that one row of values holds are no places any more."""
    mixed = [dim for dim in output.dims if any(map(is_position, dim)) and any(atom.label == CHANNEL for atom in dim)]
    if not mixed:
        return output
    if len(mixed) == 1 and not any(is_position(atom) for dim in output.dims if dim != mixed[0] for atom in dim):
        dims = tuple(channels(prod(atom.size for atom in dim)) if dim == mixed[0] else dim for dim in output.dims)
        return recorder.record(Flatten(), (output,), "flatten", dims)
    dims = tuple(channels(size) for size in tensor_shape(output.dims))
    return recorder.record(Reshape(function="reshape", shape=graph_shape(dims)), (output,), "reshape", dims)


STATISTICS = [
    "mean", "sum", "amax", "amin", "max", "min", "var", "std", "norm", "logsumexp", "prod", "median", "nansum",
    "nanmean", "all", "any", "argmax", "argmin", "mode", "std_mean", "var_mean", "count_nonzero", "vector_norm",
    "linalg_vector_norm", "linalg_norm", "nanmedian",
]  # fmt: skip

RULES: dict[str, Callable[..., Any]] = {
    "linear": _linear,
    "matmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "baddbmm": _baddbmm,
    "addmm": _addmm,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "multi_head_attention_forward": _multi_head,
    **{name: partial(_reduce, name) for name in STATISTICS},
}
"""As in :mod:`depthwise.trace.windows`."""
