"""Dead units, activations and gradients, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from depthwise.analysis.health import TrainingHealth
from depthwise.displays.asking import read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.judging import judge
from depthwise.displays.rows import draw_rows, make_panels
from depthwise.inspection import Statistics, measure_statistics
from depthwise.rules import Findings
from depthwise.training.targets import check_lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEAD, WEAK, ALIVE = "#D55E00", "#E69F00", "#0072B2"
"""Vermillion, orange and blue of Okabe and Ito's palette; nearly dead units are hatched as well."""
CODES = (
    *("ACT", "HED001", "HED002", "NRM"),
    *("TRN002", "TRN003", "TRN004", "TRN007", "TRN008", "TRN009", "TRN019", "TRN020"),
)
"""Beginnings of the codes of the rules that judge activations and gradients, and what keeps them alive."""


class HealthDisplay(Display):
    """Share of dead units, size of the activations, and size of the gradients, by layer.

    Parameters
    ----------
    statistics
        What :func:`depthwise.inspection.measure_statistics` returns.
    findings
        What the rules say of activations, norms, the head and training.
    health
        What was measured in training, if it was: then the steps of the weights are drawn, too.

    Attributes
    ----------
    dead_, scale_, gradient_, update_ : array
        As drawn, a value a layer, after :meth:`plot`: percent of the units, mean absolute output, root mean square of
        the gradient, and length of a step of the weights by that of the weights, in the last epoch; ``nan`` where it
        does not apply.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    >>> with torch.no_grad():
    ...     net[0].bias[:] = torch.tensor([-9.0, 9.0])
    >>> HealthDisplay.from_estimator(net, torch.rand(5, 1, 8, 8)).plot().dead_.tolist()
    [nan, 50.0]
    """

    def __init__(
        self, statistics: Statistics, findings: Findings | None = None, health: TrainingHealth | None = None
    ) -> None:
        self.statistics = statistics
        self.findings = findings or Findings(())
        self.health = health

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None) -> Self:
        """Measure a fitted estimator, or a module, on images; with targets `y` gradients as well.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images.
        y
            Their labels or targets; for a module places of the classes.
        """
        module, images = read_module(net), read_pictures(net, X)
        targets, loss = y, None
        if y is not None:
            check_lengths(images, y)
            if isinstance(net, BaseEstimator):
                loss = net._loss().mean
                targets = net._read_targets(y, reset=False)
        found = measure_statistics(module, images, targets, loss)
        return cls(found, judge(net, CODES, images.shape[1:]), getattr(net, "health_", None))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a panel for each, into ``ax`` if it is given, and return the display."""
        layers = self.statistics.layers
        nothing = np.nan
        self.dead_ = np.array([nothing if each.dead_share is None else 100 * each.dead_share for each in layers])
        self.scale_ = np.array([float(each.scale.mean()) for each in layers])
        self.gradient_ = np.array([nothing if each.gradient is None else each.gradient for each in layers])
        steps = {each.layer: each.update[-1] for each in self.health.layers if each.update} if self.health else {}
        self.update_ = np.array([steps.get(each.layer) for each in layers], dtype=float)
        sizes = {"mean |output|": self.scale_, "gradient (rms)": self.gradient_, "step / weights": self.update_}
        sizes = {title: values for title, values in sizes.items() if not np.isnan(values).all()}
        self.figure_, self.axes_ = make_panels(ax, [each.layer for each in layers], 1 + len(sizes))
        self._draw_dead(self.axes_[0])
        for panel, (title, values) in zip(self.axes_[1:], sizes.items(), strict=True):
            _draw_sizes(panel, values, title)
        self.axes_[0].set_title(f"on {self.statistics.n_images:,} images", fontsize=10, loc="left")
        self._write_findings(ax)
        return self

    def _draw_dead(self, panel: Axes) -> None:
        texts = []
        weak = []
        for each in self.statistics.layers:
            dead, nearly = each.dead, each.nearly_dead
            weak.append(0.0 if nearly is None else 100 * len(nearly) / len(each.active))
            weaker = f" + {len(nearly)}" if nearly else ""
            texts.append("not rectified" if dead is None else f"{len(dead)}{weaker} of {len(each.active)}")
        total = np.where(np.isnan(self.dead_), np.nan, self.dead_ + weak)
        draw_rows(panel, total, [{"color": WEAK, "hatch": "///"}] * len(texts), texts)
        draw_rows(panel, np.nan_to_num(self.dead_), [{"color": DEAD}] * len(texts), [""] * len(texts))
        panel.set_xlim(0, 2 * max(10.0, float(np.nanmax([*total, 0.0]))))
        panel.set_xlabel("dead + nearly dead (%)")


def _draw_sizes(panel: Axes, values: Any, title: str) -> None:
    """Points on a logarithmic axis; what is zero, which has no place there, is said."""
    places = np.arange(len(values))
    shown = np.where(np.nan_to_num(values) > 0, values, np.nan)
    panel.plot(shown, places, "o-", color=ALIVE, markersize=5, linewidth=1)
    panel.set_xscale("log")
    positive = shown[~np.isnan(shown)]
    if len(positive):
        panel.set_xlim(positive.min() / 3, positive.max() * 12)  # room for the number behind the largest
    for place in places[~np.isnan(shown)]:
        panel.annotate(
            f"{shown[place]:.2g}", (shown[place], place), (7, 0), textcoords="offset points", va="center", fontsize=8
        )
    for place in places[np.isnan(shown)]:
        panel.annotate(
            "zero" if values[place] == 0 else "not measured", (0.02, place), xycoords=("axes fraction", "data"),
            va="center", fontsize=8, color="0.45",
        )  # fmt: skip
    panel.set_xlabel(title)
