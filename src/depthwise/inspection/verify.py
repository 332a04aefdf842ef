"""What is printed against what is: images with one row or column of NaN, through the module itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import or_
from typing import Literal

import torch
from torch import nn

from depthwise.analysis.intervals import UnitViews
from depthwise.errors import SizeError
from depthwise.graph import SizedGraph, SizedNode
from depthwise.layers.mixing import Opaque, Reshape
from depthwise.layers.shapes import Shape, format_shape
from depthwise.trace.layout import BATCH, Traced
from depthwise.trace.tracing import initialized
from depthwise.trace.watching import Watch

LARGEST_SIDE = 64
"""Sides up to this are tried row by row; of larger ones so many rows and columns are sampled."""

VALUES_A_BATCH = 1 << 22
"""Values of the images of one batch: 16 MiB of them, and a few times as much of maps."""

Verdict = Literal["equal", "different", "not verifiable", "not understood"]


@dataclass(frozen=True)
class LayerCheck:
    """What was found for one operation.

    Attributes
    ----------
    name
        Name of the node.
    verdict
        ``"equal"``: each unit depends on exactly the rows and columns that the analysis says.  ``"different"``: it does
        not.  ``"not verifiable"``: an operation swallows NaN here or above, so that nothing can be seen.
        ``"not understood"``: the analysis knows no field to compare with.
    units
        Number of units along the axes that differ, of how many.
    sees_all
        Whether each unit depends on all positions through a statistic of the map.
    """

    name: str
    verdict: Verdict
    units: tuple[int, int] = (0, 0)
    sees_all: bool = False


@dataclass(frozen=True)
class Verification:
    """Result of comparing all fields of a network with what its units truly depend on.

    Attributes
    ----------
    layers
        One entry an operation, in order.
    input_shape
        Shape of the images.
    probed
        Number of rows, columns, ... that were tried, per axis.
    """

    layers: tuple[LayerCheck, ...]
    input_shape: Shape
    probed: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Whether no field differs."""
        return not any(layer.verdict == "different" for layer in self.layers)

    @property
    def sampled(self) -> bool:
        """Whether only some rows and columns were tried."""
        return any(count < (side or 0) for count, side in zip(self.probed, self.input_shape[1:], strict=True))

    def __str__(self) -> str:
        counts = {
            verdict: sum(layer.verdict == verdict for layer in self.layers)
            for verdict in ("equal", "different", "not verifiable", "not understood")
        }
        found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        tried = f"{format_shape(self.probed)} of {format_shape(self.input_shape[1:])} rows and columns"
        lines = [f"{len(self.layers)} operations at {format_shape(self.input_shape)}: {found}.", f"Tried: {tried}."]
        for layer in self.layers:
            if layer.verdict == "different":
                lines.append(f"{layer.name}: {layer.units[0]} of {layer.units[1]} units see other pixels than is said.")
            elif layer.verdict != "equal":
                lines.append(f"{layer.name}: {layer.verdict}.")
        return "\n".join(lines)


