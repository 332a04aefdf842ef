"""What a network costs: multiply-accumulates and activation memory for one image."""

from __future__ import annotations

from math import prod

from depthwise.graph import SizedNode
from depthwise.layers.mixing import Matmul
from depthwise.layers.ops import Activation, Conv, ConvTranspose, Dense, Merge, Norm

BYTES_PER_VALUE = 4
"""float32."""


def count_macs(node: SizedNode) -> int | None:
    """Multiply-accumulates of one operation for one image; 2 of them are the literature's FLOPs.

    Convolutions m_y m_x c_out (c_in / groups) k_y k_x, transposed ones over the input's positions, dense layers n_in
    n_out at each position, products of maps and attention as recorded; everything else counts as none.  ``None`` while
    a width is unknown.
    """
    op = node.op
    if isinstance(op, Dense):
        positions = prod(side or 0 for side in node.output_shape[1:]) * op.groups
        return None if op.out_features is None else (op.in_features or 0) * op.out_features * positions
    if isinstance(op, Matmul):
        return op.macs
    if isinstance(op, Conv):
        shape = node.input_shapes[0] if isinstance(op, ConvTranspose) else node.output_shape
        return prod(side or 0 for side in shape[1:]) * (op.out_channels or 0) * op.fan_in
    return 0


def count_elementwise(node: SizedNode) -> int | None:
    """Operations on single values for one image: activations, norms, sums and products of maps, one for each value.

    They cost no MACs but memory traffic.  ``None`` while a width is unknown.
    """
    if not isinstance(node.op, (Activation, Norm, Merge)):
        return 0
    if isinstance(node.op, Merge) and node.op.function == "concat":
        return 0
    values = count_bytes(node)
    times = len(node.input_shapes) - 1 if isinstance(node.op, Merge) else 1
    return None if values is None else values // BYTES_PER_VALUE * times


def count_bytes(node: SizedNode) -> int | None:
    """Bytes of one operation's output for one image in float32; ``None`` while a width is unknown."""
    sides = [side for side in node.output_shape if side is not None]
    return prod(sides) * BYTES_PER_VALUE if len(sides) == len(node.output_shape) else None
