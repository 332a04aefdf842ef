"""Modules that were compiled to TorchScript, and the operations of PyTorch's core that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from depthwise.errors import TargetError
from depthwise.graph import Graph
from depthwise.trace import answering, axes, pointwise, sums, windows
from depthwise.trace.functions import FUNCTIONS
from depthwise.trace.recorder import Recorder

Rule = Callable[..., Any]


class _Script(Recorder):
    """Takes the names from the weights: within a script no hook is called."""

    def _name(self, kind: str) -> str:
        paths = [self.parameters[id(value)][0] for value in self.constants if id(value) in self.parameters]
        base = paths[0].rpartition(".")[0] if paths else kind
        count = self._names[base] = self._names.get(base, 0) + 1
        return (base or kind) if count == 1 else f"{base or kind}#{count}"


class _Dispatch(TorchDispatchMode):
    """Records every core operation while the script runs."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.answering = answering.Answering(recorder, observed=True, rules=CORE)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.answering.call(func.overloadpacket.__name__, func, args, kwargs or {})


def trace_script(module: nn.Module, shapes: list[tuple[int, ...]], images: list[torch.Tensor]) -> Graph:
    """Record one real run of a script; its graph says ``observed``."""
    recorder = _Script(list(module.named_modules()))
    for place, (image, shape) in enumerate(zip(images, shapes, strict=True)):
        recorder.add_input(image, shape, place)
    with _Dispatch(recorder):
        output = module(*images)
    found = recorder.traced(output[0] if isinstance(output, (tuple, list)) else output)
    if found is None:
        raise TargetError("a script returns no tensor that was made of the image. Give one that returns its output.")
    return recorder.graph(sums.end(recorder, found), observed=True)


def _convolution(
    recorder: Recorder,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *_: Any,
) -> Any:
    rank = len(weight.shape) - 2
    if transposed:
        rule = windows.RULES[f"conv_transpose{rank}d"]
        return rule(recorder, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return windows.RULES[f"conv{rank}d"](recorder, input, weight, bias, stride, padding, dilation, groups)


def _batch_norm(recorder: Recorder, input: Any, weight: Any, bias: Any, mean: Any, var: Any, *rest: Any) -> Any:
    training, momentum, eps = rest if len(rest) == 3 else (False, *rest)
    out = pointwise.RULES["batch_norm"](recorder, input, mean, var, weight, bias, training, momentum, eps)
    return _with_statistics(out)


def _with_statistics(out: Any) -> Any:
    """The core's norms return the statistics too; nothing reads them."""
    return out if out is NotImplemented else (out, None, None)


def _layer_norm(recorder: Recorder, input: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    return _with_statistics(pointwise.RULES["layer_norm"](recorder, input, shape, weight, bias, eps))


def _group_norm(
    recorder: Recorder, input: Any, weight: Any, bias: Any, n: int, c: int, size: int, groups: int, eps: float
) -> Any:
    return _with_statistics(pointwise.RULES["group_norm"](recorder, input, groups, weight, bias, eps))


def _pad(mode: str, recorder: Recorder, input: Any, pad: Any, *_: Any) -> Any:
    return windows.RULES["pad"](recorder, input, pad, mode)


def _upsample(mode: str, recorder: Recorder, input: Any, size: Any, *rest: Any) -> Any:
    align = rest[0] if rest and isinstance(rest[0], bool) else None
    scales = next((entry for entry in rest if isinstance(entry, (list, tuple)) and entry), None)
    single = [entry for entry in rest if isinstance(entry, float)]
    if scales or single:
        return windows.RULES["interpolate"](recorder, input, None, tuple(scales or single), mode, align)
    return windows.RULES["interpolate"](recorder, input, size, None, mode, align)


def _slice(recorder: Recorder, input: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    index = (*(slice(None),) * (dim % len(input.shape)), slice(start, end, step))
    return axes.RULES["getitem"](recorder, input, index)


RULES: dict[str, Rule] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "constant_pad_nd": partial(_pad, "constant"),
    **{f"{mode}_pad{rank}d": partial(_pad, how) for rank in (1, 2, 3) for mode, how in
       {"reflection": "reflect", "replication": "replicate"}.items()},
    **{f"upsample_{mode}{rank}d": partial(_upsample, mode) for rank in (1, 2, 3)
       for mode in ("nearest", "linear", "bilinear", "trilinear", "bicubic")},
    "slice": _slice,
    "_softmax": pointwise.RULES["softmax"],
    "_log_softmax": pointwise.RULES["log_softmax"],
    "_unsafe_view": axes.RULES["view"],
    "_adaptive_avg_pool2d": windows.RULES["adaptive_avg_pool2d"],
    "_adaptive_avg_pool3d": windows.RULES["adaptive_avg_pool3d"],
    "_to_copy": pointwise.RULES["to"],
}  # fmt: skip
"""As in :mod:`depthwise.trace.windows`, for operations of PyTorch's core."""

CORE = {**FUNCTIONS, **RULES}
