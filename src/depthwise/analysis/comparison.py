"""Two analyses side by side: two networks, or one network on images of two sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from depthwise.analysis.layer_table import write_both, write_bytes, write_count, write_percent
from depthwise.analysis.record import Analysis, LayerAnalysis
from depthwise.layers.ops import format_shape
from depthwise.tables import Column, Table

Pair = tuple[LayerAnalysis | None, LayerAnalysis | None]


@dataclass(frozen=True)
class Comparison:
    """Two analyses side by side.

    Attributes
    ----------
    first, second
        The analyses.
    batch_size
        Number of images of the memory to learn with and to answer with.

    Examples
    --------
    >>> from depthwise.analysis import analyze_graph
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> old = analyze_graph(Graph.from_layers([Conv2D(8), MaxPool2D()]).at((1, 28, 28)))
    >>> new = analyze_graph(Graph.from_layers([Conv2D(8, 5), MaxPool2D(), Conv2D(8)]).at((1, 28, 28)))
    >>> comparison = Comparison(old, new)
    >>> comparison.facts["params"], comparison.facts["receptive_field"]
    ((80, 792), ((4, 4), (10, 10)))
    >>> [tuple(row and row.name for row in pair) for pair in comparison.rows]
    [('input0', 'input0'), ('conv2d1', 'conv2d1'), ('maxpool2d2', 'maxpool2d2'), (None, 'conv2d3')]
    """

    first: Analysis
    second: Analysis
    batch_size: int = 1

    @property
    def facts(self) -> dict[str, tuple[Any, Any]]:
        """Name -> value of both, of the whole networks: sums, largest fields and coverage, lowest capacity.

        Per-axis values are tuples; ``None`` stands where a fact does not apply.
        """
        old, new = (_facts(analysis, self.batch_size) for analysis in (self.first, self.second))
        return {name: (old[name], new[name]) for name in old}

    @property
    def rows(self) -> tuple[Pair, ...]:
        """Layers in order, those of one name side by side; ``None`` where only the other network has it."""
        old, new = ([row.name for row in analysis.layers] for analysis in (self.first, self.second))
        pairs: list[Pair] = []
        for step, start, end, at, to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            left, right = self.first.layers[start:end], self.second.layers[at:to]
            if step == "equal":
                pairs += zip(left, right, strict=True)
            else:
                pairs += [*((row, None) for row in left), *((None, row) for row in right)]
        return tuple(pairs)

    def table(self) -> Table:
        """One table, the whole networks first, then layer by layer: ``old -> new`` where both differ."""
        facts = self.facts
        columns = [Column("layer"), Column("output"), *(Column(title, "right") for title, _ in COLUMNS.values())]
        whole = ["all", "", *(_change(*map(write, facts[name])) for name, (_, write) in COLUMNS.items())]
        lines = [f"{title}: {_change(*map(write, facts[name]))}" for name, (title, write) in LINES.items()]
        caption = "\n".join([*lines, f"memory for a batch of {self.batch_size} in float32, learning with Adam"])
        return Table(columns, [whole, *(_cells(*pair) for pair in self.rows)], caption=caption)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {
            "batch_size": self.batch_size,
            "facts": {name: [list(value) if isinstance(value, tuple) else value for value in pair]
                      for name, pair in self.facts.items()},
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
        }  # fmt: skip

    def text(self) -> str:
        """The table as text."""
        return self.table().text(head_padding=0)

    def markdown(self) -> str:
        """The table as Markdown."""
        return self.table().markdown()

    def html(self) -> str:
        """The table as HTML."""
        return self.table().html()

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def _write_params(count: int | None) -> str:
    return "?" if count is None else f"{count:,}" if count else ""


def _write_macs(count: int | None) -> str:
    return "?" if count is None else write_count(count) if count else ""


def _write_memory(count: int | None) -> str:
    return "?" if count is None else write_bytes(count)


def _write_pixels(values: tuple[float, ...] | None) -> str:
    return write_both(None if values is None else [f"{value:.0f}" for value in values])


COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "params": ("params", _write_params),
    "macs": ("MACs", _write_macs),
    "activation_bytes": ("memory", _write_memory),
    "receptive_field": ("field", write_both),
    "capacity": ("capacity", write_percent),
    "coverage": ("coverage", write_percent),
}
"""Facts of a row, with their heads; of whole networks the sum, the largest field and coverage, the lowest capacity."""

LINES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "effective_field": ("effective field", _write_pixels),
    "unread": ("share of the image that is not read", lambda share: write_percent(None if share is None else [share])),
    "training_bytes": ("memory to learn with", write_bytes),
    "inference_bytes": ("memory to answer with", write_bytes),
}
"""Facts that only whole networks have."""


def _facts(analysis: Analysis, batch_size: int) -> dict[str, Any]:
    memory = analysis.memory(batch_size)
    rows = [row for row in analysis.layers if row.coverage is not None]  # without the input and the head
    return {
        "params": analysis.params,
        "macs": analysis.macs,
        "activation_bytes": analysis.activation_bytes,
        "receptive_field": _of_all(max, (row.receptive_field for row in rows)),
        "capacity": _of_all(min, (row.capacity for row in rows)),
        "coverage": _of_all(max, (row.coverage for row in rows)),
        "effective_field": _of_all(max, (row.effective_field for row in rows)),
        "unread": analysis.unread.share if len(analysis.input_shape) > 1 else None,
        "training_bytes": memory.training,
        "inference_bytes": memory.inference,
    }


def _of_all(choose: Callable[..., Any], found: Iterable[tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
    """The largest or smallest value of each axis."""
    known = [values for values in found if values is not None]
    return tuple(map(choose, zip(*known, strict=True))) if known else None


def _cells(old: LayerAnalysis | None, new: LayerAnalysis | None) -> list[str]:
    if old is None or new is None:
        only = old or new
        assert only is not None
        return [f"{'+' if old is None else '-'} {only.name}", *_texts(only)]
    return [f"  {old.name}", *map(_change, _texts(old), _texts(new))]


def _texts(row: LayerAnalysis) -> list[str]:
    texts = [format_shape(row.output_shape)]
    for name, (_, write) in COLUMNS.items():
        # As in the table of one network, the input and the head have no field.
        texts.append("" if name == "receptive_field" and row.coverage is None else write(getattr(row, name)))
    return texts


def _change(old: str, new: str) -> str:
    """What is alike once, and what differs as a change."""
    return old if old == new else f"{old or '-'} -> {new or '-'}"
