"""The history of a training as curves, drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, log10

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 32, 40
MARKS = (("first", "", "circle"), ("second", "6 4", "square"))
"""Class, dashes and mark of each curve: they are told apart without colors too."""


def draw_curves(title: str, curves: dict[str, Sequence[float]], unit: str) -> str:
    """Curves over the epochs, which count from 1.

    >>> draw_curves("Loss", {"train": [2.0, 1.0]}, "loss").count("<circle")
    3
    """
    values = [value for curve in curves.values() for value in curve]
    ticks = find_ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]
    last = max(map(len, curves.values()))

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((epoch - 1) / (last - 1) if last > 1 else 0.5)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / ((high - low) or 1.0)

    ends = ", ".join(f"{name} from {curve[0]:.4g} to {curve[-1]:.4g}" for name, curve in curves.items())
    alt = f"{title} over {last} epochs: {ends}."
    parts = [f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">']
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    step = max(1, -(-last // 8))
    for epoch in range(1, last + 1, step):
        parts.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    for number, ((name, curve), (style, dashes, mark)) in enumerate(zip(curves.items(), MARKS, strict=False)):
        points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in enumerate(curve, 1))
        parts.append(f'<polyline class="{style}" points="{points}" stroke-dasharray="{dashes}"/>')
        if last <= 30:
            parts += [_mark(mark, style, x(epoch), y(value)) for epoch, value in enumerate(curve, 1)]
        place = LEFT + 14 + number * 130
        parts.append(_mark(mark, style, place, 11))
        parts.append(f'<text x="{place + 9}" y="15">{escape(name)} {escape(unit)}</text>')
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
