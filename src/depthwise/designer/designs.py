"""What the designer found: one design, and all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from textwrap import wrap
from typing import Any, overload

from depthwise.analysis import Analysis, analyze_graph
from depthwise.analysis.layer_table import write_bytes, write_count, write_percent
from depthwise.designer.limits import Limit, explain, find_limits
from depthwise.designer.problem import Budget, Problem
from depthwise.designer.source import write_source
from depthwise.designer.states import StateGraph
from depthwise.graph import Graph
from depthwise.layers import Input, Layer
from depthwise.layers.ops import format_shape
from depthwise.notation import write_layers, write_toml
from depthwise.tables import Column, Table

Ratios = tuple[float, ...]
LINE = 100
"""Columns of the text under a table."""


@dataclass(frozen=True)
class Design:
    """A network that obeys the rules within the budget.

    Attributes
    ----------
    layers
        An ordinary layer list; everything that takes one takes it.
    input_shape
        Channels, height and width of the images it is for.
    skeleton
        Convolutions that read each resolution, ``"7-3"``; after ``~`` only the longer axis was halved.
    depth
        Number of convolutions that look at more than one pixel.
    width
        Channels of the first one.
    params, macs, activation_bytes
        As of its analysis.
    training_memory
        Bytes to learn from one batch; ``None`` where the budget does not ask.
    capacity, coverage
        The lowest capacity, and the coverage of the last convolution, per axis, by the chosen measure.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    skeleton: str
    depth: int
    width: int
    params: int
    macs: int
    activation_bytes: int
    training_memory: int | None
    capacity: Ratios
    coverage: Ratios

    @cached_property
    def analysis(self) -> Analysis:
        """The report on it, layer by layer; measured when it is first asked for."""
        return analyze_graph(Graph.from_layers(self.layers).at(self.input_shape))

    @property
    def notation(self) -> str:
        """The layer list in its compact form."""
        return write_layers(self.layers)

    def to_toml(self) -> str:
        """The text of a TOML file of the layer list, with the images' shape."""
        return write_toml([Input(self.input_shape), *self.layers])

    def to_python(self) -> str:
        """Source of a plain ``torch.nn.Module`` called ``Network``, which runs without depthwise."""
        return write_source(self.analysis.graph, str(self))

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold; the layers in their compact form."""
        facts = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "layers"}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
        return {**plain, "notation": self.notation}

    def __str__(self) -> str:
        costs = f"{write_count(self.params)} parameters, {write_count(self.macs)} MACs"
        return f"{self.skeleton} from {self.width}: {self.depth} convolutions, {costs}"

    def _repr_html_(self) -> str:
        return self.analysis.html()


@dataclass(frozen=True)
class DesignSet(Sequence[Design]):
    """The designs that no other one beats in depth, width and every cost at once: deepest first, then widest.

    Attributes
    ----------
    designs
        All of them.

    Examples
    --------
    >>> from depthwise.designer import Budget, design
    >>> found = design((1, 28, 28), 10, budget=Budget(params=20_000, macs=8e6))
    >>> print(found.text(most=2))
    convolutions  from  depth  params    MACs   memory  capacity  coverage
    ------------  ----  -----  ------  ------  -------  --------  --------
    7-3              8     10   9,562   3.9 M  214 KiB    20.0 %    96.4 %
    7-1-1            8      9   9,722  3.22 M  199 KiB    20.0 %    96.4 %
    <BLANKLINE>
    9 designs for images of 1x28x28 and 10 classes, the first 2 of them.
    No other network is as deep, as wide and as cheap at once.
    Convolutions by resolution; from: channels of the first; memory: activations of an image in float32;
    capacity: the lowest; coverage: of the last convolution.
    No design is deeper than 10 convolutions: the rules allow no more at any price. More would need
    min_capacity of 15.79 % (asked: 16.67 %) or coverage up to 103.6 % (asked: 100 %).
    """

    designs: tuple[Design, ...]
    _problem: Problem = field(repr=False)
    _graph: StateGraph = field(repr=False)

    @property
    def budget(self) -> Budget:
        """The bounds of the costs that were asked for."""
        return self._problem.budget

    @property
    def best(self) -> Design:
        """The deepest one; of equally deep ones the widest."""
        return self.designs[0]

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """What alone keeps deeper designs out, and what it would have to be."""
        return find_limits(self._problem, self._graph, self.best.depth)

    @cached_property
    def why(self) -> str:
        """Why nothing deeper exists."""
        return explain(self.limits, self.best.depth, max(self._graph.deepest().values()))

    def table(self, most: int | None = None) -> Table:
        """One row a design, the first so many of them."""
        trained = self.best.training_memory is not None
        numbers = ["from", "depth", "params", "MACs", "memory", *["training"] * trained, "capacity", "coverage"]
        columns = [Column("convolutions"), *(Column(title, "right") for title in numbers)]
        shown = self.designs[:most]
        return Table(columns, [_cells(design) for design in shown], caption=self._caption(len(shown)))

    def _caption(self, shown: int) -> str:
        problem = self._problem
        count = f"{len(self)} design{'s' * (len(self) != 1)}"
        rest = f", the first {shown} of them" if shown < len(self) else ""
        lines = [
            f"{count} for images of {format_shape(problem.input_shape)} and {problem.n_classes} classes{rest}.",
            "No other network is as deep, as wide and as cheap at once.",
            "Convolutions by resolution; from: channels of the first; memory: activations of an image in float32;",
            "capacity: the lowest; coverage: of the last convolution.",
        ]
        if any("~" in design.skeleton for design in self.designs[:shown]):
            lines.append("~ halves the longer side alone.")
        return "\n".join([*lines, *wrap(self.why, LINE)])

    def text(self, most: int | None = None) -> str:
        """The table as text."""
        return self.table(most).text(head_padding=0)

    def markdown(self, most: int | None = None) -> str:
        """The table as Markdown."""
        return self.table(most).markdown()

    def html(self, most: int | None = None) -> str:
        """The table as HTML."""
        return self.table(most).html()

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {
            "input_shape": list(self._problem.input_shape),
            "n_classes": self._problem.n_classes,
            "budget": self._problem.budget.limits,
            "why": self.why,
            "limits": [limit.to_dict() for limit in self.limits],
            "designs": [design.to_dict() for design in self.designs],
        }

    def __len__(self) -> int:
        return len(self.designs)

    @overload
    def __getitem__(self, place: int) -> Design: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Design, ...]: ...
    def __getitem__(self, place: int | slice) -> Design | tuple[Design, ...]:
        return self.designs[place]

    def __iter__(self) -> Iterator[Design]:
        return iter(self.designs)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def _cells(design: Design) -> list[str]:
    training = [] if design.training_memory is None else [write_bytes(design.training_memory)]
    return [
        design.skeleton,
        str(design.width),
        str(design.depth),
        f"{design.params:,}",
        write_count(design.macs),
        write_bytes(design.activation_bytes),
        *training,
        write_percent(design.capacity),
        write_percent(design.coverage),
    ]
