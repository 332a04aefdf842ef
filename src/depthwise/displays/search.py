"""The rungs of a race, and what its designs are worth at what cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from depthwise.displays.display import Display
from depthwise.errors import TargetError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("rungs", "cost")
COSTS = {"macs": "multiply-accumulates for one image", "params": "parameters", "epoch_seconds": "seconds an epoch"}
WINNER, OTHER, FRONT = "#D55E00", "#999999", "#0072B2"
"""Vermillion and blue of Okabe and Ito's palette, and grey; the winner is named as well."""


class SearchDisplay(Display):
    """How a race went: scores after every rung, or the final score of every design against its cost.

    Against cost, the line joins the designs that no other one beats in score and cost at once; bars are standard
    errors.  Designs that were cut stand at their last score, hollow: they might have become better.

    Parameters
    ----------
    results
        The ``cv_results_`` of an :class:`~depthwise.search.ArchitectureSearch`.
    kind
        ``"rungs"`` or ``"cost"``.
    cost
        ``"macs"``, ``"params"`` or ``"epoch_seconds"``.

    Attributes
    ----------
    front_ : list of int
        Places of the designs on the line, cheapest first, after :meth:`plot` of ``"cost"``.
    """

    def __init__(
        self,
        results: dict[str, Any],
        *,
        kind: Literal["rungs", "cost"] = "rungs",
        cost: Literal["macs", "params", "epoch_seconds"] = "macs",
    ) -> None:
        if kind not in KINDS or cost not in COSTS:
            raise TargetError(
                f"kind={kind!r}, cost={cost!r}: kind must be one of {', '.join(map(repr, KINDS))}, and cost one of "
                f"{', '.join(map(repr, COSTS))}."
            )
        self.results = results
        self.kind = kind
        self.cost = cost

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        kind: Literal["rungs", "cost"] = "rungs",
        cost: Literal["macs", "params", "epoch_seconds"] = "macs",
    ) -> Self:
        """Read the results of a fitted search."""
        return cls(search.cv_results_, kind=kind, cost=cost)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the picture, into ``ax`` if it is given, and return the display."""
        ax = self._start(ax, figsize=(7, 4.5))
        if self.kind == "rungs":
            self._plot_rungs(ax)
        else:
            self._plot_cost(ax)
        ax.grid(alpha=0.3)
        return self

    def _plot_rungs(self, ax: Axes) -> None:
        """A line a design, through the scores of its first network; the others of a finalist are single dots."""
        rungs = sorted({_rung(name) for name in self.results if name.startswith("score_rung")})
        winner = int(np.argmin(self.results["rank"]))
        for place in np.argsort(-self.results["rank"]):
            color, width, order = (WINNER, 2.5, 3) if place == winner else (OTHER, 1.0, 2)
            scores = self._scores(int(place), rungs)
            label = self._name(winner) if place == winner else None
            ax.plot(list(scores), list(scores.values()), "o-", color=color, linewidth=width, zorder=order, label=label)
            more = [self.results[name][place] for name in self.results if name.startswith(f"score_rung{rungs[-1]}_")]
            dots = [score for score in more if not np.ma.is_masked(score)]
            ax.plot([rungs[-1]] * len(dots), dots, "o", color=color, markersize=4, zorder=order)
        ax.set_xscale("log")
        ax.set_xticks(rungs, list(map(str, rungs)))
        ax.minorticks_off()
        ax.set(xlabel="epochs", ylabel="validation score")
        ax.legend(loc="lower right")

    def _scores(self, place: int, rungs: list[int]) -> dict[int, float]:
        found = {rung: self.results[f"score_rung{rung}_seed0"][place] for rung in rungs}
        return {rung: float(score) for rung, score in found.items() if not np.ma.is_masked(score)}

    def _plot_cost(self, ax: Axes) -> None:
        costs = self._costs()
        scores = np.ma.filled(self.results["mean_score"].astype(float), np.nan)
        errors = np.ma.filled(self.results["standard_error"].astype(float), np.nan)
        known = [place for place in range(len(scores)) if np.isfinite(scores[place]) and np.isfinite(costs[place])]
        finished = self.results["status"] == "finished"
        for place in known:
            face = FRONT if finished[place] else "white"
            ax.errorbar(
                costs[place], scores[place], errors[place], fmt="o", color=FRONT, markerfacecolor=face, capsize=2
            )
        self.front_ = _front(known, costs, scores)
        ax.plot(costs[self.front_], scores[self.front_], "-", color=FRONT, zorder=1)
        winner = int(np.argmin(self.results["rank"]))
        ax.plot(costs[winner], scores[winner], "o", color=WINNER, markersize=9, label=self._name(winner), zorder=3)
        ax.set_xscale("log")
        ax.set(xlabel=COSTS[self.cost], ylabel="validation score")
        ax.legend(loc="lower right")

    def _costs(self) -> np.ndarray[Any, Any]:
        if self.cost == "epoch_seconds":
            epochs = np.where(self.results["epochs"] > 0, self.results["epochs"], np.nan)
            return np.asarray(self.results["seconds"] / epochs)
        return np.asarray(np.ma.filled(self.results[self.cost].astype(float), np.nan))

    def _name(self, place: int) -> str:
        return str(self.results["name"][place])


def _rung(name: str) -> int:
    return int(name.removeprefix("score_rung").partition("_")[0])


def _front(places: list[int], costs: Any, scores: Any) -> list[int]:
    """The designs that no other one beats in score and cost at once, cheapest first."""
    front: list[int] = []
    for place in sorted(places, key=lambda place: (costs[place], -scores[place])):
        if not front or scores[place] > scores[front[-1]]:
            front.append(place)
    return front
