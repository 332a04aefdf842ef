"""Functions without a rule: their shapes are taken from a run on empty tensors, their windows are measured.

A function that reads weights is never measured: a window would tell its field, and hide that its work is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from depthwise.layers.mixing import Opaque
from depthwise.layers.ops import Activation, Op
from depthwise.layers.resampling import Measured
from depthwise.trace.layout import Dims, Traced, channels, graph_shape, map_dims, tensor_shape, without_positions
from depthwise.trace.recorder import Recorder

LARGEST_PROBE = 1 << 20
"""Values of the largest batch that a function without a rule is tried on: a few milliseconds of work."""


class NeedsValuesError(BaseException):
    """A module asks for values, so that it has to be run.  Not an Exception: the module must not handle it."""


def run_unknown(recorder: Recorder, name: str, func: Callable[..., Any], args: Any, kwargs: Any, observed: bool) -> Any:
    """Answer a function without a rule."""
    if observed:
        result = func(*args, **kwargs)
    else:
        try:
            result = func(*_each(args, _empty), **_each(kwargs, _empty))
        except (RuntimeError, NotImplementedError) as problem:
            if "meta" in str(problem):
                raise NeedsValuesError(name) from None
            raise
    sources = list(_traced(recorder, (args, kwargs)))
    return _registered(recorder, name, func, (args, kwargs), sources, result)


def _registered(recorder: Recorder, name: str, func: Any, call: Any, sources: list[Traced], result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        parts = [_registered(recorder, name, func, None, sources, part) for part in result]
        # PyTorch's own named results take one sequence, as tuple does; Python's named tuples take their fields.
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    if not isinstance(result, torch.Tensor):
        return result
    dims = _layout(tuple(result.shape), sources[0])
    shape = graph_shape(dims)
    op: Op | None = _measure(recorder, name, func, call, sources, tuple(result.shape)) if call else None
    if op is not None:
        dims = map_dims(shape)
    op = op or Opaque(function=name, shape=shape)
    return recorder.register(result, recorder.record(op, sources, name, dims))


def _layout(shape: tuple[int, ...], source: Traced) -> Dims:
    """Layout of a result of which no more than its shape is known."""
    if shape == tensor_shape(source.dims):
        return source.dims
    if shape[:1] == (1,) and len(shape) > 1 and len(shape) == len(source.dims):
        return map_dims(shape[1:])
    if shape[:1] == (1,) and len(shape) > 1:
        return without_positions(map_dims(shape[1:]))
    return tuple(channels(size) for size in shape)


def _traced(recorder: Recorder, values: Any) -> Any:
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, (tuple, list, dict)):
            yield from _traced(recorder, value)
        elif (found := recorder.traced(value)) is not None:
            yield found


def _each(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(entry, change) for key, entry in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_each(entry, change) for entry in value)
    return value


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="meta")


def _measure(
    recorder: Recorder, name: str, func: Any, call: Any, sources: list[Traced], out: tuple[int, ...]
) -> Op | None:
    """What a function of one map does to its places, from which outputs a row of NaN reaches; ``None`` if unclear."""
    args, kwargs = call
    rank = len(out) - 2
    source = sources[0]
    if recorder.reads_weights() or len(sources) != 1 or rank < 1 or not source.plain or len(source.shape) != rank + 1:
        return None
    shape = tuple(side or 0 for side in source.shape)
    windows = []
    for axis in range(rank):
        reads = _probe(recorder, func, args, kwargs, shape, axis, out)
        window = None if reads is None else fit_window(reads)
        if window is None:
            return None
        windows.append((window, len(reads), out[axis + 2]))  # type: ignore[arg-type]
    if all(window == (1, 1, 0, 1) and before == after for window, before, after in windows) and out[1:] == shape:
        return Activation(function=name)
    kernel, stride, low, dilation = zip(*(window for window, _, _ in windows), strict=True)
    high = tuple((m - 1) * s + d * (k - 1) + 1 - n - lo for (k, s, lo, d), n, m in windows)
    return Measured(
        function=name, channels=out[1], kernel_size=kernel, stride=stride, dilation=dilation,
        padding=tuple(zip(low, high, strict=True)),
    )  # fmt: skip


def _probe(
    recorder: Recorder, func: Any, args: Any, kwargs: Any, shape: tuple[int, ...], axis: int, out: tuple[int, ...]
) -> list[set[int]] | None:
    """Which outputs each position along an axis reaches; ``None`` where the function swallows NaN or fails."""
    side, total = shape[axis + 1], 1
    for size in (*shape, shape[axis + 1]):
        total *= size
    if total > LARGEST_PROBE:
        return None
    images = torch.rand((side, *shape), dtype=torch.float32)
    for place in range(side):
        images[place].select(axis + 1, place).fill_(float("nan"))

    def real(tensor: torch.Tensor) -> torch.Tensor:
        if recorder.traced(tensor) is not None:
            return images.clone()
        return torch.rand(tensor.shape) if tensor.device.type == "meta" else tensor.detach().cpu()

    try:
        with torch.random.fork_rng(devices=[]):
            result = func(*_each(args, real), **_each(kwargs, real))
    except Exception:  # whatever it cannot do with a batch: then nothing is known of it
        return None
    if not isinstance(result, torch.Tensor) or tuple(result.shape[1:]) != out[1:] or not result.is_floating_point():
        return None
    others = [dim for dim in range(1, result.ndim) if dim != axis + 2]
    reached = result.isnan().sum(others) > 0
    return [set(row.nonzero().flatten().tolist()) for row in reached] if bool(reached.any()) else None


def fit_window(reached: Sequence[set[int]]) -> tuple[int, int, int, int] | None:
    """Kernel, stride, padding before and dilation of the window that reads just so; ``None`` if no window does.

    Parameters
    ----------
    reached
        For each position of the input, the outputs that read it.

    Examples
    --------
    >>> fit_window([{0}, {0, 1}, {0, 1, 2}, {1, 2}, {2}])
    (3, 1, 0, 1)
    """
    outputs = 1 + max((max(units) for units in reached if units), default=-1)
    reads = [[place for place, units in enumerate(reached) if unit in units] for unit in range(outputs)]
    if not outputs or not all(reads):
        return None
    whole = max(reads, key=len)
    gaps = {after - before for before, after in pairwise(whole)}
    if len(gaps) > 1:
        return None
    kernel, dilation, middle = len(whole), (gaps.pop() if gaps else 1), reads.index(whole)
    for stride in _strides(reads):
        low = middle * stride - whole[0]
        wanted = [
            [at for tap in range(kernel) if 0 <= (at := unit * stride - low + dilation * tap) < len(reached)]
            for unit in range(outputs)
        ]
        if wanted == reads:
            return kernel, stride, low, dilation
    return None


def _strides(reads: list[list[int]]) -> list[int]:
    steps = {after[-1] - before[-1] for before, after in pairwise(reads)}
    steps |= {after[0] - before[0] for before, after in pairwise(reads)}
    return sorted(step for step in steps if step > 0) or [1]
