"""All that a race prints: a live table on a terminal, a line a job elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from depthwise.search.halving import Plan
from depthwise.search.standings import Standing, table, write_score
from depthwise.search.study import Job
from depthwise.tables import wants_color

if TYPE_CHECKING:
    from rich.live import Live

LIVE_ROWS = 20
"""Designs in the live table: what a terminal of 24 lines shows."""


class RaceProgress:
    """What is told of a race; nothing at ``verbose=0``.

    Parameters
    ----------
    verbose
        As of the search.
    """

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        self.live: Live | None = None
        self.plan: Plan | None = None
        self.total = self.count = 0

    def __enter__(self) -> Self:
        if self.verbose and sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(), auto_refresh=False, transient=True)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def begin(self, standings: Sequence[Standing], plan: Plan, jobs: Sequence[Job]) -> None:
        """Tell of a rung that is run."""
        self.plan, self.total = plan, len(jobs)
        designs = len({job.design for job in jobs})
        seeds = len({job.seed for job in jobs})
        there = sum((job.rung, job.seed) in standings[job.design].judged for job in jobs)
        known = f", {there} of {len(jobs)} known" if there else ""
        of = f" with {seeds} seeds each" if seeds > 1 else ""
        self.count = there
        self._tell(f"rung {jobs[0].rung}: {designs} design{'s' * (designs != 1)}{of}{known}")
        self._show(standings)

    def done(self, job: Job, standings: Sequence[Standing]) -> None:
        """Tell of a job."""
        self.count += 1
        own = standings[job.design]
        judged = own.judged.get((job.rung, job.seed))
        what = f"given up: {own.error}" if judged is None else f"score {write_score(judged.score)}"
        if self.live is None or judged is None:
            seed = f" seed {job.seed}" if job.seed else ""
            self._tell(f"  {self.count}/{self.total}  {own.candidate.name}{seed}: {what}")
        self._show(standings)

    def cut(self, rung: int, before: int, order: Sequence[int], by_rank: int, plan: Plan, shorter: Plan) -> None:
        """Tell who goes on."""
        near = f", {len(order) - by_rank} of them within one standard error" if len(order) > by_rank else ""
        self._tell(f"rung {rung}: {len(order)} of {before} go on{near}")
        if not order:
            self._tell("  the time is over; the same command with more minutes goes on")
        elif shorter != plan:
            seeds = f", {shorter.n_seeds} of {plan.n_seeds} seeds" if shorter.n_seeds != plan.n_seeds else ""
            self._tell(f"  to end in time: up to {shorter.rungs[-1]} of {plan.rungs[-1]} epochs{seeds}")

    def end(self, standings: Sequence[Standing], plan: Plan) -> None:
        """Tell how the race has ended."""
        self._tell(f"\n{table(standings, plan.rungs).text(color=wants_color(), head_padding=0)}\n")

    def interrupted(self, study: object) -> None:
        """Tell how to go on."""
        self._tell(f"Interrupted. What is done is kept in {study}; the same command goes on.")

    def note(self, text: str) -> None:
        """Tell anything else."""
        self._tell(text)

    def _show(self, standings: Sequence[Standing]) -> None:
        if self.live is not None and self.plan is not None:
            shown = sorted(standings, key=lambda own: own.rank)[:LIVE_ROWS]
            self.live.update(table(shown, self.plan.rungs).rich(), refresh=True)

    def _tell(self, text: str) -> None:
        if not self.verbose:
            return
        if self.live is not None:
            self.live.console.print(text, markup=False, highlight=False)
        else:
            print(text, flush=True)
