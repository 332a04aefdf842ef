"""Jobs on whatever joblib computes with: processes of this machine, or a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from joblib import Parallel, delayed, effective_n_jobs

from depthwise.errors import DepthwiseError, StudyError
from depthwise.search.jobs import Task, run_task
from depthwise.search.study import Job, Study

IDLE_DEATHS = 3
"""Times in a row that processes may die before they begin a job."""


class Pool:
    """Does jobs, whatever dies meanwhile.

    A process that dies takes the others of a joblib pool with it.  So the jobs that were begun and not done are
    suspects: each is done again alone, where its attempts are counted (:func:`~depthwise.search.jobs.run_task`).

    Parameters
    ----------
    study
        Where results go.
    n_jobs
        As for :class:`joblib.Parallel`.
    deadline
        Time, as of :func:`time.monotonic`, after which no job is begun.
    """

    def __init__(self, study: Study, n_jobs: int | None, deadline: float = float("inf")) -> None:
        self.study = study
        self.n_jobs = n_jobs
        self.deadline = deadline
        self._idle_deaths = 0

    def run(self, tasks: Sequence[Task], on_done: Callable[[Job], None]) -> None:
        """Do all jobs that are not done, in the given order, until the time is over.

        Parameters
        ----------
        tasks
            The jobs.
        on_done
            Called with each job when its result is there.

        Raises
        ------
        StudyError
            Processes die before they begin a job.
        FileError
            The study cannot be written.
        """
        if effective_n_jobs(self.n_jobs) > 1:
            for task in tasks:  # of a race that was killed: which of several jobs was to blame is not known
                self.study.mark(task.job).unlink(missing_ok=True)
        suspects: set[Job] = set()
        while left := [task for task in tasks if not self.study.is_done(task.job)]:
            if time.monotonic() >= self.deadline:
                return
            wave = [task for task in left if task.job in suspects][:1] or left
            blamed = self._run_wave(wave, on_done)
            suspects.update(task.job for task in blamed)
            if len(wave) > 1:
                for task in blamed:
                    self.study.mark(task.job).unlink(missing_ok=True)  # it may have been pulled down by another

    def _run_wave(self, wave: Sequence[Task], on_done: Callable[[Job], None]) -> list[Task]:
        """Do some jobs; return those that may be to blame for trouble."""
        parallel = Parallel(
            n_jobs=self.n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1, max_nbytes=None
        )
        try:
            for job in parallel(delayed(_do)(task) for task in self._in_time(wave)):
                if self.study.is_done(job):
                    on_done(job)
        except (DepthwiseError, OSError):
            raise
        except Exception as death:  # of a process: joblib's and Dask's errors have no common name
            self._count_idle_deaths(wave, death)
        return [task for task in wave if self.study.mark(task.job).exists()]

    def _in_time(self, wave: Sequence[Task]) -> Iterator[Task]:
        for task in wave:
            if time.monotonic() >= self.deadline:
                return
            yield task

    def _count_idle_deaths(self, wave: Sequence[Task], death: Exception) -> None:
        """Processes that die before they begin anything would do so for ever."""
        begun = any(self.study.mark(task.job).exists() for task in wave)
        self._idle_deaths = 0 if begun else self._idle_deaths + 1
        if self._idle_deaths >= IDLE_DEATHS:
            what = f"{type(death).__name__}: {death}".splitlines()[0]
            raise StudyError(f"processes die before they begin a job ({what}). Set n_jobs=1 to see why.")


def _do(task: Task) -> Job:
    run_task(task)
    return task.job
