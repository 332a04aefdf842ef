"""Capacity and coverage of every layer, with the bounds that they should keep."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from depthwise.analysis import Analysis
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.displays.asking import put_channels_first
from depthwise.displays.display import Display
from depthwise.displays.rows import draw_rows, make_panels
from depthwise.errors import DataError, TargetError
from depthwise.network import analyze, check
from depthwise.rules import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CODES = ("CAP", "COV")
"""Beginnings of the codes of the rules that judge these two."""
WITHIN, BEYOND = "#0072B2", "#D55E00"
"""Blue and vermillion of Okabe and Ito's palette; what is beyond its bound is hatched and named as well."""
SHOWN = 3
"""Findings that the picture tells; all are in ``.findings``."""
LINE = 115
"""Characters below the panels."""


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
        self.findings = Findings(()) if findings is None else findings
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
        target = net if getattr(net, "graph_", None) is not None else getattr(net, "module_", net)
        return cls(analysis, check(target, analysis.input_shape, select=CODES))  # type: ignore[arg-type]

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
        if ax is None:
            self._write_findings()
        return self

    def _write_findings(self) -> None:
        """The first findings below the panels, where there is a figure of our own to grow."""
        lines = [f"{each.place}: {each.code} {each.message}" for each in self.findings[:SHOWN]]
        if len(self.findings) > SHOWN:
            lines.append(f"and {len(self.findings) - SHOWN} more in .findings")
        if lines:
            text = "\n".join(fill(line, LINE, subsequent_indent="    ") for line in lines)
            width, height = self.figure_.get_size_inches()
            self.figure_.set_size_inches(width, height + 0.16 * len(text.splitlines()))
            self.figure_.supxlabel(text, fontsize=8, x=0.01, ha="left", parse_math=False)


def read_analysis(net: Any, input_shape: Any = None) -> Analysis:
    """What is known of a network, trained or not.

    Raises
    ------
    TargetError
        It is no network.
    DataError
        It is trained on images of another shape.
    """
    fitted = getattr(net, "input_shape_", None)
    if fitted is not None and input_shape is not None and tuple(input_shape) != tuple(fitted):
        given, made = ("x".join(map(str, shape)) for shape in (input_shape, fitted))
        raise DataError(f"X: holds images of {given} but the network is made for {made}. Resize them.")
    if getattr(net, "analysis_", None) is not None:
        known: Analysis = net.analysis_
        return known
    return analyze(getattr(net, "module_", net), input_shape if fitted is None else fitted)


def _styles(beyond: Any) -> list[dict[str, Any]]:
    return [{"color": BEYOND, "hatch": "//"} if wrong else {"color": WITHIN} for wrong in beyond]


def _labels(ratios: Any, beyond: Any, word: str) -> list[str]:
    texts = []
    for ratio, wrong in zip(ratios, beyond, strict=True):
        texts.append("none" if np.isnan(ratio) else f"{100 * ratio:.0f} %{f' {word}' * bool(wrong)}")
    return texts
