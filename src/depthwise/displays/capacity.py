"""Capacity and coverage of every layer, with the bounds that they should keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from depthwise.analysis import Analysis
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.displays.asking import put_channels_first
from depthwise.displays.display import Display
from depthwise.displays.judging import judge, read_analysis
from depthwise.displays.rows import draw_rows, make_panels
from depthwise.errors import TargetError
from depthwise.rules import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CODES = ("CAP", "COV")
"""Beginnings of the codes of the rules that judge these two."""
WITHIN, BEYOND = "#0072B2", "#D55E00"
"""Blue and vermillion of Okabe and Ito's palette; what is beyond its bound is hatched and named as well."""


class CapacityCoverageDisplay(Display):
    """Learning capacity and coverage of every layer that has them, beside their bounds of 1/6 and 100 %.

    Of the two axes of an image the worse one is drawn: the smaller capacity, the larger coverage; both along the
    longest path.  Rules warn where the shortest one breaks a bound, so that a network with shortcuts may show bars
    beyond it and yet have no warning.

    Parameters
    ----------
    analysis
        What :func:`depthwise.analyze` returns.
    findings
        What the rules say of capacity and coverage.

    Attributes
    ----------
    capacity_, coverage_ : array
        Ratios as drawn, a row a layer, ``nan`` where a layer has none, after :meth:`plot`.

    References
    ----------
    Cao: A practical theory for designing very deep convolutional neural networks, 2015.

    Examples
    --------
    >>> display = CapacityCoverageDisplay.from_estimator("16C3-MP2-16C3-10N", input_shape=(1, 12, 12)).plot()
    >>> display.names, display.coverage_.round(2).tolist()
    (['conv2d1', 'maxpool2d2', 'conv2d3'], [0.25, 0.25, 0.58])
    """

    def __init__(self, analysis: Analysis, findings: Findings | None = None) -> None:
        self.analysis = analysis
        self.findings = findings or Findings(())
        self.rows = [row for row in analysis.layers if row.capacity is not None or row.coverage is not None]
        if not self.rows:
            raise TargetError("no layer of the network has a capacity or coverage: it reads all of the image at once.")
        self.names = [row.name for row in self.rows]

    @classmethod
    def from_estimator(cls, net: Any, X: Any = None, y: Any = None, *, input_shape: Any = None) -> Self:
        """Analyze and check an estimator, trained or not, or any other network that :func:`depthwise.analyze` takes.

        Parameters
        ----------
        net
            The network.
        X
            Images, if their shape is not known otherwise; `y` is not read.
        input_shape
            Or the shape itself, ``(channels, height, width)``.
        """
        if input_shape is None and X is not None:
            input_shape = put_channels_first(np.asarray(X)).shape[1:]
        analysis = read_analysis(net, input_shape)
        return cls(analysis, judge(net, CODES, analysis.input_shape))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw both measures, into ``ax`` if it is given, and return the display."""
        self.capacity_ = np.array([np.nan if row.capacity is None else min(row.capacity) for row in self.rows])
        self.coverage_ = np.array([np.nan if row.coverage is None else max(row.coverage) for row in self.rows])
        self.figure_, self.axes_ = make_panels(ax, self.names, 2)
        beyond = self.capacity_ < MIN_CAPACITY
        draw_rows(self.axes_[0], 100 * self.capacity_, _styles(beyond), _labels(self.capacity_, beyond, "low"))
        beyond = self.coverage_ > MAX_COVERAGE
        draw_rows(self.axes_[1], 100 * self.coverage_, _styles(beyond), _labels(self.coverage_, beyond, "high"))
        for panel, title, bound, side in (
            (self.axes_[0], "capacity", MIN_CAPACITY, "at least"),
            (self.axes_[1], "coverage", MAX_COVERAGE, "at most"),
        ):
            panel.axvline(100 * bound, color="black", linestyle="--", linewidth=1)
            panel.set(xlabel=f"{title} (%)", title=f"{title}, {side} {100 * bound:.3g} %")
        highest = np.nanmax([*self.coverage_, MAX_COVERAGE])
        self.axes_[0].set_xlim(0, 125)  # room for the number behind a bar of 100 %
        self.axes_[1].set_xlim(0, 140 * highest)
        self._write_findings(ax)
        return self


def _styles(beyond: Any) -> list[dict[str, Any]]:
    return [{"color": BEYOND, "hatch": "//"} if wrong else {"color": WITHIN} for wrong in beyond]


def _labels(ratios: Any, beyond: Any, word: str) -> list[str]:
    texts = []
    for ratio, wrong in zip(ratios, beyond, strict=True):
        texts.append("none" if np.isnan(ratio) else f"{100 * ratio:.0f} %{f' {word}' * bool(wrong)}")
    return texts
