"""Rules for functions that slide, pool, pad or resize a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import torch

from depthwise.layers.mixing import Opaque, Reshape
from depthwise.layers.ops import Conv, ConvTranspose, Pad, Pool, Size, Upsample
from depthwise.layers.resampling import AdaptivePool, PixelShuffle, PixelUnshuffle, Resize, Select
from depthwise.trace.layout import BATCH, CHANNEL, Atom, Indices, Traced, channels, is_channels, map_dims, tensor_shape
from depthwise.trace.recorder import Recorder

MODES = {"bilinear": "linear", "linear": "linear", "trilinear": "linear", "bicubic": "cubic"}


def per_axis(value: Any, rank: int) -> Size:
    """One number for all axes, or one an axis."""
    if isinstance(value, (tuple, list, torch.Size)):
        return tuple(map(int, value)) if len(value) == rank else (int(value[0]),) * rank
    return (int(value),) * rank


def as_map(recorder: Recorder, value: Traced, rank: int) -> Traced | None:
    """A tensor as the map of ``rank`` axes that a function takes it for; ``None`` where its batch is not the images'.

    Pieces of an axis that stand among the channels are a map of blocks; other axes than the image's are new ones.
    """
    if value.plain and len(value.shape) == rank + 1:
        return value
    dims = value.dims
    if len(dims) not in (rank + 1, rank + 2):
        return value if len(value.shape) != rank + 1 else Traced(value.node, dims, tensor_shape(dims)[1:])
    if len(dims) == rank + 1:  # no batch
        dims = ((Atom(BATCH, 1),), *dims)
    if prod(atom.size for atom in dims[0]) != 1:
        return None
    blocks = _blocks(value, dims, rank)
    if blocks is not None:
        return recorder.prepare(PixelUnshuffle(factor=blocks), value, "pixelunshuffle")
    shape = tensor_shape(dims)[1:]
    if value.shape == shape and all(dim == (Atom(axis, size),) for axis, (dim, size) in _axes(dims)):
        return Traced(value.node, map_dims(shape), shape, True)
    return recorder.prepare(Reshape(function="reshape", shape=shape), value, "reshape")


def _axes(dims: tuple[tuple[Atom, ...], ...]) -> list[tuple[int, tuple[tuple[Atom, ...], int]]]:
    return list(enumerate(zip(dims[2:], tensor_shape(dims)[2:], strict=True)))


def _blocks(value: Traced, dims: tuple[tuple[Atom, ...], ...], rank: int) -> Size | None:
    """Sides of the blocks, where the axes count blocks and the channels the pixels within them."""
    if len(value.shape) != rank + 1:
        return None
    inner = {atom.label: atom.size for atom in dims[1] if isinstance(atom.label, int) and atom.below == 1}
    factor = tuple(inner.get(axis, 1) for axis in range(rank))
    outer = all(len(dim) == 1 and dim[0] == Atom(axis, dim[0].size, factor[axis]) for axis, dim in enumerate(dims[2:]))
    whole = all(atom.label not in range(rank) or atom.below == 1 for atom in dims[1])
    return factor if outer and whole and prod(factor) > 1 else None


def _conv(
    rank: int,
    recorder: Recorder,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    source = recorder.traced(input)
    if source is None or recorder.traced(weight) is not None:
        return NotImplemented
    kernel, steps = tuple(weight.shape[2:]), per_axis(dilation, rank)
    if padding == "same":
        # PyTorch's "same" is for stride 1 and puts the larger half last, at any size of map.
        totals = [d * (k - 1) for k, d in zip(kernel, steps, strict=True)]
        sides = tuple((total // 2, total - total // 2) for total in totals)
    else:
        sides = tuple((p, p) for p in per_axis(0 if padding == "valid" else padding, rank))
    op = Conv(
        kernel_size=kernel, stride=per_axis(stride, rank), padding=sides, dilation=steps,
        out_channels=weight.shape[0], in_channels=weight.shape[1] * groups, groups=groups, bias=bias is not None,
    )  # fmt: skip
    return _slid(recorder, op, source, rank, f"conv{rank}d")


def _slid(recorder: Recorder, op: Any, source: Traced, rank: int, kind: str, name: str = "") -> Any:
    image = as_map(recorder, source, rank)
    if image is None:
        return _slid_over_copies(recorder, op, source, rank, kind, name)
    return recorder.record(op, (image,), kind, name=name)


def _slid_over_copies(recorder: Recorder, op: Any, source: Traced, rank: int, kind: str, name: str) -> Any:
    """A window over channels that stand in the batch: with the same weights for each of them, as groups."""
    batch, *rest = source.dims
    copies = prod(atom.size for atom in batch)
    folded = all(atom.label in (BATCH, CHANNEL) for atom in batch)
    if not folded or tensor_shape(tuple(rest))[1:] != source.shape[1:] or map_dims(source.shape)[2:] != tuple(rest[1:]):
        return NotImplemented
    if isinstance(op, Conv):
        op = replace(op, out_channels=(op.out_channels or 0) * copies, in_channels=(op.in_channels or 0) * copies,
                     groups=(op.groups or 1) * copies)  # fmt: skip
    made = recorder.record(op, (source,), kind, name=name)
    return made.under((batch, channels((made.shape[0] or 0) // copies), *map_dims(made.shape)[2:]))


def _conv_transpose(
    rank: int,
    recorder: Recorder,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    source = recorder.traced(input)
    if source is None or recorder.traced(weight) is not None:
        return NotImplemented
    op = ConvTranspose(
        kernel_size=tuple(weight.shape[2:]), stride=per_axis(stride, rank), dilation=per_axis(dilation, rank),
        padding=tuple((p, p) for p in per_axis(padding, rank)), output_padding=per_axis(output_padding, rank),
        out_channels=weight.shape[1] * groups, in_channels=weight.shape[0], groups=groups, bias=bias is not None,
    )  # fmt: skip
    return _slid(recorder, op, source, rank, f"conv{rank}dtranspose")


def _max_pool(
    rank: int,
    recorder: Recorder,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    op = Pool(
        function="max", kernel_size=per_axis(kernel_size, rank), stride=per_axis(stride or kernel_size, rank),
        padding=tuple((p, p) for p in per_axis(padding, rank)), dilation=per_axis(dilation, rank), ceil_mode=ceil_mode,
    )  # fmt: skip
    pooled = _slid(recorder, op, recorder.traced(input), rank, f"maxpool{rank}d", f"max_pool{rank}d")  # type: ignore[arg-type]
    return (pooled, Indices.of(pooled)) if return_indices and pooled is not NotImplemented else pooled


def _avg_pool(
    rank: int,
    recorder: Recorder,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    op = Pool(
        function="avg", kernel_size=per_axis(kernel_size, rank), stride=per_axis(stride or kernel_size, rank),
        padding=tuple((p, p) for p in per_axis(padding, rank)), dilation=(1,) * rank, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )  # fmt: skip
    return _slid(recorder, op, recorder.traced(input), rank, f"avgpool{rank}d", f"avg_pool{rank}d")  # type: ignore[arg-type]


def _lp_pool(
    rank: int,
    recorder: Recorder,
    input: Any,
    norm_type: Any,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: bool = False,
) -> Any:
    op = Pool(
        function="lp", kernel_size=per_axis(kernel_size, rank), stride=per_axis(stride or kernel_size, rank),
        padding=((0, 0),) * rank, dilation=(1,) * rank, ceil_mode=ceil_mode,
    )  # fmt: skip
    return _slid(recorder, op, recorder.traced(input), rank, f"lppool{rank}d", f"lp_pool{rank}d")  # type: ignore[arg-type]


def _adaptive_pool(
    rank: int, function: Any, recorder: Recorder, input: Any, output_size: Any, return_indices: bool = False
) -> Any:
    several = isinstance(output_size, (tuple, list, torch.Size))
    size = (
        tuple(output_size)
        if several and len(output_size) == rank
        else (output_size[0] if several else output_size,) * rank
    )
    kind, name = f"adaptive{function}pool{rank}d", f"adaptive_{function}_pool{rank}d"
    pooled = _slid(recorder, AdaptivePool(function=function, size=size), recorder.traced(input), rank, kind, name)  # type: ignore[arg-type]
    return (pooled, Indices.of(pooled)) if return_indices and pooled is not NotImplemented else pooled


def _pad(recorder: Recorder, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    source = recorder.traced(input)
    if source is None:
        return NotImplemented
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    if not any(map(any, pairs)):
        return source
    rank = len(source.dims) - 2
    sides = pairs[:rank][::-1]
    more = [*pairs[rank:], (0, 0), (0, 0)]
    image = source if source.plain else as_map(recorder, source, rank) if rank > 0 else None
    if any(more[1]) or image is None or not is_channels(image.dims[1]):
        return NotImplemented
    if any(more[0]):
        image = recorder.record(Select(channels=(image.shape[0] or 0) + sum(more[0])), (image,), "pad")
    if not any(map(any, sides)):
        return image
    padding = ((0, 0),) * (rank - len(sides)) + tuple(sides)
    return recorder.record(Pad(padding=padding, mode=mode), (image,), f"pad{rank}d", name="pad")


def _interpolate(
    recorder: Recorder,
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: bool = False,
) -> Any:
    source = recorder.traced(input)
    rank = len(source.dims) - 2 if source else 0
    image = as_map(recorder, source, rank) if source and rank > 0 else None
    if image is None:
        return NotImplemented
    side = None if size is None else per_axis(size, rank)
    factors = None
    if scale_factor is not None:
        factors = tuple(map(float, scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * rank))
    kind, now = f"upsample{rank}d", tuple(side or 0 for side in image.shape[1:])
    if antialias or mode not in ("nearest", "nearest-exact", "area", *MODES):
        out = side or tuple(int(n * s) for n, s in zip(now, factors or (), strict=True))
        shape = (image.shape[0], *out)
        return recorder.record(Opaque(function=f"interpolate({mode}, antialias)", shape=shape), (image,), kind)
    if recompute_scale_factor and factors:
        side, factors = tuple(int(n * s) for n, s in zip(now, factors, strict=True)), None
    if mode == "area":
        bins = side or tuple(int(n * s) for n, s in zip(now, factors or (), strict=True))
        return recorder.record(AdaptivePool(function="avg", size=bins), (image,), kind, name="interpolate")
    whole = factors and all(factor >= 1 and factor == int(factor) for factor in factors)
    if factors and whole and not align_corners and (mode == "nearest" or MODES.get(mode) == "linear"):
        scale, how = tuple(map(int, factors)), "nearest" if mode == "nearest" else "bilinear"
        return recorder.record(Upsample(scale=scale, mode=how), (image,), kind, name="interpolate")  # type: ignore[arg-type]
    op = Resize(mode=MODES.get(mode, mode), size=side, scale=factors, align_corners=bool(align_corners))  # type: ignore[arg-type]
    return recorder.record(op, (image,), kind, name="interpolate")


def _shuffle(op: Callable[..., Any], kind: str, recorder: Recorder, input: Any, factor: int) -> Any:
    return _slid(recorder, op(factor=(factor, factor)), recorder.traced(input), 2, kind, kind)  # type: ignore[arg-type]


def _ranked(name: str, rule: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {name.format(rank): partial(rule, rank) for rank in (1, 2, 3)}


RULES: dict[str, Callable[..., Any]] = {
    **_ranked("conv{}d", _conv),
    **_ranked("conv_transpose{}d", _conv_transpose),
    **_ranked("max_pool{}d", _max_pool),
    **{f"max_pool{rank}d_with_indices": partial(_max_pool, rank, return_indices=True) for rank in (1, 2, 3)},
    **_ranked("avg_pool{}d", _avg_pool),
    **_ranked("lp_pool{}d", _lp_pool),
    **{
        f"adaptive_{how}_pool{rank}d": partial(_adaptive_pool, rank, how)
        for how in ("avg", "max")
        for rank in (1, 2, 3)
    },
    "pad": _pad,
    "interpolate": _interpolate,
    "upsample": _interpolate,
    "pixel_shuffle": partial(_shuffle, PixelShuffle, "pixelshuffle"),
    "pixel_unshuffle": partial(_shuffle, PixelUnshuffle, "pixelunshuffle"),
}
"""Function name -> rule.  A rule takes the recorder and the function's own arguments, records what it does, and returns
what is known of the result; ``NotImplemented`` where it does not understand."""
