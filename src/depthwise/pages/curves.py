"""Curves of the history and of answers, drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 32, 40
MARKS = (("first", "", "circle"), ("second", "6 4", "square"))
"""Class, dashes and mark of each curve: they are told apart without colors too."""


class Plane(NamedTuple):
    """Where values stand: least and largest of both axes."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """Pixels from the left; a single epoch stands in the middle."""
        share = (value - self.left) / (self.right - self.left) if self.right > self.left else 0.5
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / ((self.high - self.low) or 1.0)

    def frame(self, alt: str, across: Sequence[float], up: Sequence[float], name: str) -> list[str]:
        """Beginning of the drawing: what it shows in words, grid, numbers at both axes, name of the horizontal one."""
        parts = [f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">']
        for tick in up:
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
        below = HEIGHT - BOTTOM + 16
        parts += [f'<text x="{self.x(at):.1f}" y="{below}" text-anchor="middle">{at:.4g}</text>' for at in across]
        middle = (LEFT + WIDTH) / 2
        return [*parts, f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>']

    def line(self, points: Iterable[tuple[float, float]], style: str, dashes: str = "") -> str:
        """A line through points."""
        told = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline class="{style}" points="{told}" stroke-dasharray="{dashes}"/>'


def draw_curves(title: str, curves: dict[str, Sequence[float]], unit: str) -> str:
    """Curves over the epochs, which count from 1.

    >>> draw_curves("Loss", {"train": [2.0, 1.0]}, "loss").count("<circle")
    3
    """
    values = [value for curve in curves.values() for value in curve]
    ticks = find_ticks(min(values), max(values))
    last = max(map(len, curves.values()))
    plane = Plane(1, last, ticks[0], ticks[-1])
    ends = ", ".join(f"{name} from {curve[0]:.4g} to {curve[-1]:.4g}" for name, curve in curves.items())
    parts = plane.frame(
        f"{title} over {last} epochs: {ends}.", range(1, last + 1, max(1, -(-last // 8))), ticks, "epoch"
    )
    for number, ((name, curve), (style, dashes, mark)) in enumerate(zip(curves.items(), MARKS, strict=False)):
        points = list(enumerate(curve, 1))
        parts.append(plane.line(points, style, dashes))
        if last <= 30:
            parts += [_mark(mark, style, plane.x(epoch), plane.y(value)) for epoch, value in points]
        place = LEFT + 14 + number * 130
        parts.append(_mark(mark, style, place, 11))
        parts.append(f'<text x="{place + 9}" y="15">{escape(name)} {escape(unit)}</text>')
    return "".join([*parts, "</svg>"])


def draw_shares(title: str, points: Sequence[tuple[float, float]], names: tuple[str, str], alt: str) -> str:
    """A curve of one share over another, both between 0 and 1, beside the diagonal; few points are marked.

    >>> draw_shares("ROC", [(0, 0), (0, 1), (1, 1)], ("false", "true"), "ROC curve.").count("<polyline")
    2
    """
    plane, ticks = Plane(0, 1, 0, 1), (0, 0.25, 0.5, 0.75, 1)
    parts = plane.frame(alt, ticks, ticks, names[0])
    parts.append(plane.line([(0, 0), (1, 1)], "diagonal", "3 4"))
    parts.append(plane.line(points, "first"))
    if len(points) <= 30:
        parts += [_mark("circle", "first", plane.x(x), plane.y(y)) for x, y in points]
    parts.append(f'<text x="{LEFT}" y="15">{escape(title)}: {escape(names[1])}</text>')
    return "".join([*parts, "</svg>"])


def _mark(kind: str, style: str, x: float, y: float) -> str:
    if kind == "circle":
        return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
    return f'<rect class="{style}" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'


def find_ticks(low: float, high: float) -> list[float]:
    """Round numbers, the first not above `low` and the last not below `high`.

    >>> find_ticks(0.13, 0.48), find_ticks(1.0, 1.0)
    ([0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 1.0, 1.5])
    """
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = floor(low / step + 1e-9)
    ticks = [round(first * step, 12)]
    while ticks[-1] < high - 1e-9 * step:
        ticks.append(round((first + len(ticks)) * step, 12))
    return ticks
