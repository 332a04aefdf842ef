"""Panels with a row a layer, from the first one at the top to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_INCHES = 3.2
ROW_INCHES = 0.28
FIRST = 0.16
"""Share of the caller's axes that the names of the layers take."""
BETWEEN = 0.04


def make_panels(ax: Axes | None, names: list[str], count: int) -> tuple[Figure, list[Axes]]:
    """Panels side by side whose rows are layers: a new figure outside pyplot, or within the caller's axes."""
    if ax is None:
        from matplotlib.figure import Figure

        size = (count * PANEL_INCHES + 1.2, len(names) * ROW_INCHES + 1.3)
        figure = Figure(figsize=size, layout="constrained")
        panels = list(figure.subplots(1, count, squeeze=False)[0])
    else:
        ax.set_axis_off()
        figure = ax.figure  # type: ignore[assignment]
        wide = (1 - FIRST - BETWEEN * (count - 1)) / count
        panels = [ax.inset_axes((FIRST + place * (wide + BETWEEN), 0.0, wide, 1.0)) for place in range(count)]
    for place, panel in enumerate(panels):
        panel.set_yticks(range(len(names)), names if place == 0 else [""] * len(names), parse_math=False)
        panel.set_ylim(len(names) - 0.4, -0.6)
        panel.grid(axis="x", color="0.9")
        panel.set_axisbelow(True)
    return figure, panels


def draw_rows(panel: Axes, values: Any, styles: list[dict[str, Any]], texts: list[str]) -> None:
    """A bar a row, with its value as text behind it; rows without a value have the text alone."""
    for place, (value, style, text) in enumerate(zip(values, styles, texts, strict=True)):
        shown = 0.0 if np.isnan(value) else float(value)
        panel.barh(place, shown, height=0.7, edgecolor="white", linewidth=0.5, **style)
        tone = "0.45" if np.isnan(value) else "black"
        panel.annotate(
            text, (shown, place), (3, 0), textcoords="offset points", va="center", fontsize=8, color=tone,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85} if text else None,
        )  # fmt: skip
