"""The race: rung after rung, until the finalists have run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from depthwise.search.candidates import Candidate
from depthwise.search.halving import Plan, cut, shorten
from depthwise.search.jobs import Task
from depthwise.search.pool import Pool
from depthwise.search.progress import RaceProgress
from depthwise.search.standings import FAILED, Standing, close, stand
from depthwise.search.study import Job, Study

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


@dataclass(frozen=True)
class Race:
    """Candidates that are trained and compared in a study.

    Attributes
    ----------
    study
        Where everything is kept.
    candidates
        What races.
    plan
        How.
    template
        Estimator with the parameters of all jobs.
    seed
        Of the first network of each design; the next ones have the numbers behind it.
    threads
        Of each job.
    workers
        Jobs at a time.
    pool
        What does the jobs.
    progress
        What is told meanwhile.
    """

    study: Study
    candidates: Sequence[Candidate]
    plan: Plan
    template: NeuralNet
    seed: int
    threads: int
    workers: int
    pool: Pool
    progress: RaceProgress

    def run(self) -> tuple[list[Standing], Plan]:
        """Race to the end, or until the time is over; the standings, and the plan as time allowed it."""
        plan = self.plan
        field = [own.place for own in self.standings() if own.status != FAILED]
        with self.progress:
            place = 0
            while place < len(plan.rungs) and field:
                self._train(field, plan, place)
                decided = self.study.cut(plan.rungs[place]) or self._decide(field, plan, place)
                field = decided["field"]
                plan = replace(plan, rungs=tuple(decided["rungs"]), n_seeds=decided["n_seeds"])
                place += 1
        standings = self.standings()
        close(standings, plan.rungs[-1])
        return standings, plan

    def standings(self) -> list[Standing]:
        """How it stands, by the results there are."""
        return stand(self.candidates, self.study.results())

    def _train(self, field: Sequence[int], plan: Plan, place: int) -> None:
        """Train the networks of one rung: all first seeds before the second ones, and the most work first."""
        rung, last = plan.rungs[place], place == len(plan.rungs) - 1
        by_work = sorted(field, key=lambda design: -(self.candidates[design].macs or 0))
        jobs = [Job(design, seed, rung) for seed in range(plan.n_seeds if last else 1) for design in by_work]
        if all(map(self.study.is_done, jobs)):
            return
        self.progress.begin(self.standings(), plan, jobs)
        self.pool.run([self._task(job, plan) for job in jobs], lambda job: self.progress.done(job, self.standings()))

    def _task(self, job: Job, plan: Plan) -> Task:
        return Task(
            folder=str(self.study.folder.absolute()),
            job=job,
            template=self.template,
            layers=self.candidates[job.design].toml,
            rungs=tuple(rung for rung in plan.rungs if rung <= job.rung),
            random_state=self.seed + job.seed,
            threads=self.threads,
            driver=os.getpid(),
        )

    def _decide(self, field: Sequence[int], plan: Plan, place: int) -> dict:
        """Who goes on from a rung, and how far the race is to go."""
        rung = plan.rungs[place]
        standings = self.standings()
        judged = {one: standings[one].judged[rung, 0] for one in field if (rung, 0) in standings[one].judged}
        order, by_rank = cut(judged, plan.keep)
        if place == len(plan.rungs) - 1 or not order:
            reached = place + 1 if order else max(place, 1)
            return {"field": [], "rungs": plan.rungs[:reached], "n_seeds": plan.n_seeds}
        shorter = plan
        left = self.pool.deadline - time.monotonic()
        if left < float("inf"):
            pace = {one: standings[one].epoch_seconds or 0.0 for one in order}
            order, shorter = shorten(order, by_rank, plan, place + 1, pace, self.workers, left)
        decided = {"field": order, "rungs": shorter.rungs, "n_seeds": shorter.n_seeds}
        if order:  # else time is over, and with more of it the race goes on here
            self.study.write_cut(rung, decided)
        self.progress.cut(rung, len(field), order, by_rank, plan, shorter)
        return decided
