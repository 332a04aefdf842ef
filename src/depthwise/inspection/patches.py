"""Covered images of a chain of convolutions without computing again what no square has touched.

A square changes only those units whose receptive field it meets.  Along the chain from the image to the first operation
that reads everything, just the rectangle of changed units is computed, in a frame of what the whole image gives
(incremental inference for occlusion: Nakandala et al., SIGMOD 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthwise.modules import Network, Standardize
from depthwise.modules.folding import CONVOLUTIONS, FusedConv2d
from depthwise.modules.parts import GemmConv2d, PaddedMaxPool2d

GROUP = 8
"""Centers along an axis that share a batch at most."""
ROUNDED = 2
"""Sides of rectangles are rounded up to multiples of this, so that more of them share a batch."""
WORTHWHILE = 0.8
"""Share of the multiplications above which cutting out rectangles costs more than it saves."""

POINTWISE = (
    Standardize, nn.Identity, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU,
    nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Tanh, nn.Sigmoid, nn.Softplus,
)  # fmt: skip
"""Modules that, in evaluation mode, treat every position alone."""

Window = tuple[tuple[int, int, int, int], ...]
EVERYTHING: Window = ((1, 1, 0, 0), (1, 1, 0, 0))
"""What reads the last map as it is."""


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
    window: Window | None

    @property
    def convolution(self) -> Any:
        """The convolution in it, if there is one."""
        part = getattr(self.module, "convolution", self.module)
        return part if isinstance(part, nn.Conv2d) else None


@dataclass(frozen=True)
class Chain:
    """Operations up to the first that reads more than windows.

    Attributes
    ----------
    network, steps
        The network, and the operations.
    maps
        Clean maps that go into each operation, and out of the last.
    frames
        The same, padded as the operation pads them, channels last; ``None`` before what reads no windows.
    """

    network: Network
    steps: tuple[Step, ...]
    maps: tuple[Tensor, ...]
    frames: tuple[Tensor | None, ...]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each of the maps."""
        return [(maps.shape[2], maps.shape[3]) for maps in self.maps]

    def finish(self, maps: Tensor) -> Tensor:
        """What the rest of the network makes of the chain's last map."""
        nodes, parts, done = self.network.sized.nodes, self.network.parts, len(self.steps)
        values = {nodes[done - 1].name: maps}
        for node, part in zip(nodes[done:], parts[done:], strict=True):
            values[node.name] = part(*[values[name] for name in node.node.inputs])
        return values[nodes[-1].name]


