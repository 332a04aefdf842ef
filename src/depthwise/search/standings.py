"""What a race has come to so far: one standing a design, its table, and scikit-learn's dict of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise.analysis.layer_table import write_count
from depthwise.search.candidates import Candidate
from depthwise.search.halving import Judged
from depthwise.search.study import Job
from depthwise.tables import Cell, Column, Table

FINISHED, FAILED, WAITING = "finished", "failed", "not begun"
LONGEST_NAME = 28
"""Characters of a name in the table."""


@dataclass
class Standing:
    """Where one design stands.

    Attributes
    ----------
    place
        Number of the design.
    candidate
        The design.
    judged
        What its networks were found to be worth, by rung and seed.
    history
        Scores after every epoch of the first seed.
    epochs, seconds
        Trained so far, over all seeds.
    error
        Why it was given up.
    rank
        Among all designs, from 1.
    status
        ``"finished"``, ``"cut at rung r"``, ``"failed"``, or while it races ``"at rung r"``.
    """

    place: int
    candidate: Candidate
    judged: dict[tuple[int, int], Judged] = field(default_factory=dict)
    history: list[float] = field(default_factory=list)
    epochs: int = 0
    seconds: float = 0.0
    error: str | None = None
    rank: int = 0
    status: str = WAITING

    @property
    def rung(self) -> int:
        """Epochs of the last rung it has reached; 0 for none."""
        return max((rung for rung, _ in self.judged), default=0)

    @property
    def seeds(self) -> list[int]:
        """Seeds that have reached that rung."""
        return sorted(seed for rung, seed in self.judged if rung == self.rung)

    @property
    def score(self) -> float | None:
        """Mean over these seeds."""
        found = [self.judged[self.rung, seed].score for seed in self.seeds]
        return sum(found) / len(found) if found else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean: sqrt(e^2 + s^2 / n), e that of the validation images, s the deviation of the n seeds."""
        found = [self.judged[self.rung, seed] for seed in self.seeds]
        if not found:
            return None
        images = sum(each.standard_error**2 for each in found) / len(found)
        seeds = float(np.var([each.score for each in found], ddof=1)) / len(found) if len(found) > 1 else 0.0
        return sqrt(images + seeds)

    @property
    def epoch_seconds(self) -> float | None:
        """What an epoch takes."""
        return self.seconds / self.epochs if self.epochs else None

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold; the layers as TOML."""
        own = self.candidate
        scores = {f"rung{rung}_seed{seed}": each.score for (rung, seed), each in sorted(self.judged.items())}
        return {
            "name": own.name,
            "layers": own.toml,
            "params": own.params,
            "macs": own.macs,
            "depth": own.depth,
            "scores": scores,
            "mean_score": self.score,
            "standard_error": self.standard_error,
            "rank": self.rank,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "status": self.status,
            "error": self.error,
        }


def stand(candidates: Sequence[Candidate], results: Iterable[tuple[Job, Mapping[str, Any]]]) -> list[Standing]:
    """The standings that follow from all results there are, in the order of the designs."""
    standings = [
        Standing(place, each, error=each.problem, status=FAILED if each.problem else WAITING)
        for place, each in enumerate(candidates)
    ]
    furthest: dict[tuple[int, int], tuple[int, float]] = {}
    for job, result in sorted(results, key=lambda entry: entry[0]):
        own = standings[job.design]
        if "error" in result:
            own.error, own.status = result["error"], FAILED
            continue
        own.judged[job.rung, job.seed] = Judged(result["score"], result["standard_error"])
        furthest[job.design, job.seed] = result["epochs"], result["seconds"]
        if job.seed == 0:
            own.history = _scores(result["history"])
    for (design, _), (epochs, seconds) in furthest.items():
        standings[design].epochs += epochs
        standings[design].seconds += seconds
    for own in standings:
        if own.status != FAILED and own.judged:
            own.status = f"at rung {own.rung}"
    for rank, own in enumerate(sorted(standings, key=_merit), start=1):
        own.rank = rank
    return standings


def close(standings: Sequence[Standing], last_rung: int) -> None:
    """Say of those who race no more how far they came."""
    for own in standings:
        if own.status.startswith("at rung"):
            own.status = FINISHED if own.rung == last_rung else f"cut at rung {own.rung}"


def _merit(own: Standing) -> tuple[bool, int, float, int]:
    """Failed designs last; else who came further, and among them the better one, is before."""
    score = own.score
    return own.status == FAILED, -own.rung, 0.0 if score is None else -score, own.place


def _scores(history: Mapping[str, Sequence[Any]]) -> list[float]:
    if None not in history["valid_accuracy"]:
        return list(history["valid_accuracy"])
    return [-loss for loss in history["valid_loss"]]


def write_cv_results(standings: Sequence[Standing], rungs: Sequence[int], n_seeds: int) -> dict[str, NDArray[Any]]:
    """A dict of arrays, one entry a design; masked where there is nothing."""

    def column(values: Iterable[Any], kind: Any = float) -> NDArray[Any]:
        listed = list(values)
        masked = np.ma.MaskedArray([kind() if value is None else value for value in listed], dtype=kind)
        masked[[value is None for value in listed]] = np.ma.masked
        return masked

    def objects(values: Iterable[Any]) -> NDArray[Any]:
        listed = list(values)
        array = np.empty(len(listed), dtype=object)
        array[:] = listed
        return array

    found: dict[str, NDArray[Any]] = {
        "name": objects(own.candidate.name for own in standings),
        "layers": objects(list(own.candidate.layers) for own in standings),
        "params": column((own.candidate.params for own in standings), int),
        "macs": column((own.candidate.macs for own in standings), int),
        "depth": column((own.candidate.depth for own in standings), int),
    }
    for rung in rungs:
        for seed in range(n_seeds if rung == rungs[-1] else 1):
            judged = (own.judged.get((rung, seed)) for own in standings)
            found[f"score_rung{rung}_seed{seed}"] = column(None if one is None else one.score for one in judged)
    return found | {
        "mean_score": column(own.score for own in standings),
        "standard_error": column(own.standard_error for own in standings),
        "rank": np.array([own.rank for own in standings]),
        "epochs": np.array([own.epochs for own in standings]),
        "seconds": np.array([own.seconds for own in standings]),
        "status": objects(own.status for own in standings),
        "error": objects(own.error for own in standings),
    }


def table(standings: Sequence[Standing], rungs: Sequence[int]) -> Table:
    """The standings, best first."""
    titles = ["params", "MACs", "depth", *(f"{rung} ep." for rung in rungs), "score", "+-"]
    columns = [
        Column("rank", "right"),
        Column("design"),
        *(Column(title, "right") for title in titles),
        Column("seconds", "right"),
        Column("status"),
    ]
    ranked = sorted(standings, key=lambda own: own.rank)
    failures = [f"{_shortened(own)} failed: {own.error}" for own in ranked if own.error]
    return Table(columns, [_cells(own, rungs) for own in ranked], caption="\n".join(failures) or None)


def _cells(own: Standing, rungs: Sequence[int]) -> list[str | Cell]:
    design = own.candidate
    judged = [own.judged.get((rung, 0)) for rung in rungs]
    color = {FINISHED: "green", FAILED: "red"}.get(own.status)
    return [
        str(own.rank),
        _shortened(own),
        "" if design.params is None else f"{design.params:,}",
        "" if design.macs is None else write_count(design.macs),
        "" if design.depth is None else str(design.depth),
        *("" if each is None else write_score(each.score) for each in judged),
        write_score(own.score),
        "" if own.standard_error is None else f"{own.standard_error:.4f}",
        f"{own.seconds:.0f}" if own.seconds else "",
        Cell(own.status, color),
    ]


def _shortened(own: Standing) -> str:
    name = own.candidate.name
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def write_score(score: float | None) -> str:
    """Four digits behind the point."""
    return "" if score is None else f"{score:.4f}"
