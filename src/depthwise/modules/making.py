"""One operation -> its module."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from depthwise.errors import GraphError
from depthwise.graph import SizedNode
from depthwise.layers import ops
from depthwise.layers.ops import Op, Sides
from depthwise.modules.parts import (
    CroppedConvTranspose2d,
    GemmConv2d,
    GlobalPool,
    Merge,
    PaddedAvgPool2d,
    PaddedConv2d,
    PaddedMaxPool2d,
    Standardize,
)


@dataclass(frozen=True)
class _Kinds:
    """PyTorch's layers for maps of one rank."""

    conv: type[nn.Module]
    padded_conv: Any
    transposed: type[nn.Module]
    cropped_transposed: Any
    pools: dict[str, type[nn.Module]]
    padded_pools: dict[str, Any]
    norm: type[nn.Module]
    dropout: type[nn.Module]


_KINDS = {
    2: _Kinds(
        conv=nn.Conv2d,
        padded_conv=PaddedConv2d,
        transposed=nn.ConvTranspose2d,
        cropped_transposed=CroppedConvTranspose2d,
        pools={"max": nn.MaxPool2d, "avg": nn.AvgPool2d},
        padded_pools={"max": PaddedMaxPool2d, "avg": PaddedAvgPool2d},
        norm=nn.BatchNorm2d,
        dropout=nn.Dropout2d,
    ),
}
"""By the number of axes of a map.  One more entry, and maps of another rank can be built."""

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU,
    "silu": nn.SiLU, "hardswish": nn.Hardswish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus,
    "softmax": lambda: nn.Softmax(1), "log_softmax": lambda: nn.LogSoftmax(1),
}  # fmt: skip


GEMM_WEIGHTS = 4_000_000
GEMM_SIDE = 3
"""More weights than this on a map of at most this side are convolved by one product of matrices: 512 to 1024 channels
on 5x5 units train twice as fast so (benchmarks/engine.py); 256 to 512 on 7x7 gain nothing, smaller layers lose."""


def make_module(sized: SizedNode, *, gemm: bool = True) -> nn.Module:
    """The module of one node; `gemm` as in :func:`~depthwise.modules.build`."""
    op: Op = sized.op
    match op:
        case ops.Input():
            return Standardize(cast("tuple[int, ...]", op.shape))
        case ops.ConvTranspose():
            return _transposed(op)
        case ops.Conv():
            return _convolution(op, gemm and _suits_gemm(op, sized))
        case ops.Pool(function="max" | "avg"):
            return _pool(op, sized)
        case ops.Pad(mode="constant"):
            return nn.ZeroPad2d(_flat(op.padding))  # type: ignore[arg-type]
        case ops.Upsample():
            return nn.Upsample(scale_factor=tuple(map(float, op.scale)), mode=op.mode)
        case ops.Activation(function="leaky_relu", slope=float(slope)):
            return nn.LeakyReLU(slope)
        case ops.Activation(over_map=False) if op.function in _ACTIVATIONS:
            return _ACTIVATIONS[op.function]()
        case ops.Dropout():
            rank = len(sized.output_shape) - 1
            return _kinds(rank).dropout(op.p) if op.whole_channels and rank else nn.Dropout(op.p)
        case ops.Norm(function="group", groups=int(groups), num_features=int(features)):
            return nn.GroupNorm(groups, features, op.eps, op.affine)
        case ops.Norm(function="batch", over_map=False):
            rank = len(sized.output_shape) - 1
            kind: Any = _kinds(rank).norm if rank else nn.BatchNorm1d
            return kind(op.num_features, eps=op.eps, momentum=op.momentum, affine=op.affine)
        case ops.Dense(out_features=None):
            raise GraphError(
                f"layer {sized.node.layer!r}: its width is not known. Write Output(n), or let fit take it from y."
            )
        case ops.Dense(in_features=int(width), out_features=int(units), groups=1) if len(sized.output_shape) == 1:
            return nn.Linear(width, units, op.bias)
        case ops.Merge(function="add" | "concat", broadcast=False):
            return Merge(op.function)
        case ops.GlobalPool(function="max" | "avg"):
            return GlobalPool(op.function)
        case ops.Flatten():
            return nn.Flatten()
    raise GraphError(f"layer {sized.node.layer!r}: there is no module for the operation {type(op).__name__}.")