@dataclass(frozen=True)
class Rectangles:
    """Along one axis, for some centers: first changed unit of each and common width, level by level."""

    centers: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What an operation reads along one axis, for each center of a rectangle: centers x positions.

    Attributes
    ----------
    frame, patch
        Place of each position in the padded clean map, and in the patch.
    inside
        Whether the patch has it.
    """

    frame: Tensor
    patch: Tensor
    inside: Tensor


def find_chain(module: nn.Module) -> tuple[Step, ...]:
    """The operations from the image on that read windows of one map; empty where none can be shortened."""
    if not isinstance(module, Network) or any(
        part._forward_hooks or part._forward_pre_hooks for part in module.modules()
    ):
        return ()
    steps: list[Step] = []
    nodes = module.sized.nodes
    reads = [name for node in nodes for name in node.node.inputs]
    for place, (node, part) in enumerate(zip(nodes[:-1], module.parts, strict=False)):
        if node.node.inputs != ((nodes[place - 1].name,) if place else ()):
            break
        if type(part) in (*CONVOLUTIONS, FusedConv2d, nn.MaxPool2d, PaddedMaxPool2d):
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
        if step.convolution is not None:
            cost = step.convolution.weight.numel()
            whole += cost * sizes[level][0] * sizes[level][1] * len(rows) * len(columns)
            spans = [sum(one.widths[level] * len(one.centers) for one in groups) for groups in (tall, wide)]
            partly += cost * spans[0] * spans[1]
    return whole > 0 and partly < WORTHWHILE * whole


def compute_chain(module: nn.Module, steps: tuple[Step, ...], images: Tensor) -> Chain:
    """Run the chain on whole images."""
    maps = [images]
    for step in steps:
        maps.append(step.module(maps[-1]))
    last = Step(nn.Identity(), EVERYTHING)
    frames = map(_frame, (*steps, last), maps, (*maps[1:], maps[-1]))
    return Chain(cast(Network, module), steps, tuple(maps), tuple(frames))


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
    rows, columns = (
        [(one, _readings(chain, axis, one)) for one in _rectangles(chain.steps, sizes, axis, cover, side)]
        for axis, cover in enumerate(covers)
    )
    for tall, vertical in rows:
        for wide, horizontal in columns:
            patch = _first_patch(chain.maps[0], covers, fill, tall, wide)
            for frame, operation, *readings in zip(chain.frames, chain.steps, vertical, horizontal, strict=False):
                patch = _next_patch(frame, operation, patch, readings)
            full = _set_in(chain.frames[-1], patch, (vertical[-1], horizontal[-1]))
            outputs = chain.finish(full).reshape(len(tall.centers), len(wide.centers), count, -1)
            yield tall.centers, wide.centers, outputs


def _window(part: Any) -> Window:
    part = getattr(part, "convolution", part)
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
        # Behind the last map, all of it is wanted.
        alike.setdefault((*widths, sizes[-1][axis]), []).append(center)
    for widths, every in alike.items():
        for first in range(0, len(every), side):
            centers = every[first : first + side]
            starts = [
                tuple(min(spans[center][level][0], size[axis] - width) for center in centers)
                for level, (size, width) in enumerate(zip(sizes, widths, strict=False))
            ]
            yield Rectangles(tuple(centers), (*starts, (0,) * len(centers)), widths)


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


def _frame(step: Step, clean: Tensor, after: Tensor) -> Tensor | None:
    if step.window is None:
        return None
    pads: list[int] = []
    for axis in (1, 0):
        span, stride, before, _ = step.window[axis]
        read = (after.shape[2 + axis] - 1) * stride + span
        pads += [before, max(read - before - clean.shape[2 + axis], 0)]
    pools = isinstance(step.module, nn.MaxPool2d)
    return F.pad(clean, pads, value=-torch.inf if pools else 0.0).permute(0, 2, 3, 1).contiguous()


def _first_patch(
    images: Tensor, covers: tuple[Tensor, Tensor], fill: Tensor, tall: Rectangles, wide: Rectangles
) -> Tensor:
    at, shares = [], []
    for one, cover in zip((tall, wide), covers, strict=True):
        places = _stretches(one.starts[0], one.widths[0], images.device)
        at.append(places)
        shares.append(cover[list(one.centers)].gather(1, places))
    parts = images.permute(0, 2, 3, 1)[:, at[0][:, None, :, None], at[1][None, :, None, :]]
    share = shares[0][:, None, None, :, None, None] * shares[1][None, :, None, None, :, None]
    covered = torch.lerp(parts.permute(1, 2, 0, 3, 4, 5), fill, share.to(images.dtype))
    return covered.flatten(0, 2).permute(0, 3, 1, 2)


def _readings(chain: Chain, axis: int, one: Rectangles) -> list[Reading | None]:
    """What each operation reads along an axis, and what reads the last map as a whole."""
    found: list[Reading | None] = []
    device = chain.maps[0].device
    for level, window in enumerate([*(step.window for step in chain.steps), EVERYTHING]):
        if window is None:
            found.append(None)
            continue
        span, stride, before, _ = window[axis]
        length = (one.widths[level + 1] - 1) * stride + span
        frame = _stretches([start * stride for start in one.starts[level + 1]], length, device)
        patch = frame - before - torch.tensor(one.starts[level], device=device)[:, None]
        found.append(Reading(frame, patch, (patch >= 0) & (patch < one.widths[level])))
    return found


def _next_patch(frame: Tensor | None, step: Step, patch: Tensor, readings: Sequence[Reading | None]) -> Tensor:
    if frame is None:
        return cast(Tensor, step.module(patch))
    part: Any = step.module
    crop = _set_in(frame, patch, readings)
    if isinstance(part, nn.MaxPool2d):
        return F.max_pool2d(crop, part.kernel_size, part.stride, 0, part.dilation)
    if isinstance(part, (FusedConv2d, GemmConv2d)):
        return part.convolve(crop, (0, 0))
    return F.conv2d(crop, part.weight, part.bias, part.stride, 0, part.dilation, part.groups)


def _set_in(frame: Tensor | None, patch: Tensor, readings: Sequence[Reading | None]) -> Tensor:
    """What the next operation reads: the patches, the clean map around them, padding around that."""
    assert frame is not None
    count, height, width, channels = frame.shape
    down, across = cast("Sequence[Reading]", readings)
    sides = patch.shape[2:]
    if (down.inside.shape[1], across.inside.shape[1]) == sides and bool(down.inside.all() & across.inside.all()):
        return patch
    n_rows, n_columns = len(down.frame), len(across.frame)
    # Rows of numbers, one a position: first those of the frame of every picture, then those of every patch.
    pictures = torch.arange(count, device=frame.device)[:, None, None]
    places = torch.arange(n_rows * n_columns * count, device=frame.device).view(n_rows, n_columns, count, 1, 1)
    of_frame = _grid(down.frame * width, across.frame) + pictures * (height * width)
    of_patch = _grid(down.patch * sides[1], across.patch) + places * sides.numel() + count * height * width
    inside = down.inside[:, None, None, :, None] & across.inside[None, :, None, None, :]
    index = torch.where(inside, of_patch, of_frame)
    numbers = torch.cat([frame.reshape(-1, channels), patch.permute(0, 2, 3, 1).reshape(-1, channels)])
    crop = numbers.index_select(0, index.flatten()).view(-1, *index.shape[3:], channels)
    return crop.permute(0, 3, 1, 2)


def _grid(down: Tensor, across: Tensor) -> Tensor:
    """Sums of two axes: rows of centers x columns of centers x 1 x positions down x positions across."""
    return down[:, None, None, :, None] + across[None, :, None, None, :]


def _stretches(starts: Sequence[int], length: int, device: torch.device) -> Tensor:
    """Positions of stretches of equal length: starts x positions."""
    return torch.tensor(starts, device=device)[:, None] + torch.arange(length, device=device)
