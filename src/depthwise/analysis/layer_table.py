"""The modern table of an analysis, and how its parameter counts come about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.layers.mixing import Opaque
from depthwise.layers.ops import format_shape
from depthwise.tables import Cell, Column, Table

if TYPE_CHECKING:
    from depthwise.analysis.record import Analysis, LayerAnalysis

KIBI = 1024
THOUSAND = 1000


def layer_table(analysis: Analysis) -> Table:
    """Table with one row a layer: sizes, kernel, parameters, work, memory, field, capacity and coverage."""
    measured = any(layer.coverage is not None for layer in analysis.layers)
    titles = ["layer", "input", "kernel", "output"]
    numbers = ["params", "MACs", "memory", *(["filter", "reach", "field", "capacity", "coverage"] if measured else [])]
    columns = [*map(Column, titles), *(Column(title, "right") for title in numbers)]
    return Table(columns, [_cells(row, measured) for row in analysis.layers], caption=_summary(analysis, measured))


def _cells(row: LayerAnalysis, measured: bool) -> list[Cell | str]:
    low = row.capacity is not None and min(row.capacity) < MIN_CAPACITY
    high = row.coverage is not None and max(row.coverage) > MAX_COVERAGE
    color = {(True, False): "magenta", (False, True): "cyan", (True, True): "red"}.get((low, high))
    cells: list[Cell | str] = [
        Cell(row.name, color),
        format_shape(row.input_shape),
        row.kernel or "",
        format_shape(row.output_shape),
        "?" if row.params is None else f"{row.params:,}" if row.params else "",
        "?" if row.macs is None else write_count(row.macs) if row.macs else "",
        "?" if row.activation_bytes is None else write_bytes(row.activation_bytes),
    ]
    if not measured:
        return cells
    if row.coverage is None:
        return [*cells, *[""] * 5]
    return [
        *cells,
        write_both(row.real_filter_size),
        write_both(row.reach),
        write_both(row.receptive_field),
        Cell(write_percent(row.capacity) + " <" * low, color if low else None),
        Cell(write_percent(row.coverage) + " >" * high, color if high else None),
    ]


def write_both(values: Sequence[object] | None) -> str:
    """Both axes of a value, once where they agree; nothing where it does not apply."""
    if values is None:
        return ""
    texts = list(map(str, values))
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def write_percent(ratios: Sequence[float] | None) -> str:
    """Ratios of both axes in percent, once where they agree; nothing where they do not apply."""
    if ratios is None:
        return ""
    texts = [f"{100 * ratio:.1f} %" for ratio in ratios]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)


def _summary(analysis: Analysis, measured: bool) -> str:
    unknown = " and those of the output, whose width the data tell" if None in analysis.output_shape else ""
    unsure = {node.node.layer for node in analysis.graph.nodes if isinstance(node.op, Opaque) and node.op.sums}
    kept = f" (and {analysis.buffers:,} running statistics, not trained)" if analysis.buffers else ""
    lines = [
        f"{analysis.params:,} parameters{kept}{unknown}, {write_bytes(4 * analysis.params)}",
        f"{'at least ' if unsure else ''}{write_count(analysis.macs)} MACs an image (FLOPs are twice that), "
        f"{write_count(analysis.elementwise)} element-wise operations, "
        f"{write_bytes(analysis.activation_bytes)} of activations in float32",
    ]
    if measured:
        lines.append(
            "filter, reach and field in pixels; capacity = filter / reach, < below 1/6; "
            "coverage = reach / image, > above 100 %"
        )
    for what, opaque in (("fields behind and work inside", True), ("fields behind", False)):
        listed = [f"{row} ({function})" for row, function in analysis.not_understood if (row in unsure) is opaque]
        if listed:
            lines.append(f"not understood, so that {what} are not known: {', '.join(listed)}")
    if analysis.observed:
        lines.append("run once, on a random image: if the module chooses its way by values, another may take another")
    return "\n".join(lines)


def write_count(count: float) -> str:
    """A large number in three digits.

    >>> write_count(86_240), write_count(129_750_000), write_count(12), write_count(999_600)
    ('86.2 k', '130 M', '12', '1 M')
    """
    if count < THOUSAND:
        return str(int(count))
    return _three_digits(count, THOUSAND, ("", " k", " M", " G", " T"))


def write_bytes(count: float) -> str:
    """A number of bytes in three digits.

    >>> write_bytes(86_528), write_bytes(40), write_bytes(1023 * 1024)
    ('84.5 KiB', '40 B', '0.999 MiB')
    """
    return _three_digits(count, KIBI, (" B", " KiB", " MiB", " GiB", " TiB"))


def _three_digits(count: float, step: int, units: tuple[str, ...]) -> str:
    """The number with the smallest unit that leaves no more than three digits before the point."""
    *smaller, largest = units
    for unit in smaller:
        if float(f"{count:.3g}") < THOUSAND:
            return f"{count:.3g}{unit}"
        count /= step
    return f"{count:,.3g}{largest}" if count < THOUSAND else f"{count:,.0f}{largest}"


def write_explanation(analysis: Analysis) -> str:
    """Each parameter count, spelled out."""
    rows = [row for row in analysis.layers if row.spelled]
    wide = max((len(row.name) for row in rows), default=0)
    long = max((len(row.spelled) for row in rows), default=0)
    counts = ["?" if row.params is None else f"{row.params:,}" for row in rows]
    lines = [f"{row.name:<{wide}}  {row.spelled:<{long}} = {count}" for row, count in zip(rows, counts, strict=True)]
    return "\n".join([*lines, f"{'total':<{wide}}  {'':<{long}} = {analysis.params:,}"])
