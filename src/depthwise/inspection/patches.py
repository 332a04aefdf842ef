"""Covered images of a chain of convolutions without computing again what no square has touched.

A square changes only those units whose receptive field it meets.  Along the chain from the image to the first operation
that reads everything, just the rectangle of changed units is computed, in a frame of what the whole image gives
(incremental inference for occlusion: Nakandala et al., SIGMOD 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthwise.modules import Network, Standardize
from depthwise.modules.parts import PaddedConv2d, PaddedMaxPool2d

GROUP = 8
"""Centers along an axis that share a batch at most."""
ROUNDED = 2
"""Sides of rectangles are rounded up to multiples of this, so that more of them share a batch."""
WORTHWHILE = 0.8
"""Share of the multiplications above which cutting out rectangles costs more than it saves."""

POINTWISE = (
    Standardize, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU,
    nn.SiLU, nn.Hardswish, nn.Tanh, nn.Sigmoid, nn.Softplus,
)  # fmt: skip
"""Modules that, in evaluation mode, treat every position alone."""


@dataclass(frozen=True)
class Step:
    """One operation of the chain.

    Attributes
    ----------
    module
        What computes it.
    window
        Span, stride and padding before and behind, per axis; ``None`` for what treats every position alone.
    """

    module: nn.Module
    window: tuple[tuple[int, int, int, int], ...] | None


@dataclass(frozen=True)
class Chain:
    """Operations up to the first that reads more than windows, and the clean maps that go into each and out of all."""

    network: Network
    steps: tuple[Step, ...]
    maps: tuple[Tensor, ...]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each of the maps."""
        return [(maps.shape[2], maps.shape[3]) for maps in self.maps]

    def finish(self, maps: Tensor) -> Tensor:
        """What the rest of the network makes of the chain's last map."""
        nodes = self.network.sized.nodes
        values = {nodes[len(self.steps) - 1].name: maps}
        for node in nodes[len(self.steps) :]:
            values[node.name] = self.network.get_submodule(node.name)(*[values[name] for name in node.node.inputs])
        return values[nodes[-1].name]


@dataclass(frozen=True)
class Rectangles:
    """Along one axis, for some centers: first changed unit of each and common width, level by level."""

    centers: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    widths: tuple[int, ...]


def find_chain(module: nn.Module) -> tuple[Step, ...]:
    """The operations from the image on that read windows of one map; empty where none can be shortened."""
    if not isinstance(module, Network) or any(
        part._forward_hooks or part._forward_pre_hooks for part in module.modules()
    ):
        return ()
    steps: list[Step] = []
    nodes = module.sized.nodes
    reads = [name for node in nodes for name in node.node.inputs]
    for place, node in enumerate(nodes[:-1]):
        if node.node.inputs != ((nodes[place - 1].name,) if place else ()):
            break
        part = module.get_submodule(node.name)
        if type(part) in (nn.Conv2d, PaddedConv2d, nn.MaxPool2d, PaddedMaxPool2d):
            steps.append(Step(part, _window(part)))
        elif type(part) in POINTWISE:
            steps.append(Step(part, None))
        else:
            break
        if reads.count(node.name) != 1:
            break
    return tuple(steps)


def is_worthwhile(steps: tuple[Step, ...], sizes: list[tuple[int, int]], rows: Tensor, columns: Tensor) -> bool:
    """Whether rectangles save enough multiplications; `rows` and `columns` are covers, centers x pixels."""
    tall, wide = (list(_rectangles(steps, sizes, axis, cover, GROUP)) for axis, cover in enumerate((rows, columns)))
    whole = partly = 0
    for level, step in enumerate(steps, 1):
        if isinstance(step.module, nn.Conv2d):
            cost = step.module.weight[:, 0].numel() * step.module.in_channels // step.module.groups
            whole += cost * sizes[level][0] * sizes[level][1] * len(rows) * len(columns)
            spans = [sum(one.widths[level] * len(one.centers) for one in groups) for groups in (tall, wide)]
            partly += cost * spans[0] * spans[1]
    return whole > 0 and partly < WORTHWHILE * whole


def compute_chain(module: nn.Module, steps: tuple[Step, ...], images: Tensor) -> Chain:
    """Run the chain on whole images."""
    maps = [images]
    for step in steps:
        maps.append(step.module(maps[-1]))
    return Chain(cast(Network, module), steps, tuple(maps))


def covered_outputs(
    chain: Chain, covers: tuple[Tensor, Tensor], fill: Tensor, step: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Tensor]]:
    """Outputs for covered images: rows and columns of the centers, outputs of shape (rows, columns, images, outputs).

    Parameters
    ----------
    chain
        Of the images.
    covers
        Share of each pixel that the square around each center covers, per axis: centers x pixels.
    fill
        One value a channel.
    step
        Covered images of a batch.
    """
    sizes, count = chain.sizes, len(chain.maps[0])
    side = GROUP
    while side > 1 and side * side * count > step:
        side -= 1
    for tall in _rectangles(chain.steps, sizes, 0, covers[0], side):
        for wide in _rectangles(chain.steps, sizes, 1, covers[1], side):
            places = [(row, column) for row in range(len(tall.centers)) for column in range(len(wide.centers))]
            patch = _first_patch(chain, covers, fill, tall, wide, places)
            for level, operation in enumerate(chain.steps):
                patch = _next_patch(chain, operation, level, patch, tall, wide, places)
            full = _framed(chain.maps[-1], len(chain.steps), patch, tall, wide, places)
            outputs = chain.finish(full).reshape(len(tall.centers), len(wide.centers), count, -1)
            yield tall.centers, wide.centers, outputs


