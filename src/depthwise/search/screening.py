"""What designs take on the device at hand, measured, and which of them are within a budget of time and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from time import perf_counter
from typing import Any, overload

import torch

from depthwise.analysis.layer_table import write_bytes, write_count
from depthwise.analysis.memory import measure_memory
from depthwise.designer import Design
from depthwise.errors import DesignError, NotationError, SizeError
from depthwise.graph import Graph, SizedGraph
from depthwise.layers.layer import whole
from depthwise.layers.ops import format_shape
from depthwise.notation import write_layers
from depthwise.search.measuring import Bench, measure_peak, measure_seconds
from depthwise.tables import Cell, Column, Table
from depthwise.targets import read_graph
from depthwise.trace.tracing import is_out_of_memory
from depthwise.training.device import choose_device, choose_precision

BATCH_SIZE = 128
"""The estimator's."""
STEPS = 10


@dataclass(frozen=True)
class Screened:
    """What one design takes.

    Attributes
    ----------
    design
        As it was handed over.
    name
        How tables call it.
    forward_seconds, step_seconds
        For one image of a batch: to answer, and to learn (forward, backward, optimizer); ``None`` where the design was
        dropped before.
    peak_bytes
        Most memory at one time while learning from a batch; ``None`` where it was not run.
    reason
        Why it was dropped; ``None`` for one that is kept.
    """

    design: Any
    name: str
    forward_seconds: float | None = None
    step_seconds: float | None = None
    peak_bytes: int | None = None
    reason: str | None = None

    @property
    def kept(self) -> bool:
        """Whether it is within the budget."""
        return self.reason is None

    @property
    def images_per_second(self) -> float | None:
        """In training."""
        return 1 / self.step_seconds if self.step_seconds else None

    def to_dict(self) -> dict[str, Any]:
        """Everything but the design itself, as values that JSON can hold."""
        facts = {name: value for name, value in vars(self).items() if name != "design"}
        return {**facts, "images_per_second": self.images_per_second, "kept": self.kept}


