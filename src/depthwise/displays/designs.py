"""What depth and width cost: all designs of a set, and the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from depthwise.analysis.layer_table import write_bytes, write_count
from depthwise.designer import Design, DesignSet
from depthwise.designer.problem import FIRST_WIDTHS
from depthwise.displays.display import Display
from depthwise.layers.ops import format_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS = {
    "params": ("parameters", write_count),
    "macs": ("MACs for an image", write_count),
    "activation_bytes": ("memory of an image's maps", write_bytes),
    "training_memory": ("memory to learn from a batch", write_bytes),
}
"""What a budget can bound: its words, and how a value is written."""

COLORS = dict(zip(FIRST_WIDTHS, ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#000000"), strict=True))
"""Okabe and Ito's palette; the size of a mark tells the width as well."""
MARK = 14
"""Area of the smallest mark, in square points; others grow with the width."""
INCHES, ROW = 4.2, 0.24
"""Width of a panel, and height of one depth: a line of text."""
LABEL_SIZE = 7
LEAST_TICKS, MOST_TICKS = 2, 5
MULTIPLES = ((1,), (1, 2, 5), (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6, 8))
"""Of a power, as finely as needed for the least number of ticks."""


class DesignSetDisplay(Display):
    """Depth over each cost, a mark a design; its color and size tell the channels of the first convolution.

    The cheapest design of each depth is named, by its convolutions at each resolution.  A dashed line is a bound of the
    budget.

    Parameters
    ----------
    designs
        What :func:`depthwise.design` returns.

    Attributes
    ----------
    costs_ : dict of array
        Cost -> its value for each design, in the order of the set, after :meth:`plot`.
    depth_, width_ : array
        Convolutions, and channels of the first one, in the same order.

    Examples
    --------
    >>> import depthwise as dw
    >>> designs = dw.design((1, 28, 28), 10, budget=dw.Budget(params=20_000, macs=8e6))
    >>> display = DesignSetDisplay(designs).plot()
    >>> [ax.get_xlabel() for ax in display.axes_]
    ['parameters, at most 20 k', 'MACs for an image, at most 8 M', "memory of an image's maps"]
    """

    def __init__(self, designs: DesignSet) -> None:
        self.designs = designs

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a panel for each cost, into ``ax`` if it is given, and return the display."""
        designs = self.designs
        names = [name for name in COSTS if getattr(designs.best, name) is not None]
        self.costs_ = {name: np.array([getattr(design, name) for design in designs]) for name in names}
        self.depth_ = np.array([design.depth for design in designs])
        self.width_ = np.array([design.width for design in designs])
        panels = self._make_panels(ax, len(names))
        for panel, name in zip(panels, names, strict=True):
            self._draw(panel, name)
        panels[0].set_ylabel("convolutions")
        small = {"fontsize": LABEL_SIZE, "title_fontsize": LABEL_SIZE}
        panels[-1].legend(title="channels", loc="upper left", bbox_to_anchor=(1, 1), frameon=False, **small)
        count = f"{len(designs)} design{'s' * (len(designs) != 1)}"
        panels[0].set_title(f"{count} for images of {format_shape(designs.best.input_shape)}", fontsize=10, loc="left")
        return self

    def _make_panels(self, ax: Axes | None, count: int) -> list[Axes]:
        depths = self.depth_.max() - self.depth_.min() + 1
        ax = self._start(ax, figsize=(INCHES * count, max(3.0, ROW * depths + 1.2)))
        ax.set_axis_off()
        share = 1 / (count + 0.08 * (count - 1))
        self.axes_ = [ax.inset_axes((place * 1.08 * share, 0, share, 1)) for place in range(count)]
        for panel in self.axes_[1:]:
            panel.sharey(self.axes_[0])
            panel.tick_params(labelleft=False)
        return self.axes_

    def _draw(self, panel: Axes, name: str) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator

        words, write = COSTS[name]
        costs, bound = self.costs_[name], self.designs.budget.limits.get(name)
        panel.set_xscale("log")
        for width in np.unique(self.width_):
            chosen = self.width_ == width
            size = MARK * (1 + FIRST_WIDTHS.index(width))
            panel.scatter(
                costs[chosen], self.depth_[chosen], s=size, color=COLORS[width], label=str(width),
                alpha=0.8, linewidths=0, zorder=2,
            )  # fmt: skip
        cheapest = _cheapest(self.designs.designs, costs)
        for design in cheapest:
            panel.annotate(
                design.skeleton, (getattr(design, name), design.depth), xytext=(-6, 0), textcoords="offset points",
                ha="right", va="center", fontsize=LABEL_SIZE,
            )  # fmt: skip
        if bound is not None:
            panel.axvline(bound, color="black", linestyle="--", linewidth=1)
        panel.set_xlabel(words if bound is None else f"{words}, at most {write(bound)}")
        _leave_room(panel, [*costs, *([bound] if bound else [])], max(len(design.skeleton) for design in cheapest))
        panel.set_ylim(self.depth_.min() - 0.7, self.depth_.max() + 0.7)
        panel.yaxis.set_major_locator(MultipleLocator(1))
        panel.xaxis.set_major_locator(FixedLocator(_round_values(*panel.get_xlim(), 2 if write is write_bytes else 10)))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.grid(alpha=0.3, linewidth=0.5)


def _cheapest(designs: tuple[Design, ...], costs: NDArray[np.int64]) -> list[Design]:
    """Of each depth the design of the least cost, deepest first."""
    best: dict[int, int] = {}
    for place, design in enumerate(designs):
        if design.depth not in best or costs[place] < costs[best[design.depth]]:
            best[design.depth] = place
    return [designs[best[depth]] for depth in sorted(best, reverse=True)]


def _leave_room(panel: Axes, values: list[float], letters: int) -> None:
    """Limits of the costs with room at the left, where the longest name is to stand."""
    low, high = np.log10(min(values)), np.log10(max(values))
    span = max(high - low, 0.3)
    share = min(0.075 * LABEL_SIZE / 7 * letters / INCHES, 0.6)  # of the panel's width
    panel.set_xlim(10 ** (low - (span + 0.1) * share / (1 - share) - 0.05 * span), 10 ** (high + 0.08 * span))


def _round_values(low: float, high: float, base: int) -> list[float]:
    """Round numbers for an axis: powers of the base and, where these are few, multiples of them.

    >>> _round_values(900, 1.2e5, 10), _round_values(2300, 3200, 10)
    ([1000, 10000, 100000], [2500.0, 3000])
    >>> [value / 2**20 for value in _round_values(1e6, 9e6, 2)]
    [1.0, 2.0, 4.0, 8.0]
    """
    powers = [base**power for power in range(int(np.log(low) / np.log(base)), int(np.log(high) / np.log(base)) + 1)]
    values: list[float] = []
    for multiples in MULTIPLES:
        every = {multiple * power for power in powers for multiple in multiples}
        values = sorted(value for value in every if low <= value <= high)
        if len(values) >= LEAST_TICKS:
            break
    return values[:: -(-len(values) // MOST_TICKS) or 1]
