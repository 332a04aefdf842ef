"""The layer tables as nolearn printed them, character for character."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.errors import GraphError
from depthwise.layers.ops import format_shape
from depthwise.tables import COLORS, Cell, Column, Table

if TYPE_CHECKING:
    from depthwise.analysis.record import Analysis, LayerAnalysis

CAPACITY_VERBOSITY, FIELDS_VERBOSITY = 2, 3

AXES = {1: "X", 2: "YX", 3: "ZYX"}
"""Letters of the axes, slowest first."""

LEGEND = """Explanation
{axes}:    image dimensions
cap.:    learning capacity
cov.:    coverage of image
{magenta}: capacity too low (<1/6)
{cyan}:    image coverage too high (>100%)
{red}:     capacity too low and coverage too high
"""


def write_tutorial_table(analysis: Analysis, verbosity: int, color: bool) -> str:
    """The greeting, the table and its legend."""
    if verbosity not in (1, CAPACITY_VERBOSITY, FIELDS_VERBOSITY):
        raise GraphError(f"verbosity is {verbosity!r} but must be 1 (sizes), 2 (capacity) or 3 (fields).")
    lines = [f"# Neural Network with {analysis.params} learnable parameters", "", "## Layer information", ""]
    # Capacity and coverage say nothing of a network without a filter that slides over a map.
    if verbosity == 1 or all(layer.capacity is None for layer in analysis.layers):
        return "\n".join([*lines, _size_table(analysis).text(color), ""])
    legend = {name: f"\033[{COLORS[name][0]}m{name}\033[0m" if color else name for name in ("magenta", "cyan", "red")}
    axes = AXES[len(analysis.input_shape) - 1]
    table = _capacity_table(analysis, axes, with_fields=verbosity == FIELDS_VERBOSITY)
    return "\n".join([*lines, table.text(color), "", LEGEND.format(axes=", ".join(reversed(axes)), **legend)])


def _size_table(analysis: Analysis) -> Table:
    rows = [[str(place), row.name, format_shape(row.output_shape)] for place, row in enumerate(analysis.layers)]
    return Table([Column("#", "right"), Column("name"), Column("size")], rows)


def _capacity_table(analysis: Analysis, axes: str, with_fields: bool) -> Table:
    titles = [f"{what}.{axis}" for what in ("cap", "cov") for axis in axes]
    if with_fields:
        titles += [f"{what} {axis}" for what in ("filter", "field") for axis in axes]
    columns = [Column("name"), Column("size"), *(Column(title, "right") for title in ["total", *titles])]
    return Table(columns, [_cells(row, analysis, with_fields) for row in analysis.layers])


def _cells(row: LayerAnalysis, analysis: Analysis, with_fields: bool) -> list[Cell | str]:
    size = tuple(side or 0 for side in analysis.input_shape[1:])
    # nolearn prints the whole image and 100 % for the input and the head, where the measures do not apply.
    judged = row.coverage is not None
    whole = (1.0,) * len(size)
    # Before the first filter there is nothing to be low: nolearn prints 100 % there as well.
    capacity, coverage = row.capacity or whole, row.coverage or whole
    low = judged and min(capacity) < MIN_CAPACITY
    high = judged and max(coverage) > MAX_COVERAGE
    color = {(True, False): "magenta", (False, True): "cyan", (True, True): "red"}.get((low, high))
    total = "?" if None in row.output_shape else str(prod(side or 0 for side in row.output_shape))
    cells: list[Cell | str] = [Cell(row.name, color), format_shape(row.output_shape), total]
    cells += [f"{100 * ratio:.2f}" for ratio in (*capacity, *coverage)]
    if with_fields:
        filters = (row.real_filter_size if judged else None) or size
        fields = (row.reach if judged else None) or size
        cells += [str(int(pixels)) for pixels in (*filters, *fields)]
    return cells