@dataclass(frozen=True)
class Screening(Sequence[Screened]):
    """What designs take on one device, in the order in which they were given.

    Attributes
    ----------
    rows
        One for each design.
    batch_size, steps, device, precision, threads
        How it was measured: images of a step, steps of which the median counts, where, and with how many threads.
    """

    rows: tuple[Screened, ...]
    batch_size: int
    steps: int
    device: str
    precision: str
    threads: int

    @property
    def kept(self) -> tuple[Any, ...]:
        """Designs within the budget, as they were handed over."""
        return tuple(row.design for row in self.rows if row.kept)

    def table(self) -> Table:
        """One row a design."""
        numbers = ["ms forward", "ms step", "images/s", "memory"]
        columns = [Column("design"), *(Column(title, "right") for title in numbers), Column("dropped")]
        return Table(columns, [_cells(row) for row in self.rows], caption=self._caption())

    def _caption(self) -> str:
        kept = sum(row.kept for row in self.rows)
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.device == "cpu" else ""
        return "\n".join([
            f"{kept} of {len(self)} designs kept.  Measured on {self.device} in {self.precision}{threads}:",
            f"median of {self.steps} batches of {self.batch_size} images, in milliseconds an image;",
            "step: forward, backward and optimizer; images/s: in training;",
            "memory: the most at one time while learning from a batch.",
        ])  # fmt: skip

    def text(self) -> str:
        """The table as text."""
        return self.table().text(head_padding=0)

    def markdown(self) -> str:
        """The table as Markdown."""
        return self.table().markdown()

    def html(self) -> str:
        """The table as HTML."""
        return self.table().html()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the designs themselves, as values that JSON can hold."""
        return {**vars(self), "rows": [row.to_dict() for row in self.rows]}

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Screened: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Screened, ...]: ...
    def __getitem__(self, place: int | slice) -> Screened | tuple[Screened, ...]:
        return self.rows[place]

    def __iter__(self) -> Iterator[Screened]:
        return iter(self.rows)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def _cells(row: Screened) -> list[str | Cell]:
    times = ["" if each is None else f"{1000 * each:.3g}" for each in (row.forward_seconds, row.step_seconds)]
    rate = "" if row.images_per_second is None else write_count(row.images_per_second)
    memory = "" if row.peak_bytes is None else write_bytes(row.peak_bytes)
    return [row.name, *times, rate, memory, Cell(row.reason or "", "yellow")]


def screen(
    designs: Iterable[Any],
    input_shape: Iterable[int] | None = None,
    *,
    n_classes: int | None = None,
    seconds: float | None = None,
    memory: float | None = None,
    batch_size: int = BATCH_SIZE,
    steps: int = STEPS,
    device: str | torch.device = "auto",
    precision: str = "auto",
    clock: Callable[[], float] = perf_counter,
) -> Screening:
    """Measure what designs take on the device at hand, and drop those over budget with the reason.

    Each network is built once with new weights and learns from noise, with Adam, in the loop of the estimators.

    Parameters
    ----------
    designs
        A :class:`DesignSet`, or designs, layer lists and notations in a list.
    input_shape
        ``(channels, height, width)``; designs of the designer know theirs.
    n_classes
        Width of an ``Output()`` that has none.
    seconds
        Most seconds of training for one image of a batch; no bound by default.
    memory
        Most bytes at one time while learning from a batch; no bound by default.  What by its analysis takes more for
        weights and maps alone is not run.
    batch_size
        Images of a batch.
    steps
        Batches that are timed after a warm-up; their median counts.
    device, precision
        As for the estimators.
    clock
        Tells seconds; called before and after each step.

    Returns
    -------
    Screening
        A sequence of one row a design; ``.kept`` are the designs within the budget.

    Raises
    ------
    DesignError
        An argument cannot be, or an entry is no layer list.

    Examples
    --------
    >>> from itertools import count
    >>> ticks = count()
    >>> found = screen(
    ...     ["8C3-MP2-N", "8C9-N"], (1, 8, 8), n_classes=10, batch_size=4, device="cpu", clock=lambda: next(ticks)
    ... )
    >>> [row.step_seconds for row in found], found.kept
    ([0.25, None], ('8C3-MP2-N',))
    >>> print(found[1].reason.partition(". ")[0])
    layer 'conv2d1': a 9x9 kernel does not fit into its 8x8 input
    """
    for name, bound in (("seconds", seconds), ("memory", memory)):
        number = isinstance(bound, Real) and not isinstance(bound, bool) and isfinite(bound)
        if bound is not None and not (number and bound > 0):
            raise DesignError(f"{name} is {bound!r} but must be a number above 0, or None for no bound.")
    for name, asked in (("batch_size", batch_size), ("steps", steps)):
        if (whole(asked) or 0) < 1:
            raise DesignError(f"{name} is {asked!r} but must be a whole number of 1 or more.")
    if isinstance(designs, str) or not isinstance(designs, Iterable):
        raise DesignError(f"designs is {designs!r} but must be a DesignSet or a list of designs, such as ['32C3-N'].")
    chosen = choose_device(device)
    bench = Bench(chosen, choose_precision(precision, chosen), batch_size, steps, clock)
    shape = None if input_shape is None else tuple(input_shape)
    rows = [_screen(place, design, shape, n_classes, bench, seconds, memory) for place, design in enumerate(designs)]
    return Screening(tuple(rows), batch_size, steps, str(chosen), bench.precision, torch.get_num_threads())


def _screen(
    place: int,
    design: Any,
    input_shape: tuple[int, ...] | None,
    n_classes: int | None,
    bench: Bench,
    seconds: float | None,
    memory: float | None,
) -> Screened:
    """Measure one design: memory first, which also says whether it can be run at all."""
    name = _name(place, design)
    try:
        graph = _graph(name, design, input_shape, n_classes)
    except SizeError as problem:
        return Screened(design, name, reason=str(problem))
    needed = measure_memory(graph, batch_size=bench.batch_size).training
    if memory is not None and needed > memory:
        return Screened(design, name, reason=f"memory: {_over(needed, memory)}, not run")
    try:
        peak = measure_peak(graph, bench)
        if memory is not None and peak > memory:
            return Screened(design, name, peak_bytes=peak, reason=f"memory: {_over(peak, memory)}")
        forward, step = (each / bench.batch_size for each in measure_seconds(graph, bench))
    except ValueError as problem:  # PyTorch's: a batch norm sees a single value a channel
        return Screened(design, name, reason=f"cannot be trained: {problem}")
    except RuntimeError as problem:
        if not is_out_of_memory(problem):
            raise
        told = f"{bench.device} has not the memory for batches of {bench.batch_size} images"
        return Screened(design, name, reason=f"memory: {told} (at least {write_bytes(needed)})")
    slow = seconds is not None and step > seconds
    reason = f"time: {1000 * step:.3g} ms a step and image, at most {1000 * (seconds or 0):.3g} ms" if slow else None
    return Screened(design, name, forward, step, peak, reason)


def _over(count: int, bound: float) -> str:
    return f"{write_bytes(count)}, at most {write_bytes(bound)}"


def _graph(name: str, design: Any, input_shape: tuple[int, ...] | None, n_classes: int | None) -> SizedGraph:
    if isinstance(design, Design):
        return Graph.from_layers(design.layers).at(input_shape or design.input_shape)
    graph = read_graph(design, input_shape, n_classes)
    if input_shape is None and graph.input_shape is None:
        raise DesignError(f"{name}: the shape of the images is not known. Give input_shape=(channels, height, width).")
    sized = graph.at(input_shape)
    if None in sized.output_shape:
        raise DesignError(f"{name}: the width of its output is not known. Give n_classes, or write Output(10).")
    if len(sized.output_shape) > 1:
        shape = format_shape(sized.output_shape)
        raise DesignError(f"{name}: its output is {shape}, but it must be a row of numbers. End it with Output(10).")
    return sized


def _name(place: int, design: Any) -> str:
    if isinstance(design, Design):
        return f"{design.skeleton} from {design.width}"
    if isinstance(design, str):
        return design
    if not isinstance(design, (list, tuple)):
        raise DesignError(
            f"designs: number {place} is {design!r:.80} but must be a design, a layer list or a notation."
        )
    try:
        return write_layers(design)
    except NotationError:
        return f"number {place}"