def _window(part: Any) -> tuple[tuple[int, int, int, int], ...]:
    pads = getattr(part, "pads", None)  # the last axis first, as torch.nn.functional.pad takes them
    window = []
    for axis in range(2):
        kernel, stride, dilation, padding = (
            value[axis] if isinstance(value, tuple) else value
            for value in (part.kernel_size, part.stride, part.dilation, part.padding)
        )
        before, behind = (padding, padding) if pads is None else (pads[2 - 2 * axis], pads[3 - 2 * axis])
        window.append((dilation * (kernel - 1) + 1, stride, before, behind))
    return tuple(window)


def _rectangles(
    steps: tuple[Step, ...], sizes: list[tuple[int, int]], axis: int, cover: Tensor, side: int
) -> Iterator[Rectangles]:
    spans = [_spans(steps, sizes, axis, row) for row in (cover > 0).tolist()]
    alike: dict[tuple[int, ...], list[int]] = {}
    for center, ends in enumerate(spans):
        wanted = [-(-(last - start + 1) // ROUNDED) * ROUNDED for start, last in ends]
        widths = tuple(min(width, size[axis]) for width, size in zip(wanted, sizes, strict=True))
        alike.setdefault(widths, []).append(center)
    for widths, every in alike.items():
        for first in range(0, len(every), side):
            centers = every[first : first + side]
            starts = tuple(
                tuple(min(spans[center][level][0], size[axis] - width) for center in centers)
                for level, (size, width) in enumerate(zip(sizes, widths, strict=True))
            )
            yield Rectangles(tuple(centers), starts, widths)


def _spans(
    steps: tuple[Step, ...], sizes: list[tuple[int, int]], axis: int, covered: list[bool]
) -> list[tuple[int, int]]:
    """First and last changed unit of every level; where none is changed, any one."""
    first, last = covered.index(True), len(covered) - 1 - covered[::-1].index(True)
    found = [(first, last)]
    for level, step in enumerate(steps, 1):
        if step.window is not None:
            span, stride, before, _ = step.window[axis]
            end = sizes[level][axis] - 1
            first = min(max(-(-(first + before - span + 1) // stride), 0), end)
            last = max(min((last + before) // stride, end), first)
        found.append((first, last))
    return found


def _first_patch(
    chain: Chain, covers: tuple[Tensor, Tensor], fill: Tensor, tall: Rectangles, wide: Rectangles, places: Any
) -> Tensor:
    images, parts = chain.maps[0], []
    for row, column in places:
        y, x = _slices(tall, wide, 0, row, column)
        share = covers[0][tall.centers[row], y][:, None] * covers[1][wide.centers[column], x]
        parts.append(torch.lerp(images[:, :, y, x], fill.view(1, -1, 1, 1), share))
    return torch.cat(parts)


def _next_patch(
    chain: Chain, step: Step, level: int, patch: Tensor, tall: Rectangles, wide: Rectangles, places: Any
) -> Tensor:
    if step.window is None:
        return cast(Tensor, step.module(patch))
    part: Any = step.module
    pools = isinstance(part, nn.MaxPool2d)
    crop = _cropped(chain.maps[level], step, level, patch, tall, wide, places, -torch.inf if pools else 0.0)
    if pools:
        return F.max_pool2d(crop, part.kernel_size, part.stride, 0, part.dilation)
    return F.conv2d(crop, part.weight, part.bias, part.stride, 0, part.dilation, part.groups)


def _cropped(
    clean: Tensor, step: Step, level: int, patch: Tensor, tall: Rectangles, wide: Rectangles, places: Any, pad: float
) -> Tensor:
    """What the next rectangle reads: the patch, the clean map around it, padding around that."""
    assert step.window is not None
    count, channels = clean.shape[:2]
    sides = [
        (one.widths[level + 1] - 1) * stride + span
        for one, (span, stride, *_) in zip((tall, wide), step.window, strict=True)
    ]
    crop = clean.new_full((len(places) * count, channels, *sides), pad)
    if clean.is_contiguous(memory_format=torch.channels_last):
        crop = crop.contiguous(memory_format=torch.channels_last)
    for place, at in enumerate(places):
        frame, own = [], []
        for axis, (one, index) in enumerate(zip((tall, wide), at, strict=True)):
            _, stride, before, _ = step.window[axis]
            start = one.starts[level + 1][index] * stride - before
            frame.append(_overlap(start, sides[axis], 0, clean.shape[2 + axis]))
            own.append(_overlap(start, sides[axis], one.starts[level][index], one.widths[level]))
        target = crop[place * count : (place + 1) * count]
        target[:, :, frame[0][0], frame[1][0]] = clean[:, :, frame[0][1], frame[1][1]]
        source = patch[place * count : (place + 1) * count]
        target[:, :, own[0][0], own[1][0]] = source[:, :, own[0][1], own[1][1]]
    return crop


def _framed(clean: Tensor, level: int, patch: Tensor, tall: Rectangles, wide: Rectangles, places: Any) -> Tensor:
    if patch.shape[2:] == clean.shape[2:]:
        return patch
    count = len(clean)
    full = clean.repeat(len(places), 1, 1, 1)
    for place, (row, column) in enumerate(places):
        y, x = _slices(tall, wide, level, row, column)
        full[place * count : (place + 1) * count, :, y, x] = patch[place * count : (place + 1) * count]
    return full


def _slices(tall: Rectangles, wide: Rectangles, level: int, row: int, column: int) -> tuple[slice, slice]:
    top, left = tall.starts[level][row], wide.starts[level][column]
    return slice(top, top + tall.widths[level]), slice(left, left + wide.widths[level])


def _overlap(start: int, length: int, other: int, width: int) -> tuple[slice, slice]:
    """What two stretches share: as a slice of the first, and of the second."""
    low, high = max(start, other), max(min(start + length, other + width), start, other)
    return slice(low - start, high - start), slice(low - other, high - other)
