"""Rules for functions that lay values out otherwise: views, permutations, slices, joins."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch

from depthwise.errors import SizeError
from depthwise.layers.mixing import Expand, Opaque, Reshape
from depthwise.layers.ops import Flatten, Merge, Pad
from depthwise.layers.resampling import Sample, Select
from depthwise.layers.shapes import format_shape
from depthwise.trace.layout import (
    BATCH,
    CHANNEL,
    POSITION,
    Atom,
    Dims,
    Traced,
    atoms_of,
    channels,
    graph_shape,
    is_channels,
    is_position,
    regroup,
    tensor_shape,
    without_positions,
)
from depthwise.trace.recorder import Recorder


def _sizes(values: tuple[Any, ...]) -> tuple[int, ...]:
    listed = values[0] if len(values) == 1 and isinstance(values[0], (tuple, list, torch.Size)) else values
    return tuple(int(size) for size in listed)


def _view(recorder: Recorder, input: Any, *size: Any, shape: Any = None) -> Any:
    source = recorder.traced(input)
    if source is None or (size and isinstance(size[0], torch.dtype)):
        return NotImplemented
    return reshaped(recorder, source, _sizes(size if shape is None else (shape,)))


def reshaped(recorder: Recorder, source: Traced, sizes: tuple[int, ...]) -> Traced:
    """A view of the given sizes, one of which may be -1."""
    total, asked = prod(tensor_shape(source.dims)), prod(size for size in sizes if size != -1)
    wrong = total % asked if -1 in sizes and asked else total != asked
    full = tuple(total // asked if size == -1 and asked else size for size in sizes)
    mixes = _mixes_batch(source, full) if not wrong and len(full) == 2 and sizes[0] == -1 else False
    if wrong or mixes:
        where = recorder.place[-1][0]
        name = f"{where}.view" if where else "view"
        row = asked if len(sizes) > 1 else total
        raise SizeError(
            f"a view as {'x'.join(map(str, sizes))} does not fit to {format_shape(source.shape)}, "
            f"which is {total} values an image, not {row}",
            f"Use images of the size it was made for, or flatten(1) and layers of {total} inputs behind it",
            name,
        )
    dims = regroup(source.dims, full)
    if dims is not None:
        return (
            source.under(dims)
            if not _is_row(dims)
            else recorder.record(Flatten(), (source,), "flatten", in_one_row(dims))
        )
    dims = regroup(((Atom(CHANNEL, total),),), full)
    assert dims is not None
    shape = graph_shape(dims)
    return recorder.record(Reshape(function="reshape", shape=shape), (source,), "reshape", dims)


def _is_row(dims: Dims) -> bool:
    """Whether one dimension holds all places and all channels of a map."""
    full = [dim for dim in dims if any(atom.label != BATCH for atom in dim)]
    return len(full) == 1 and any(map(is_position, full[0])) and any(atom.label == CHANNEL for atom in full[0])


def in_one_row(dims: Dims) -> Dims:
    """The dimensions with places and channels counted together."""
    return tuple(dim if any(a.label == BATCH for a in dim) else channels(prod(a.size for a in dim)) for dim in dims)


def _mixes_batch(source: Traced, full: tuple[int, ...]) -> bool:
    """Whether a view as rows would cut an image into several rows of values and places together."""
    if full[0] == 1:
        return False
    dims = regroup(source.dims, full)
    return dims is None or (any(map(is_position, dims[1])) and any(atom.label == CHANNEL for atom in dims[0]))


def _flatten(recorder: Recorder, input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    count = max(len(source.dims), 1)
    first, last = start_dim % count, end_dim % count
    joined = tuple(atom for dim in source.dims[first : last + 1] for atom in dim)
    shape = tensor_shape((*source.dims[:first], joined, *source.dims[last + 1 :]))
    return reshaped(recorder, source, shape)


def _unflatten(recorder: Recorder, input: Any, dim: int, sizes: Any) -> Any:
    source = recorder.traced(input)
    assert source is not None
    shape = list(tensor_shape(source.dims))
    place = dim % len(shape)
    sizes = tuple(shape[place] // -prod(sizes) if size == -1 else size for size in sizes)
    return reshaped(recorder, source, (*shape[:place], *sizes, *shape[place + 1 :]))


def _permute(recorder: Recorder, input: Any, *order: Any, dims: Any = None) -> Any:
    source = recorder.traced(input)
    assert source is not None
    return source.under(tuple(source.dims[axis] for axis in _sizes(order if dims is None else (dims,))))


def _transpose(recorder: Recorder, input: Any, dim0: int = -2, dim1: int = -1) -> Any:
    source = recorder.traced(input)
    assert source is not None
    order = list(source.dims)
    if len(order) > 1:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return source.under(tuple(order))


def _reversed(recorder: Recorder, input: Any) -> Any:
    source = recorder.traced(input)
    assert source is not None
    return source.under(source.dims[::-1])


def _movedim(recorder: Recorder, input: Any, source: Any, destination: Any) -> Any:
    traced = recorder.traced(input)
    assert traced is not None
    count = len(traced.dims)
    taken = [axis % count for axis in ((source,) if isinstance(source, int) else source)]
    put = [axis % count for axis in ((destination,) if isinstance(destination, int) else destination)]
    rest = iter(axis for axis in range(count) if axis not in taken)
    order = [taken[put.index(place)] if place in put else next(rest) for place in range(count)]
    return traced.under(tuple(traced.dims[axis] for axis in order))


def _squeeze(recorder: Recorder, input: Any, dim: Any = None) -> Any:
    source = recorder.traced(input)
    assert source is not None
    shape = tensor_shape(source.dims)
    chosen = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {axis % len(shape) for axis in chosen if shape[axis] == 1}
    kept: list[tuple[Atom, ...]] = []
    loose: tuple[Atom, ...] = ()
    for axis, atoms in enumerate(source.dims):
        if axis not in gone:
            kept.append(loose + atoms)
            loose = ()
        elif kept:  # a place of size 1 stays a place, beside another
            kept[-1] += atoms
        else:
            loose += atoms
    return source.under(tuple(kept))


def _unsqueeze(recorder: Recorder, input: Any, dim: int) -> Any:
    source = recorder.traced(input)
    assert source is not None
    place = dim % (len(source.dims) + 1)
    return source.under((*source.dims[:place], (), *source.dims[place:]))


def _expand(recorder: Recorder, input: Any, *size: Any) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    like = size[0] if size and isinstance(size[0], torch.Tensor) else None
    target = _sizes(size) if like is None else tuple(like.shape)
    dims: list[tuple[Atom, ...]] = [()] * (len(target) - len(source.dims)) + list(source.dims)
    whole = list(target)
    for place, wanted in enumerate(target):
        have = prod(atom.size for atom in dims[place])
        whole[place] = have if wanted == -1 else wanted
        if whole[place] != have:
            axis = dims[place][0] if dims[place] and is_position(dims[place][0]) else None
            new = place >= 2 and source.plain is False and len(target) > 3 and not has_positions(source.dims)
            dims[place] = (
                (axis._replace(size=wanted),) if axis else (Atom(place - 2, wanted),) if new else channels(wanted)
            )
    if tuple(dims) == source.dims:
        return source
    shape = graph_shape(tuple(dims))
    if shape[1:] == source.shape[1:]:
        return recorder.record(Select(channels=shape[0] or 0), (source,), "expand", tuple(dims))
    return recorder.record(Expand(function="expand", shape=shape), (source,), "expand", tuple(dims))


def has_positions(dims: Dims) -> bool:
    """Whether anything counts positions."""
    return any(map(is_position, atoms_of(dims)))


def _cat(recorder: Recorder, tensors: Any, dim: int = 0) -> Any:
    known = [traced for traced in map(recorder.traced, tensors) if traced is not None]
    place = dim % len(known[0].dims)
    sides = [tuple(tensor.shape) for tensor in tensors]
    others = {(*side[:place], *side[place + 1 :]) for side in sides}
    if len(others) > 1:
        return recorder.record(Merge(function="concat"), known, "concat", name="cat")
    total = sum(side[place] for side in sides)
    rest = {(*traced.dims[:place], *traced.dims[place + 1 :]) for traced in known}
    dims: Dims = (*known[0].dims[:place], channels(total), *known[0].dims[place + 1 :])
    if len(rest) == 1 and all(is_channels(traced.dims[place]) for traced in known):
        if len(known) == len(tensors):
            return recorder.record(Merge(function="concat"), known, "concat", dims, name="cat")
        more = graph_shape(dims)[0] or 0
        if len(known) == 1:  # channels that hold no image, such as coordinates
            return recorder.record(Select(channels=more), known, "concat", dims, name="cat")
    if any(is_position(atom) for atom in known[0].dims[place]):
        dims = (*dims[:place], (Atom(POSITION, total),), *dims[place + 1 :])
    dims = without_positions(dims)
    return recorder.record(Reshape(function="cat", shape=graph_shape(dims)), known, "concat", dims, name="cat")


def _stack(recorder: Recorder, tensors: Any, dim: int = 0) -> Any:
    known = [traced for traced in map(recorder.traced, tensors) if traced is not None]
    if len(known) < len(tensors) or len({traced.dims for traced in known}) > 1:
        return NotImplemented
    dims = known[0].dims
    place = dim % (len(dims) + 1)
    layout = (*dims[:place], channels(len(known)), *dims[place:])
    return recorder.record(Merge(function="concat"), known, "concat", layout, name="stack")


def _split(recorder: Recorder, tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    total = tensor.shape[dim]
    step = split_size_or_sections
    if isinstance(step, int):
        parts = [min(step, total - start) for start in range(0, total, step)]
    else:
        parts = [int(part) for part in step]
    ends = [sum(parts[: count + 1]) for count in range(len(parts))]
    cuts = [slice(end - part, end) for part, end in zip(parts, ends, strict=True)]
    axis = dim % len(tensor.shape)
    taken = [_getitem(recorder, tensor, (*(slice(None),) * axis, cut), "split") for cut in cuts]
    return NotImplemented if any(part is NotImplemented for part in taken) else tuple(taken)


def _chunk(recorder: Recorder, input: Any, chunks: int, dim: int = 0) -> Any:
    return _split(recorder, input, -(-input.shape[dim] // chunks), dim)


def _unbind(recorder: Recorder, input: Any, dim: int = 0) -> Any:
    axis = dim % len(input.shape)
    taken = [_getitem(recorder, input, (*(slice(None),) * axis, place), "unbind") for place in range(input.shape[axis])]
    return NotImplemented if any(part is NotImplemented for part in taken) else tuple(taken)


def _narrow(recorder: Recorder, input: Any, dim: int, start: int, length: int) -> Any:
    axis = dim % len(input.shape)
    return _getitem(recorder, input, (*(slice(None),) * axis, slice(start, start + length)), "narrow")


def _select(recorder: Recorder, input: Any, dim: int, index: int) -> Any:
    axis = dim % len(input.shape)
    return _getitem(recorder, input, (*(slice(None),) * axis, int(index)), "select")


def _getitem(recorder: Recorder, input: Any, index: Any, name: str = "slice") -> Any:
    source = recorder.traced(input)
    entries = list(index) if isinstance(index, tuple) else [index]
    if source is None or not all(entry is None or entry is ... or isinstance(entry, (int, slice)) for entry in entries):
        return NotImplemented
    if any(isinstance(entry, bool) for entry in entries):
        return NotImplemented
    count = sum(entry is not None and entry is not ... for entry in entries)
    fill = [slice(None)] * (len(source.dims) - count)
    place = entries.index(...) if ... in entries else len(entries)
    entries[place : place + 1] = fill
    dims: list[tuple[Atom, ...]] = []
    steps: dict[int, slice] = {}
    rest, lost = iter(source.dims), False
    for entry in entries:
        if entry is None:
            dims.append(())
            continue
        atoms = next(rest)
        size = prod(atom.size for atom in atoms)
        if isinstance(entry, slice):
            start, stop, step = entry.indices(size)
            left = len(range(start, stop, step))
            if left == size or all(not is_position(atom) for atom in atoms):
                dims.append(atoms if left == size else channels(left))
            elif len(atoms) == 1 and isinstance(atoms[0].label, int) and atoms[0].below == 1 and source.plain:
                steps[atoms[0].label] = slice(start, stop, step)
                dims.append((atoms[0]._replace(size=left),))
            else:
                lost = True
                dims.append((Atom(POSITION, left),))
        elif any(is_position(atom) and atom.size > 1 for atom in atoms):
            lost = True
    return _cut(recorder, source, tuple(dims), steps, lost, name)


def _cut(recorder: Recorder, source: Traced, dims: Dims, steps: dict[int, slice], lost: bool, name: str) -> Any:
    """What is left of a tensor behind a slice."""
    size = tuple(side or 0 for side in source.shape[1:])
    if lost or len(graph_shape(dims)) != len(source.shape):
        if any(map(is_position, atoms_of(source.dims))) and prod(size) > 1:
            dims = without_positions(dims)
            op: Any = Reshape(function=name, shape=graph_shape(dims))
            return recorder.record(op, (source,), "slice", dims, name=name)
        return recorder.record(Select(channels=graph_shape(dims)[0] or 0), (source,), "slice", dims, name=name)
    wanted = graph_shape(dims)[0]
    if wanted != source.shape[0]:
        between = tuple(_uncut(dim, steps, size) for dim in dims)
        source = recorder.record(Select(channels=wanted or 0), (source,), "slice", between, name=name)
    if not steps:
        return source.under(dims)
    ends = [steps.get(axis, slice(0, side, 1)) for axis, side in enumerate(size)]
    last = [range(end.start, end.stop, end.step)[-1] if range(end.start, end.stop, end.step) else -1 for end in ends]
    if all(end.step == 1 for end in ends):
        sides = tuple((-end.start, stop + 1 - side) for end, stop, side in zip(ends, last, size, strict=True))
        return recorder.record(Pad(padding=sides), (source,), "slice", dims, name=name)
    one = (1,) * len(size)
    # To the end: a slice that stops early is cut there, one that does not is open for maps of other sizes.
    sides = tuple(
        (-end.start, stop + 1 - side if end.stop < side else 0)
        for end, stop, side in zip(ends, last, size, strict=True)
    )
    op = Sample(kernel_size=one, stride=tuple(end.step for end in ends), padding=sides, dilation=one)
    return recorder.record(op, (source,), "slice", dims, name=name)


def _uncut(dim: tuple[Atom, ...], steps: dict[int, slice], size: tuple[int, ...]) -> tuple[Atom, ...]:
    """A dimension that counts an axis, as it was before it was sliced."""
    label = dim[0].label if len(dim) == 1 else None
    return (Atom(label, size[label]),) if isinstance(label, int) and label in steps else dim


def _setitem(recorder: Recorder, input: Any, index: Any, value: Any) -> Any:
    sources = [found for found in (recorder.traced(input), recorder.traced(value)) if found is not None]
    dims = sources[0].dims if recorder.traced(input) is not None else None
    if dims is None:
        dims = without_positions(tuple(channels(size) for size in input.shape))
    op = Opaque(function="assignment to a slice", shape=graph_shape(dims), sums=False)
    return recorder.record(op, sources, "setitem", dims)


def _roll(recorder: Recorder, input: Any, *_: Any, **__: Any) -> Any:
    source = recorder.traced(input)
    assert source is not None
    return recorder.record(Opaque(function="roll", shape=source.shape, sums=False), (source,), "roll", source.dims)


RULES: dict[str, Callable[..., Any]] = {
    "view": _view,
    "reshape": _view,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "permute": _permute,
    "transpose": _transpose,
    "t": _transpose,
    "mT": _transpose,
    "T": _reversed,
    "movedim": _movedim,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "expand": _expand,
    "expand_as": _expand,
    "broadcast_to": _expand,
    "cat": _cat,
    "stack": _stack,
    "split": _split,
    "split_with_sizes": _split,
    "chunk": _chunk,
    "unbind": _unbind,
    "narrow": _narrow,
    "select": _select,
    "getitem": _getitem,
    "__setitem__": _setitem,
    "roll": _roll,
}
"""As in :mod:`depthwise.trace.windows`."""
