"""What each unit truly reads, found by running the network in torch: the oracle of every claim about fields.

Image i of a batch is random, with row (or column) i set to NaN; after a forward pass, a unit is NaN in image i exactly
where it reads that row, through padding, remainders, phases and branches.  Channels do not matter to where a unit
looks, so the oracle runs each operation on one channel, with weights of one, in float64 (no fast algorithm that would
spread a NaN beyond its window).
"""

import torch
from torch.nn import functional as F

from depthwise.graph import SizedGraph
from depthwise.layers.ops import (
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalPool,
    Merge,
    Op,
    Pad,
    Pool,
    Upsample,
)

Reads = dict[str, list[frozenset[int]]]
"""Node name -> for each unit along the axis, the positions of the image that it reads."""


def read_by(graph: SizedGraph, axis: int) -> Reads:
    """Positions along one axis that each unit of each node reads; a flat node is one unit."""
    size = tuple(side or 0 for side in graph.input_shape[1:])
    images = torch.rand(size[axis], 1, *size, dtype=torch.float64)
    for i in range(size[axis]):
        images[i].select(1 + axis, i).fill_(torch.nan)
    values: dict[str, torch.Tensor] = {graph.nodes[0].name: images}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # maps this small only wait for one another
    for node in graph.nodes[1:]:
        values[node.name] = _run(node.op, [values[name] for name in node.node.inputs])
    torch.set_num_threads(threads)
    return {name: _units(value, axis) for name, value in values.items()}


def _units(value: torch.Tensor, axis: int) -> list[frozenset[int]]:
    nans = value.isnan()
    if value.dim() == 2:
        return [frozenset(nans.any(1).nonzero()[:, 0].tolist())]
    others = [dim for dim in range(1, nans.dim()) if dim != 2 + axis]
    reads = nans.any(others)  # image x unit
    return [frozenset(reads[:, unit].nonzero()[:, 0].tolist()) for unit in range(reads.shape[1])]


def _run(op: Op, inputs: list[torch.Tensor]) -> torch.Tensor:
    value = inputs[0]
    match op:
        case ConvTranspose():
            weight = torch.ones(1, 1, *op.kernel_size, dtype=value.dtype)
            full = F.conv_transpose2d(value, weight, stride=op.stride, dilation=op.dilation)
            # Padding cuts the full result at its beginning, padding less output_padding at its end.
            ends = [(-lo, extra - hi) for (lo, hi), extra in zip(op.sides, op.output_padding, strict=True)]
            return F.pad(full, [side for sides in reversed(ends) for side in sides])
        case Conv():
            weight = torch.ones(1, 1, *op.kernel_size, dtype=value.dtype)
            return F.conv2d(_padded(op, value, 0.0), weight, stride=op.stride, dilation=op.dilation)
        case Pool():
            # Partial windows read what is there; what lies beyond the map is never a NaN.
            steps = zip(value.shape[2:], op.sides, op.kernel_size, op.stride, strict=True)
            more = [_missing(n + lo + hi, k, s, n + lo) if op.ceil_mode else 0 for n, (lo, hi), k, s in steps]
            value = F.pad(_padded(op, value, 0.0), [side for end in reversed(more) for side in (0, end)])
            return F.max_pool2d(value, op.kernel_size, op.stride)
        case Pad():
            return F.pad(value, [side for sides in reversed(op.padding) for side in sides])
        case Upsample(mode="bilinear"):
            return F.interpolate(value, scale_factor=list(map(float, op.scale)), mode="bilinear")
        case Upsample():
            return F.interpolate(value, scale_factor=list(map(float, op.scale)), mode="nearest")
        case Merge(function="concat") if value.dim() > 2:
            return torch.stack(inputs).sum(0)
        case Merge():
            return sum(inputs[1:], value) if value.dim() > 2 else torch.cat(inputs, 1)
        case Dense():
            return value.flatten(1).sum(1, keepdim=True)
        case Flatten():
            return value.flatten(1)
        case GlobalPool():
            return value.mean((2, 3))
    return value


def _padded(op: Conv | Pool, value: torch.Tensor, fill: float) -> torch.Tensor:
    return F.pad(value, [side for sides in reversed(op.sides) for side in sides], value=fill)


def _missing(padded: int, kernel: int, stride: int, real: int) -> int:
    """How far a last, partial window that starts inside the map or its left padding looks over the padded end."""
    steps, rest = divmod(padded - kernel, stride)
    return stride - rest if rest and (steps + 1) * stride < real else 0
