"""One operation as PyTorch source: the constructor of its module, if it has weights, and its call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from depthwise.errors import GraphError
from depthwise.graph import SizedNode
from depthwise.layers.layer import Pair
from depthwise.layers.ops import (
    Activation,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Merge,
    Norm,
    Pad,
    Pool,
    Sides,
    Size,
    Upsample,
)

EPS, MOMENTUM = 1e-5, 0.1
"""What PyTorch's norms have where nothing else is said."""
SLOPE = 0.01
"""What PyTorch's leaky ReLU has where nothing else is said."""

ACTIVATIONS = {
    "relu": "F.relu", "relu6": "F.relu6", "elu": "F.elu", "selu": "F.selu", "gelu": "F.gelu", "silu": "F.silu",
    "hardswish": "F.hardswish", "tanh": "torch.tanh", "sigmoid": "torch.sigmoid", "softplus": "F.softplus",
}  # fmt: skip
OVER_CHANNELS = {"softmax": "torch.softmax", "log_softmax": "torch.log_softmax"}


def make_constructor(node: SizedNode) -> str | None:
    """The module of a node, ``None`` where it has no weights."""
    op = node.op
    match op:
        case Conv():
            head = [str(op.in_channels), str(op.out_channels), _pair(op.kernel_size)]
            transposed = isinstance(op, ConvTranspose)
            padding = tuple(min(side) for side in op.sides) if transposed else _even(op.sides) or 0
            options = {"stride": _pair(op.stride), "padding": _pair(padding)}
            if isinstance(op, ConvTranspose):
                options["output_padding"] = _pair(op.output_padding)
            options |= {"dilation": _pair(op.dilation), "groups": str(op.groups), "bias": str(op.bias)}
            return f"nn.Conv{'Transpose' * transposed}2d({', '.join([*head, *_told(options)])})"
        case Norm(function="batch"):
            options = {"eps": str(op.eps), "momentum": str(op.momentum), "affine": str(op.affine)}
            rank = len(node.output_shape) - 1 or 1
            return f"nn.BatchNorm{rank}d({', '.join([str(op.num_features), *_told(options)])})"
        case Norm(function="group"):
            options = {"eps": str(op.eps), "affine": str(op.affine)}
            return f"nn.GroupNorm({', '.join([str(op.groups), str(op.num_features), *_told(options)])})"
        case Dense(in_features=int(width), out_features=int(units), groups=1):
            return f"nn.Linear({', '.join([str(width), str(units), *_told({'bias': str(op.bias)})])})"
    return None


def make_call(node: SizedNode, inputs: Sequence[str]) -> str:
    """What computes a node from its inputs; they may be calls themselves.

    Raises
    ------
    GraphError
        PyTorch has no such module or function.
    """
    op, x, own = node.op, inputs[0], f"self.{node.name}"
    match op:
        case ConvTranspose():
            crops = tuple((min(lo, hi) - lo, min(lo, hi) - hi) for lo, hi in op.sides)
            return f"{own}({x})" if _even(op.sides) else f"F.pad({own}({x}), {_flat(crops)})"
        case Conv():
            return f"{own}({x if _even(op.sides) else _padded(x, op.sides)})"
        case Norm(function="batch" | "group") | Dense():
            return f"{own}({x})"
        case Pool(function="max" | "avg"):
            return _pooled(op, node, x)
        case Pad(mode="constant"):
            return _padded(x, op.padding)
        case Upsample():
            return f'F.interpolate({x}, scale_factor={tuple(map(float, op.scale))}, mode="{op.mode}")'
        case Activation(function="leaky_relu"):
            return f"F.leaky_relu({x})" if op.slope in (None, SLOPE) else f"F.leaky_relu({x}, {op.slope})"
        case Activation(over_map=False) if op.function in ACTIVATIONS:
            return f"{ACTIVATIONS[op.function]}({x})"
        case Activation(over_map=False) if op.function in OVER_CHANNELS:
            return f"{OVER_CHANNELS[op.function]}({x}, 1)"
        case Dropout():
            kind = "dropout2d" if op.whole_channels and len(node.output_shape) == 3 else "dropout"
            return f"F.{kind}({x}, {op.p}, self.training)"
        case Merge(function="add", broadcast=False):
            return " + ".join(inputs)
        case Merge(function="concat", broadcast=False):
            return f"torch.cat([{', '.join(inputs)}], 1)"
        case GlobalPool(function="max" | "avg"):
            axes = tuple(range(2, len(node.input_shapes[0]) + 1))
            return f"torch.{'amax' if op.function == 'max' else 'mean'}({x}, {axes})"
        case Flatten():
            return f"torch.flatten({x}, 1)"
    raise GraphError(f"layer {node.node.layer!r}: there is no source for the operation {type(op).__name__}.")


def _pooled(op: Pool, node: SizedNode, x: str) -> str:
    """A pool; one of uneven padding pads first, with what never wins, or what the mean leaves out."""
    largest, even = op.function == "max", _even(op.sides)
    head = [_pair(op.kernel_size), *[_pair(op.stride)] * (op.stride != op.kernel_size)]
    options = {"padding": _pair(even or 0)}
    if largest:
        options["dilation"] = _pair(op.dilation)
    if even:
        options["ceil_mode"] = str(op.ceil_mode)
    if even and any(even) and not largest:
        options["count_include_pad"] = str(op.count_include_pad)
    arguments = ", ".join([*head, *_told(options)])
    kind = f"F.{op.function}_pool2d"
    if even:
        return f"{kind}({x}, {arguments})"
    sides = _filled(op, node)
    pooled = f"{kind}({_padded(x, sides, ', value=-torch.inf' if largest else '')}, {arguments})"
    if largest or op.count_include_pad:
        return pooled
    ones = f"torch.ones_like({x}[:1, :1])"
    return f"{pooled} / {kind}({_padded(ones, sides)}, {arguments})"


def _filled(op: Pool, node: SizedNode) -> Sides:
    """Padding up to the end of the last window that counts, so that ``ceil_mode`` needs no rule of its own."""
    sizes = zip(node.input_shapes[0][1:], node.output_shape[1:], op.sides, op.stride, op.span, strict=True)
    return tuple(
        (lo, max((cast(int, steps) - 1) * stride + span - cast(int, n) - lo, 0))
        for n, steps, (lo, _), stride, span in sizes
    )


def _told(options: dict[str, str]) -> list[str]:
    """Arguments that differ from PyTorch's defaults."""
    usual = {
        "stride": "1", "padding": "0", "output_padding": "0", "dilation": "1", "groups": "1", "bias": "True",
        "eps": str(EPS), "momentum": str(MOMENTUM), "affine": "True", "ceil_mode": "False", "count_include_pad": "True",
    }  # fmt: skip
    return [f"{name}={value}" for name, value in options.items() if value != usual[name]]


def _padded(x: str, sides: Sides, fill: str = "") -> str:
    return f"F.pad({x}, {_flat(sides)}{fill})"


def _even(sides: Sides) -> Size | None:
    """Padding per axis where it is the same on both sides."""
    return tuple(lo for lo, _ in sides) if all(lo == hi for lo, hi in sides) else None


def _flat(sides: Sides) -> Size:
    """Padding as ``F.pad`` takes it: the last axis first."""
    return tuple(pixels for side in reversed(sides) for pixels in side)


def _pair(value: Size | Pair) -> str:
    return str(value[0]) if isinstance(value, tuple) and len(set(value)) == 1 else str(value)
