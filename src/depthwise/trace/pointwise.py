"""Rules for functions that stay at each position, or take statistics: activations, norms, dropout, arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import torch

from depthwise.errors import SizeError
from depthwise.layers.mixing import Opaque
from depthwise.layers.ops import Activation, Dropout, Merge, Norm
from depthwise.layers.resampling import Select
from depthwise.layers.shapes import format_shape
from depthwise.trace.layout import (
    BATCH,
    CHANNEL,
    POSITION,
    Atom,
    Dims,
    Traced,
    broadcast,
    channels,
    graph_shape,
    is_channels,
    is_position,
    tensor_shape,
)
from depthwise.trace.recorder import Recorder


def _of(recorder: Recorder, values: Any) -> list[Traced]:
    """The recorded ones among arguments."""
    found = [recorder.traced(value) for value in values if isinstance(value, torch.Tensor)]
    return [traced for traced in found if traced is not None]


def pointwise(function: str, recorder: Recorder, *args: Any, **kwargs: Any) -> Any:
    """A function of each value."""
    sources = _of(recorder, (*args, *kwargs.values()))
    if len(sources) != 1:
        return arithmetic(function, recorder, *args, **kwargs)
    return recorder.record(Activation(function=function), sources, function, sources[0].dims)


def _leaky(recorder: Recorder, input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    source = recorder.traced(input)
    assert source is not None
    op = Activation(function="leaky_relu", slope=float(negative_slope))
    return recorder.record(op, (source,), "leaky_relu", source.dims)


def _softmax(function: str, recorder: Recorder, input: Any, dim: Any = None, *_: Any, **__: Any) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    axis = dim if dim is not None else 1 if len(source.dims) not in (0, 1, 3) else 0
    over = over_positions(source.dims, [axis])
    if over is None:
        opaque = Opaque(function=function, shape=source.shape, sums=False)
        return recorder.record(opaque, (source,), function, source.dims)
    return recorder.record(Activation(function=function, over_map=over), (source,), function, source.dims)


def over_positions(dims: Dims, axes: Any) -> bool | None:
    """Whether a statistic over dimensions runs over all positions (or none); ``None`` where over some of them."""
    chosen = {axis % len(dims) for axis in axes}
    inside = [atom for axis in chosen for atom in dims[axis] if is_position(atom)]
    outside = [
        atom
        for axis, dim in enumerate(dims)
        if axis not in chosen
        for atom in dim
        if is_position(atom) and atom.size > 1
    ]
    return None if inside and outside else bool(inside)


def _glu(recorder: Recorder, input: Any, dim: int = -1) -> Any:
    source = recorder.traced(input)
    if source is None or not is_channels(source.dims[dim]):
        return NotImplemented
    size = tensor_shape(source.dims)[dim]
    dims = list(source.dims)
    dims[dim] = channels(size // 2)
    return recorder.record(Select(channels=graph_shape(tuple(dims))[0] or 0), (source,), "glu", tuple(dims))


def _dropout(whole: bool, recorder: Recorder, input: Any, p: float = 0.5, *_: Any, **__: Any) -> Any:
    source = recorder.traced(input)
    assert source is not None
    return recorder.record(Dropout(p=float(p), whole_channels=whole), (source,), "dropout", source.dims)


def _batch_norm(
    recorder: Recorder,
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
    *_: Any,
) -> Any:
    source = recorder.traced(input)
    if source is None or len(source.dims) < 2 or not is_channels(source.dims[1]):
        return NotImplemented
    if running_mean is not None:
        _demand(recorder, "a batch norm", running_mean.shape[0], source)
    op = Norm(
        function="batch",
        momentum=0.0 if momentum is None else float(momentum),
        eps=float(eps),
        num_features=source.shape[0],
        affine=weight is not None,
        over_map=training or running_mean is None,
    )
    return recorder.record(op, (source,), "batchnorm", source.dims, name="batch_norm")


def _demand(recorder: Recorder, what: str, wanted: int, source: Traced) -> None:
    gets = tensor_shape(source.dims)[1]
    if gets != wanted:
        where = recorder.place[-1][0] or what
        raise SizeError(
            f"{what} made for {wanted} channels gets {gets} ({format_shape(source.shape)})",
            f"Give it an input of {wanted} channels, or make it for {gets}",
            where,
        )


def _instance_norm(
    recorder: Recorder,
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
    *_: Any,
) -> Any:
    source = recorder.traced(input)
    if source is None or not is_channels(source.dims[1]):
        return NotImplemented
    function: Any = "instance" if use_input_stats else "batch"
    op = Norm(function=function, eps=float(eps), affine=weight is not None)
    return recorder.record(op, (source,), "instancenorm", source.dims, name="instance_norm")


def _group_norm(
    recorder: Recorder, input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Any:
    source = recorder.traced(input)
    if source is None or not is_channels(source.dims[1]):
        return NotImplemented
    if weight is not None:
        _demand(recorder, "a group norm", weight.shape[0], source)
    op = Norm(function="group", groups=int(num_groups), eps=float(eps), affine=weight is not None)
    return recorder.record(op, (source,), "groupnorm", source.dims, name="group_norm")


def _layer_norm(
    function: Any,
    recorder: Recorder,
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: Any = 1e-5,
    *_: Any,
) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    count = len(normalized_shape)
    shape = tensor_shape(source.dims)
    wanted = tuple(normalized_shape)
    if shape[-count:] != wanted:
        raise SizeError(
            f"a layer norm made for {format_shape(wanted)} gets {format_shape(shape[-count:])}",
            "Use images of the size it was made for, or move the channels last",
            recorder.place[-1][0] or "layer_norm",
        )
    over = over_positions(source.dims, range(-count, 0))
    if over is None:
        return NotImplemented
    op = Norm(function=function, eps=float(eps or 1e-5), affine=weight is not None, over_map=over)
    kind = {"layer": "layernorm", "rms": "rmsnorm"}[function]
    return recorder.record(op, (source,), kind, source.dims, name=f"{function}_norm")


def _normalize(recorder: Recorder, input: Any, p: float = 2.0, dim: Any = 1, *_: Any, **__: Any) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    over = over_positions(source.dims, [dim] if isinstance(dim, int) else dim)
    if over is None:
        return NotImplemented
    op = Norm(function="normalize", affine=False, over_map=over)
    return recorder.record(op, (source,), "normalize", source.dims)


def _response_norm(recorder: Recorder, input: Any, *_: Any, **__: Any) -> Any:
    source = recorder.traced(input)
    assert source is not None
    return recorder.record(Norm(function="response", affine=False), (source,), "local_response_norm", source.dims)


def arithmetic(function: str, recorder: Recorder, *args: Any, **kwargs: Any) -> Any:
    """Combine tensors value by value."""
    sources = _of(recorder, (*args, *kwargs.values()))
    layouts = [source.dims for source in sources]
    constants = [value for value in (*args, *kwargs.values())
                 if isinstance(value, torch.Tensor) and recorder.traced(value) is None]  # fmt: skip
    dims = broadcast(layouts)
    if dims is None:
        return NotImplemented if _stretches(layouts) else _refuse(recorder, function, sources)
    if constants:
        dims = _with_constants(dims, [tuple(constant.shape) for constant in constants])
        if dims is None:
            return NotImplemented
    if len(sources) == 1:
        return recorder.record(Activation(function=function), sources, function, dims)
    return recorder.record(Merge(function=function, broadcast=True), sources, function, dims)


def _stretches(layouts: list[Dims]) -> bool:
    """Whether PyTorch can combine tensors of these layouts."""
    shapes = [tensor_shape(dims) for dims in layouts]
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    return all(len(set(column) - {1}) < 2 for column in columns)


def _refuse(recorder: Recorder, function: str, sources: list[Traced]) -> Any:
    return recorder.record(Merge(function=function, broadcast=True), sources, function)


def _with_constants(dims: Dims, shapes: list[tuple[int, ...]]) -> Dims | None:
    """Layout after a constant is combined with it; what a constant alone counts are channels or other positions."""
    rank = max(len(dims), *map(len, shapes))
    out = [(Atom(CHANNEL, 1),)] * (rank - len(dims)) + list(dims)
    for shape in shapes:
        for place, size in enumerate(shape, rank - len(shape)):
            have = prod(atom.size for atom in out[place])
            if size in (have, 1):
                continue
            if have != 1:
                return None
            stretched = any(map(is_position, out[place])) or any(atom.label == BATCH for atom in out[place])
            out[place] = (Atom(POSITION, size),) if stretched else channels(size)
    return tuple(out)


def _same(recorder: Recorder, input: Any, *_: Any, **__: Any) -> Any:
    return recorder.traced(input)


ACTIVATIONS = [
    "relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh", "tanh",
    "sigmoid", "softplus", "softsign", "logsigmoid", "prelu", "rrelu", "threshold", "tanhshrink", "hardshrink",
    "softshrink", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "abs", "neg", "square",
    "clamp", "clamp_min", "clamp_max", "sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "round",
    "floor", "ceil", "trunc", "frac", "sign", "sgn", "reciprocal", "erf", "erfc", "erfinv", "logit", "nan_to_num",
    "isnan", "isinf", "isfinite", "logical_not", "invert", "bitwise_not", "masked_fill", "positive", "deg2rad",
    "angle", "fill", "zero", "relu_", "bernoulli",
]  # fmt: skip

OF_SEVERAL = [
    "add", "sub", "mul", "div", "rsub", "pow", "remainder", "fmod", "floor_divide", "maximum", "minimum", "fmax",
    "fmin", "lerp", "where", "addcmul", "addcdiv", "eq", "ne", "lt", "le", "gt", "ge", "greater", "greater_equal",
    "less", "less_equal", "not_equal", "logical_and", "logical_or", "logical_xor", "atan2", "hypot", "bitwise_and",
    "bitwise_or", "bitwise_xor", "xlogy", "heaviside", "float_power", "dist", "copysign", "__radd__", "__rsub__",
    "__rmul__", "__rpow__",
]  # fmt: skip

SAME = [
    "contiguous", "clone", "detach", "to", "float", "half", "bfloat16", "double", "type", "type_as", "cuda", "cpu",
    "alias", "identity", "requires_grad", "as_subclass", "view_as_real", "long", "int", "bool", "stop_gradient",
    "fake_quantize_per_tensor_affine", "checkpoint",
]  # fmt: skip
"""Functions that give the same values, as far as places go."""

RULES: dict[str, Callable[..., Any]] = {
    **{name: partial(pointwise, name) for name in ACTIVATIONS},
    **{name: partial(arithmetic, name) for name in OF_SEVERAL},
    **dict.fromkeys(SAME, _same),
    **{name: partial(_softmax, name) for name in ("softmax", "log_softmax", "softmin")},
    **{name: partial(_dropout, whole) for name, whole in {
        "dropout": False, "alpha_dropout": False, "dropout1d": True, "dropout2d": True, "dropout3d": True,
        "feature_alpha_dropout": True, "feature_dropout": True,
    }.items()},
    "leaky_relu": _leaky,
    "glu": _glu,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "layer_norm": partial(_layer_norm, "layer"),
    "rms_norm": partial(_layer_norm, "rms"),
    "normalize": _normalize,
    "local_response_norm": _response_norm,
}  # fmt: skip
"""As in :mod:`depthwise.trace.windows`."""