def _kinds(rank: int) -> Any:
    if rank not in _KINDS:
        raise GraphError(f"maps with {rank} axes cannot be built, only maps with {', '.join(map(str, _KINDS))}.")
    return _KINDS[rank]


def _suits_gemm(op: ops.Conv, sized: SizedNode) -> bool:
    """Whether a convolution is large, and its map small enough."""
    sides = cast("tuple[int, ...]", sized.output_shape[1:])
    weights = cast(int, op.in_channels) * cast(int, op.out_channels) * math.prod(op.kernel_size)
    even = len(sides) == 2 and op.groups == 1 and _even(op.sides) is not None
    return even and weights > GEMM_WEIGHTS and max(sides) <= GEMM_SIDE


def _convolution(op: ops.Conv, gemm: bool) -> nn.Module:
    kinds, even = _kinds(len(op.kernel_size)), _even(op.sides)
    kind: Any = GemmConv2d if gemm else kinds.padded_conv if even is None else kinds.conv
    made: Any = kind(
        op.in_channels,
        op.out_channels,
        op.kernel_size,
        stride=op.stride,
        padding=even or 0,
        dilation=op.dilation,
        groups=op.groups,
        bias=op.bias,
    )
    if even is None:
        made.pads = _flat(op.sides)
    return made


def _transposed(op: ops.ConvTranspose) -> nn.Module:
    kinds, even = _kinds(len(op.kernel_size)), _even(op.sides)
    lesser = tuple(min(side) for side in op.sides)
    made = (kinds.cropped_transposed if even is None else kinds.transposed)(
        op.in_channels,
        op.out_channels,
        op.kernel_size,
        stride=op.stride,
        padding=lesser,
        output_padding=op.output_padding,
        groups=op.groups,
        bias=op.bias,
        dilation=op.dilation,
    )
    if even is None:
        made.crops = _flat(tuple((p - lo, p - hi) for p, (lo, hi) in zip(lesser, op.sides, strict=True)))
    return made


def _pool(op: ops.Pool, sized: SizedNode) -> nn.Module:
    kinds, even = _kinds(len(op.kernel_size)), _even(op.sides)
    more: dict[str, Any] = (
        {"dilation": op.dilation} if op.function == "max" else {"count_include_pad": op.count_include_pad}
    )
    if even is not None:
        return kinds.pools[op.function](op.kernel_size, op.stride, even, ceil_mode=op.ceil_mode, **more)
    made = kinds.padded_pools[op.function](op.kernel_size, op.stride, **more)
    made.pads = _flat(_filled(op, sized))
    return made


def _filled(op: ops.Pool, sized: SizedNode) -> Sides:
    """Padding up to the end of the last window that counts, so that ``ceil_mode`` needs no rule of its own."""
    sizes = zip(sized.input_shapes[0][1:], sized.output_shape[1:], op.sides, op.stride, op.span, strict=True)
    return tuple(
        (lo, max((cast(int, steps) - 1) * stride + span - cast(int, n) - lo, 0))
        for n, steps, (lo, _), stride, span in sizes
    )


def _even(sides: Sides) -> tuple[int, ...] | None:
    """Padding per axis where it is the same on both sides."""
    return tuple(lo for lo, _ in sides) if all(lo == hi for lo, hi in sides) else None


def _flat(sides: Sides) -> tuple[int, ...]:
    """Padding as ``torch.nn.functional.pad`` takes it: the last axis first."""
    return tuple(pixels for side in reversed(sides) for pixels in side)
