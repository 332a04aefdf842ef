"""The drawing of a network: SVG, without Graphviz and without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self

from depthwise.analysis import Analysis
from depthwise.analysis.layer_table import write_count, write_percent
from depthwise.displays.architecture_blocks import Block, Box, Edge, Plan, fold, join_norms, plan_boxes
from depthwise.displays.architecture_lanes import Layout, lay_out
from depthwise.displays.judging import judge
from depthwise.network import analyze
from depthwise.rules import Finding, Findings
from depthwise.targets import open_target

WIDTH, HEIGHT = 216, 62
"""Of a box, in pixels."""
GAP = 42
"""Pixels between rows, in which the edges run and tell their sizes."""
ASIDE, THIN = 26, 26
"""Pixels between lanes of boxes, and width of a lane of lines."""
MARGIN = 20
SIZE_WIDTH = 84
"""Room for a size to the left of the first lane."""
LETTERS = 29
"""Of a name that fit into a box."""
COLORS = {(True, False): "low", (False, True): "high", (True, True): "both"}

STYLE = """
.dw-net { font: 12px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; color-scheme: light dark;
  --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #6e7781; --box: #f3f5f7;
  --low: #fbe4f8; --low-line: #b01ea4; --high: #ddf3f8; --high-line: #077083; --both: #fde4e4; --both-line: #c92222;
  --sign: #9a4d00; }
@media (prefers-color-scheme: dark) { .dw-net { --paper: #14171b; --ink: #e8ebee; --soft: #a8b1ba; --line: #8b949e;
  --box: #22272e; --low: #45183f; --low-line: #f08be6; --high: #0c3a45; --high-line: #5fd0e6;
  --both: #4d1c1c; --both-line: #ff9a9a; --sign: #ffb04d; } }
@media print { .dw-net { --paper: #fff; --ink: #000; --soft: #333; --line: #555; --box: #fff; --sign: #9a4d00; } }
.dw-net .paper { fill: var(--paper); }
.dw-net text { fill: var(--ink); }
.dw-net .kind { font-weight: 600; font-size: 13px; }
.dw-net .sign { font-weight: 700; font-size: 15px; fill: var(--sign); }
.dw-net .soft { fill: var(--soft); font-size: 11px; }
.dw-net .size { fill: var(--soft); font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 4px;
  stroke-linejoin: round; }
.dw-net rect.box { fill: var(--box); stroke: var(--line); }
.dw-net .low rect.box { fill: var(--low); stroke: var(--low-line); stroke-dasharray: 6 3; stroke-width: 2; }
.dw-net .high rect.box { fill: var(--high); stroke: var(--high-line); stroke-dasharray: 2 2; stroke-width: 2; }
.dw-net .both rect.box { fill: var(--both); stroke: var(--both-line); stroke-width: 3; }
.dw-net rect.frame { fill: none; stroke: var(--soft); stroke-dasharray: 3 4; }
.dw-net path.edge { fill: none; stroke: var(--line); stroke-width: 1.4; }
.dw-net path.head { fill: var(--line); }
"""


class ArchitectureDisplay:
    """A network as boxes from top to bottom, sizes on the edges, equal blocks folded into one.

    Boxes of low capacity are magenta and dashed, of high coverage cyan and dotted, of both red and thick; ``<`` and
    ``>`` beside the figures say the same.

    Parameters
    ----------
    analysis
        What :func:`depthwise.analyze` returns.
    findings
        What the rules say of the network.
    folded
        Whether equal blocks that follow each other are drawn once.

    Attributes
    ----------
    svg : str
        The drawing.  A box with a ``!`` says its findings when it is pointed at.

    Examples
    --------
    >>> from depthwise.network import analyze
    >>> display = ArchitectureDisplay(analyze("8C3-8C3-8C3-MP2-10N", (1, 28, 28)))
    >>> "conv2d2 … conv2d3" in display.svg, "× 2" in display.svg
    (False, False)
    >>> display = ArchitectureDisplay(analyze("8C3ps-8C3ps-8C3ps-MP2-10N", (1, 28, 28)))
    >>> "conv2d2 … conv2d3" in display.svg, "× 2" in display.svg
    (True, True)
    """

    def __init__(self, analysis: Analysis, findings: Findings | None = None, *, folded: bool = True) -> None:
        self.analysis = analysis
        self.findings = findings or Findings(())
        plan = join_norms(plan_boxes(analysis))
        self.plan = fold(plan) if folded else plan
        self.svg = draw_plan(self.plan, _describe(analysis), self.findings)

    @classmethod
    def from_target(
        cls, target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None, **options: Any
    ) -> Self:
        """Draw any network that :func:`depthwise.analyze` reads; the same arguments."""
        network = open_target(target).network  # once: a class would be called anew, with other weights
        analysis = analyze(network, input_shape, n_outputs)
        return cls(analysis, judge(network, input_shape=analysis.input_shape), **options)

    @classmethod
    def from_estimator(cls, net: Any) -> Self:
        """Draw an estimator; before it is fitted, its layers must tell the shape of the images."""
        return cls.from_target(net)

    def save(self, path: str | Path) -> None:
        """Write the drawing as an SVG file, whole or not at all.

        Raises
        ------
        FileError
            The file cannot be written, or its suffix asks for another format.
        """
        from depthwise.errors import FileError
        from depthwise.files import write_whole

        place = Path(path)
        if place.suffix.lower() != ".svg":
            raise FileError(f"{place}: a drawing of a network is SVG. Give a path that ends in .svg.")
        write_whole(place, self.svg.encode())

    def _repr_html_(self) -> str:
        told = self.findings._repr_html_() if self.findings else ""
        return f'<div style="overflow-x: auto">{self.svg}</div>{told}'


def draw_to_notebook(target: object, input_shape: Iterable[int] | None = None, **options: Any) -> ArchitectureDisplay:
    """Drawing of a network, which a notebook shows.

    Parameters
    ----------
    target, input_shape, options
        As for :meth:`ArchitectureDisplay.from_target`.

    Examples
    --------
    >>> draw_to_notebook("8C3-10N", (1, 28, 28)).svg[:4]
    '<svg'
    """
    return ArchitectureDisplay.from_target(target, input_shape, **options)


def draw_to_file(target: object, path: str | Path, input_shape: Iterable[int] | None = None, **options: Any) -> None:
    """Write the drawing of a network to an SVG file.

    Parameters
    ----------
    target, input_shape, options
        As for :meth:`ArchitectureDisplay.from_target`.
    path
        Ends in ``.svg``.

    Examples
    --------
    >>> draw_to_file("8C3-10N", "net.png", (1, 28, 28))
    Traceback (most recent call last):
    depthwise.errors.FileError: net.png: a drawing of a network is SVG. Give a path that ends in .svg.
    """
    ArchitectureDisplay.from_target(target, input_shape, **options).save(path)


def _describe(analysis: Analysis) -> str:
    names = ", ".join(f"{row.name} ({row.kind})" for row in analysis.layers)
    return f"{len(analysis.layers)} layers, {analysis.params:,} parameters: {names}."


@dataclass(frozen=True)
class Canvas:
    """Pixels of rows and lanes, and what is said of the layers in them."""

    plan: Plan
    layout: Layout
    lefts: tuple[float, ...]
    problems: tuple[Finding, ...]

    def said(self, box: Box) -> list[str]:
        """Errors and warnings about a box."""
        names = {row.name for row in box.rows}
        return [f"{each.code} {each.name}: {each.message}" for each in self.problems if names.intersection(each.layers)]

    def lane_width(self, lane: int) -> float:
        """Width of a lane."""
        return THIN if self.layout.lanes[lane] else WIDTH

    def middle(self, lane: int) -> float:
        """Middle of a lane."""
        return self.lefts[lane] + self.lane_width(lane) / 2

    def top(self, rank: int) -> float:
        """Upper edge of a row of boxes."""
        return MARGIN + rank * (HEIGHT + GAP)


def draw_plan(plan: Plan, description: str, findings: Findings) -> str:
    """SVG of a plan."""
    layout = lay_out(plan)
    lefts: list[float] = []
    right = float(MARGIN + SIZE_WIDTH)
    for thin in layout.lanes:
        lefts.append(right + (0 if not lefts else ASIDE if not thin else 6))
        right = lefts[-1] + (THIN if thin else WIDTH)
    canvas = Canvas(plan, layout, tuple(lefts), findings.problems)
    legend = _legend(canvas)
    width = max(right + MARGIN, MARGIN * 2 + max(map(len, legend), default=0) * 6.2)
    bottom = canvas.top(max(layout.rank)) + HEIGHT + MARGIN
    height = bottom + 17 * len(legend) + (MARGIN if legend else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dw-net" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" aria-label="Drawing of the network">',
        f"<desc>{_safe(description)}</desc>",
        f"<style>{STYLE}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        *(_frame(canvas, block) for block in plan.blocks if block.first != block.last),
        *(_line(canvas, edge, lane) for edge, lane in zip(plan.edges, layout.edge_lane, strict=True)),
        *(_size(canvas, edge, lane) for edge, lane in zip(plan.edges, layout.edge_lane, strict=True)),
        *(_box(canvas, number, box) for number, box in enumerate(plan.boxes)),
        *(_text(MARGIN, bottom + 12 + 17 * n, line, "soft", "start") for n, line in enumerate(legend)),
        "</svg>",
    ]
    return "\n".join(parts)


def _legend(canvas: Canvas) -> list[str]:
    lines, plan = [], canvas.plan
    if any(box.low for box in plan.boxes):
        lines.append("< magenta, dashed: capacity below 1/6")
    if any(box.high for box in plan.boxes):
        lines.append("> cyan, dotted: coverage above 100 %")
    if any(box.low and box.high for box in plan.boxes):
        lines.append("< and > red, thick: both")
    if any(canvas.said(box) for box in plan.boxes):
        lines.append("! a finding: point at it")
    return lines


def _box(canvas: Canvas, number: int, box: Box) -> str:
    left, top = canvas.lefts[canvas.layout.lane[number]], canvas.top(canvas.layout.rank[number])
    middle, row = left + WIDTH / 2, box.rows[0]
    block = next((b.times for b in canvas.plan.blocks if b.first == b.last == number), 1)
    kind = " ".join(filter(None, (row.kind, row.kernel)))
    name = _cut(" + ".join([row.name, *(part.name.rpartition(".")[2] for part in box.rows[1 : box.parts])]))
    if len(box.rows) > box.parts:
        name = f"{_cut(row.name, LETTERS // 2)} … {_cut(box.rows[-box.parts].name, LETTERS // 2)}"
    mark = COLORS.get((box.low, box.high), "")
    names = ", ".join(each.name for each in box.rows)
    lines = [_text(middle, top + 18, _cut(kind) + (f" × {block}" if block > 1 else ""), "kind")]
    lines += [_text(middle, top + 35, name, "soft"), _text(middle, top + 52, _figures(box), "soft")]
    said = canvas.said(box)
    lines += [_text(left + WIDTH - 10, top + 18, "!", "sign")] * bool(said)
    told = "; ".join([_told(box), *said])
    return (
        f'<g class="layer {mark}" data-layers="{_safe(json.dumps([each.name for each in box.rows]))}">'
        f"<title>{_safe(names)}: {_safe(kind)}, {_safe(told)}</title>"
        f'<rect class="box" x="{left:.0f}" y="{top:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f"{''.join(lines)}</g>"
    )


def _figures(box: Box) -> str:
    """The last line in a box: capacity and coverage of the last layer it stands for, or its parameters."""
    row = box.rows[-1]
    if row.capacity is None or row.coverage is None:
        return f"{write_count(row.params)} parameters" if row.params else "" if row.params == 0 else "? parameters"
    capacity, coverage = (round(100 * each) for each in (min(row.capacity), max(row.coverage)))
    return f"capacity {capacity} %{' <' * box.low} · coverage {coverage} %{' >' * box.high}"


def _told(box: Box) -> str:
    """Figures of the tooltip: parameters of all layers, capacity and coverage of the last one."""
    row = box.rows[-1]
    params = [each.params for each in box.rows]
    size = "parameters not known" if None in params else f"{sum(each or 0 for each in params):,} parameters"
    if row.capacity is None:
        return size
    return f"{size}, capacity {write_percent(row.capacity)}, coverage {write_percent(row.coverage)}"


def _cut(text: str, letters: int = LETTERS) -> str:
    """The text without its middle where it is too long for a box."""
    half = (letters - 1) // 2
    return text if len(text) <= letters else f"{text[:half]}…{text[-half:]}"


def _safe(text: str) -> str:
    """Text as XML takes it; characters that XML 1.0 has no way to write are replaced."""
    return escape(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _text(x: float, y: float, text: str, style: str, anchor: str = "middle") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{_safe(text)}</text>'


def _ends(canvas: Canvas, edge: Edge) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an edge leaves its source, and where it meets its target."""
    layout = canvas.layout
    source = canvas.middle(layout.lane[edge.source]), canvas.top(layout.rank[edge.source]) + HEIGHT
    return source, (canvas.middle(layout.lane[edge.target]), canvas.top(layout.rank[edge.target]))


def _line(canvas: Canvas, edge: Edge, lane: int) -> str:
    (x, y), (to_x, to_y) = _ends(canvas, edge)
    down, points = canvas.middle(lane), [(x, y)]
    if down != x:
        points += [(x, y + 12), (down, y + 12)]
    if down != to_x:
        points += [(down, to_y - 16), (to_x, to_y - 16)]
    points.append((to_x, to_y - 5))
    path = " L".join(f"{px:.0f} {py:.0f}" for px, py in points)
    head = f"M{to_x:.0f} {to_y:.0f} l-4 -8 h8 z"
    return f'<path class="edge" d="M{path}"/><path class="head" d="{head}"/>'


def _size(canvas: Canvas, edge: Edge, lane: int) -> str:
    """Size beside its edge; in a lane of lines it stands upright, since there is no room to lie."""
    (_, y), (_, to_y) = _ends(canvas, edge)
    x = canvas.middle(lane)
    if canvas.layout.lanes[lane]:
        place = (y + 12 + to_y - 16) / 2
        turned = f'transform="rotate(-90 {x:.0f} {place:.0f})"'
        return (
            f'<text class="size" x="{x:.0f}" y="{place + 4:.0f}" text-anchor="middle" {turned}>'
            f"{_safe(edge.shape)}</text>"
        )
    ends_here = canvas.layout.lane[edge.target] == lane
    return _text(x - 6, to_y - 18 if ends_here else y + 28, edge.shape, "size", "end")


def _frame(canvas: Canvas, block: Block) -> str:
    inside = range(block.first, block.last + 1)
    layout = canvas.layout
    lanes = [layout.lane[box] for box in inside]
    lanes += [lane for edge, lane in zip(canvas.plan.edges, layout.edge_lane, strict=True) if edge.target in inside]
    ranks = [layout.rank[box] for box in inside]
    left, right = canvas.lefts[min(lanes)] - 8, canvas.lefts[max(lanes)] + canvas.lane_width(max(lanes)) + 8
    top, bottom = canvas.top(min(ranks)) - 8, canvas.top(max(ranks)) + HEIGHT + 8
    place = f'x="{left:.0f}" y="{top:.0f}" width="{right - left:.0f}" height="{bottom - top:.0f}"'
    label = _text(left - 6, (top + bottom) / 2, f"× {block.times}", "kind", "end")
    return f'<rect class="frame" {place} rx="9"/>{label}'
