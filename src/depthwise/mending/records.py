"""Operations as layer records: which argument an attribute is, and which layer an operation makes."""

from __future__ import annotations

from typing import Any

from depthwise.errors import RuleError
from depthwise.graph import Insert, Node
from depthwise.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPool2D,
    SpatialDropout2D,
    ops,
)

RENAMED = {"out_features": "units", "function": "activation", "slope": "negative_slope"}
"""Attributes that layers call otherwise."""


def argument_for(node: Node, layer: Layer, attribute: str, value: object) -> tuple[str, object]:
    """Argument of a layer, and its value, that sets an attribute of one of its operations.

    Raises
    ------
    RuleError
        The layer has no such argument.
    """
    argument = RENAMED.get(attribute, attribute)
    known = type(layer).__dataclass_fields__
    if argument not in known:
        raise RuleError(
            f"layer {node.layer!r} ({type(layer).__name__}) has no argument {argument!r}. It has: {', '.join(known)}."
        )
    return argument, _padding(node.layer, value) if argument == "padding" else value


def _padding(layer: str, value: object) -> object:
    """Padding per side as layers write it: the same on both sides of an axis."""
    if not isinstance(value, tuple):
        return value
    if any(before != after for before, after in value):
        raise RuleError(
            f"layer {layer!r} cannot pad {value}: both sides of an axis must be equal. Put a ZeroPad2D before it."
        )
    return tuple(before for before, _ in value)


def record_for(insert: Insert) -> Layer:
    """Layer record of a new operation.

    >>> record_for(Insert("conv2d1", ops.Dropout(p=0.2), "dropout2", "dropout2", "dropout"))
    Dropout(p=0.2)
    """
    op = insert.op
    match op:
        case ops.Pool():
            kind = MaxPool2D if op.function == "max" else AvgPool2D
            padding: Any = _padding(insert.layer, op.padding)
            return kind(_pair(op.kernel_size), _pair(op.stride), padding=padding, ceil_mode=op.ceil_mode)
        case ops.GlobalPool():
            return GlobalAvgPool2D() if op.function == "avg" else GlobalMaxPool2D()
        case ops.Activation(function="leaky_relu") if op.slope is not None:
            return LeakyReLU(op.slope)
        case ops.Activation():
            return Activation(op.function)
        case ops.Dropout():
            return SpatialDropout2D(op.p) if op.whole_channels else Dropout(op.p)
        case ops.Norm(function="batch"):
            return BatchNorm(momentum=op.momentum, eps=op.eps)
        case ops.Norm(function="group") if op.groups is not None:
            return GroupNorm(op.groups, eps=op.eps)
        case ops.Conv() if op.out_channels is not None and not isinstance(op, ops.ConvTranspose):
            padding = _padding(insert.layer, op.padding)
            return Conv2D(
                op.out_channels,
                _pair(op.kernel_size),
                stride=_pair(op.stride),
                padding=padding,
                dilation=_pair(op.dilation),
                groups=op.groups or 1,
                bias=op.bias,
                activation=None,
            )
    raise RuleError(f"no layer does what {type(op).__name__} does. Make the change by hand.")


def _pair(size: ops.Size) -> tuple[int, int]:
    if len(size) != 2:
        raise RuleError(f"layers slide over height and width, not over {len(size)} axes. Make the change by hand.")
    return size[0], size[1]