def verify_module(module: nn.Module, input_shape: Iterable[int]) -> Verification:
    """Compare the fields of every operation with what its units truly depend on.

    Image i is random, with row (or column) i set to NaN; after a forward pass in evaluation, a unit is NaN in image i
    exactly where it depends on that row.  Runs on the CPU in float32; sides above 64 pixels are sampled.  The module is
    left as it was.

    Parameters
    ----------
    module
        A network of one input.
    input_shape
        ``(channels, height, width)``; other numbers of axes too.

    Raises
    ------
    TargetError
        The module cannot be called with such images, or does other things with other batches of them.

    Examples
    --------
    >>> check = verify_module(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2)), (1, 9, 9))
    >>> check.ok, [layer.verdict for layer in check.layers]
    (True, ['equal', 'equal', 'equal', 'equal'])
    """
    shape = tuple(input_shape)
    if len(shape) < 2:
        raise SizeError(
            f"input_shape is {shape!r}: rows of values have no fields to verify",
            "Give (channels, height, width)",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        watch = Watch(_on_cpu(initialized(module, [shape], [None])), shape)
        graph = watch.graph.at(shape)
        rows = [_sampled(side) for side in shape[1:]]
        seen = [_Seen(axis, watch.renamed) for axis in range(len(rows))]
        for axis, places in enumerate(rows):
            step = max(1, VALUES_A_BATCH // prod(shape))
            for start in range(0, len(places), step):
                seen[axis].fresh = set()
                watch.run(_images(shape, axis, places[start : start + step]), seen[axis].look)
    return Verification(tuple(_compare(graph, seen, rows)), shape, tuple(map(len, rows)))


def _on_cpu(module: nn.Module) -> nn.Module:
    values = [value for value in (*module.parameters(), *module.buffers()) if value.is_floating_point()]
    if all(value.device.type == "cpu" and value.dtype == torch.float32 for value in values):
        return module
    return copy.deepcopy(module).cpu().float()


def _sampled(side: int) -> list[int]:
    """Rows that are tried: all of them, or evenly spread ones with those at the borders."""
    if side <= LARGEST_SIDE:
        return list(range(side))
    border = LARGEST_SIDE // 8
    inner = LARGEST_SIDE - 2 * border
    spread = {border + (side - 2 * border) * place // inner for place in range(inner)}
    return sorted({*range(border), *range(side - border, side), *spread})


def _images(shape: tuple[int, ...], axis: int, places: Sequence[int]) -> torch.Tensor:
    images = torch.rand((len(places), *shape))
    for image, place in zip(images, places, strict=True):
        image.select(1 + axis, place).fill_(torch.nan)
    return images


class _Seen:
    """Which units of each node were NaN, along one axis; a tensor of images x units."""

    def __init__(self, axis: int, renamed: dict[str, str]) -> None:
        self.axis = axis
        self.renamed = renamed
        self.nodes: dict[str, list[torch.Tensor]] = {}
        self.fresh: set[str] = set()

    def look(self, traced: Traced, tensor: torch.Tensor) -> None:
        """Take note of a tensor; of views of it only the first counts."""
        name = self.renamed.get(traced.node, traced.node)
        if name in self.fresh or not tensor.is_floating_point():
            return
        self.fresh.add(name)
        self.nodes.setdefault(name, []).append(self._units(traced, tensor.isnan()))

    def _units(self, traced: Traced, nans: torch.Tensor) -> torch.Tensor:
        atoms = [atom for dim in traced.dims for atom in dim]
        one_image = prod(atom.size for atom in atoms)
        sizes = [nans.numel() // one_image if atom.label == BATCH else atom.size for atom in atoms]
        batch = [place for place, atom in enumerate(atoms) if atom.label == BATCH]
        pieces = [place for place, atom in enumerate(atoms) if atom.label == self.axis]
        order = [*batch, *sorted(pieces, key=lambda place: -atoms[place].below)]
        order += [place for place in range(len(atoms)) if place not in order]
        units = prod(atoms[place].size for place in pieces)
        return nans.reshape(sizes).permute(order).reshape(nans.numel() // one_image, units, -1).any(2)

    def of(self, name: str) -> torch.Tensor | None:
        """All that was seen of a node."""
        found = self.nodes.get(name)
        return None if found is None else torch.cat(found)


def _compare(graph: SizedGraph, seen: list[_Seen], rows: list[list[int]]) -> list[LayerCheck]:
    said = _Said(graph)
    blind: set[str] = set()
    checks = []
    for node in graph.nodes:
        said.add(node)
        found = [axis.of(node.name) for axis in seen]
        if any(units is None for units in found):
            continue  # flattening for a dense layer, and the like, makes no tensor of its own
        if node.name in said.unknown or node.name in said.lost:
            checks.append(LayerCheck(node.name, "not understood"))
            continue
        wanted = [said.units(node.name, axis, places) for axis, places in enumerate(rows)]
        pairs = [_common(truth, units) for truth, units in zip(found, wanted, strict=True) if truth is not None]
        # Rows that nothing at all is NaN for, although something should be.
        swallowed = any(bool((units.any(1) & ~truth.any(1)).any()) for truth, units in pairs)
        if swallowed or not blind.isdisjoint(node.node.inputs):
            blind.add(node.name)
            checks.append(LayerCheck(node.name, "not verifiable"))
            continue
        differ = sum(int((truth != units).any(0).sum()) for truth, units in pairs)
        count = sum(truth.shape[1] for truth, _ in pairs)
        whole = node.name in said.through_statistics
        checks.append(LayerCheck(node.name, "different" if differ else "equal", (differ, count), whole))
    return checks


class _Said:
    """What the analysis says that units depend on, statistics of whole maps taken in."""

    def __init__(self, graph: SizedGraph) -> None:
        self._views = UnitViews(graph)
        self._axes = range(len(graph.input_shape) - 1)
        self.through_statistics: dict[str, list[int]] = {}  # pixels that all units depend on, per axis, as bits
        self.unknown: set[str] = set()
        self.lost: set[str] = set()  # whose place in the image is not known, but that all of it is there

    def add(self, node: SizedNode) -> None:
        """Go on to a node."""
        sources = node.node.inputs
        everywhere = node.op.reads_all and len(node.input_shapes[0]) > 1
        if everywhere:
            self.through_statistics[node.name] = [self._all(sources, axis) for axis in self._axes]
        elif not self.through_statistics.keys().isdisjoint(sources):
            known = [self.through_statistics[name] for name in sources if name in self.through_statistics]
            self.through_statistics[node.name] = [reduce(or_, masks) for masks in zip(*known, strict=True)]
        if isinstance(node.op, Opaque) or not self.unknown.isdisjoint(sources):
            self.unknown.add(node.name)
        elif isinstance(node.op, Reshape) or (not everywhere and not self._regained(node.name, sources)):
            self.lost.add(node.name)

    def _regained(self, name: str, sources: tuple[str, ...]) -> bool:
        """Whether all that sources of unknown place hold reaches a node through a statistic as well."""
        lost = tuple(source for source in sources if source in self.lost)
        every = self.through_statistics.get(name)
        return not lost or (every is not None and all(not self._all(lost, axis) & ~every[axis] for axis in self._axes))

    def _all(self, names: tuple[str, ...], axis: int) -> int:
        own = [mask for name in names for mask in self._views.mask(name, axis)]
        return reduce(
            or_, own + [self.through_statistics[name][axis] for name in names if name in self.through_statistics]
        )

    def units(self, name: str, axis: int, places: list[int]) -> torch.Tensor:
        """Which units depend on each row that was tried: images x units."""
        every = self.through_statistics[name][axis] if name in self.through_statistics else 0
        masks = [mask | every for mask in self._views.mask(name, axis)]
        return torch.tensor([[bool(mask >> place & 1) for mask in masks] for place in places], dtype=torch.bool)


def _common(truth: torch.Tensor, said: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both with the same units: values without a place are one unit."""
    if truth.shape[1] == said.shape[1]:
        return truth, said
    if said.shape[1] == 1:
        return truth.any(1, keepdim=True), said
    return truth, said.any(1, keepdim=True)
