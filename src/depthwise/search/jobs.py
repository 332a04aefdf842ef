"""One job, in whatever process it runs: train one network up to a rung, and write down what came out."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from sklearn.base import clone

from depthwise.errors import DepthwiseError, FileError, StudyError, TrainingError
from depthwise.notation import read_toml
from depthwise.search.devices import own_device
from depthwise.search.halving import Judged, binomial_error
from depthwise.search.study import DEATH, Job, Study
from depthwise.training.callbacks import Callback, as_callbacks
from depthwise.training.device import on_threads

if TYPE_CHECKING:
    from depthwise.training.history import EpochRecord
    from depthwise.training.neural_net import NeuralNet

BATCH_MEANS = 30
"""Parts of the validation images whose mean losses tell the standard error of the whole's.  Schmeiser, Operations
Research 30, 1982: between 10 and 30 are enough."""


STRIKES = 2
"""Times that a job may end its process, or fail by what surrounds it, without finishing an epoch."""
DRIVER_STRIKES = 5
"""Times that it may end the process that races: that one may as well have been killed by a limit, or its user."""


@dataclass(frozen=True)
class Task:
    """A job and all that a process needs to do it.

    Attributes
    ----------
    folder
        Of the study.
    job
        Which one.
    template
        Estimator with the parameters of all jobs.
    layers
        Of the design, as TOML.
    rungs
        Up to that of the job.
    random_state
        Seed of the training.
    threads
        To compute with.
    driver
        Process that races.
    """

    folder: str
    job: Job
    template: NeuralNet
    layers: str
    rungs: tuple[int, ...]
    random_state: int
    threads: int
    driver: int


def run_task(task: Task) -> None:
    """Do a job if it is not done.

    What is wrong with the design itself (it does not fit the images, its loss is no longer finite) becomes the job's
    result.  Any other failure, or the death of the process, leaves the job's mark; after `STRIKES` attempts between
    which no epoch was finished (`DRIVER_STRIKES`, where it dies in the process that races) the job is given up.

    Raises
    ------
    FileError
        The study cannot be written.
    """
    study, job = Study(task.folder), task.job
    if study.is_done(job):
        return
    attempt = study.begin(job)
    strikes = DRIVER_STRIKES if os.getpid() == task.driver and attempt.problem == DEATH else STRIKES
    if attempt.number > strikes:
        study.write_result(job, {"error": f"given up after {strikes} attempts without an epoch: {attempt.problem}"})
        return
    try:
        with own_device(task.template.device) as device, on_threads(task.threads):
            study.write_result(job, _train(study, task, device))
    except (FileError, StudyError, KeyboardInterrupt):
        study.mark(job).unlink(missing_ok=True)
        raise
    except DepthwiseError as problem:
        study.write_result(job, {"error": str(problem)})
    except Exception as problem:
        study.blame(job, attempt, f"{type(problem).__name__}: {problem}")


def _train(study: Study, task: Task, device: Any) -> dict[str, Any]:
    X, y, X_valid, y_valid = study.arrays()
    job = task.job
    callbacks = [*copy.deepcopy(as_callbacks(task.template.callbacks)), Lookout(task.driver)]
    with _interrupts() as interrupts:
        # Every network climbs the same rungs, the later seeds too: a schedule is stretched over each of them.
        for rung in [rung for rung in task.rungs if not study.is_done(replace(job, rung=rung))]:
            net: NeuralNet = clone(task.template).set_params(
                layers=read_toml(task.layers),
                max_epochs=rung,
                validation=(X_valid, y_valid),
                random_state=task.random_state,
                callbacks=callbacks,
                device=device,
                warm_start=False,
                verbose=0,
            )
            net.fit(X, y, resume=study.state(job))
            if interrupts:
                raise KeyboardInterrupt  # which fit takes for the wish to end with what is learned
    if len(net.history_) > job.rung:  # a result was lost that later ones were built on
        shutil.rmtree(study.state(job))
        return _train(study, task, device)
    judged = judge(net, X_valid, y_valid)
    net.set_params(callbacks=()).save(study.network(job))
    for earlier in study.network(job).parent.glob(f"{job.training}-*.safetensors"):
        if int(earlier.stem.rpartition("-")[2]) < job.rung:
            earlier.unlink(missing_ok=True)
    return {
        "score": judged.score,
        "standard_error": judged.standard_error,
        "epochs": len(net.history_),
        "seconds": sum(net.history_["seconds"]),
        "history": net.history_.to_dict(),
    }


def judge(net: NeuralNet, X: NDArray[Any], y: NDArray[Any]) -> Judged:
    """The score of a trained network: its accuracy, or minus its loss, with the standard error.

    Raises
    ------
    TrainingError
        The loss is not finite.
    """
    loss, right = net.evaluate(X, y)
    if not isfinite(loss):
        raise TrainingError(f"the validation loss is {loss}. Lower learning_rate, which is {net.learning_rate:g}.")
    if right is not None:
        return Judged(right / len(y), binomial_error(right, len(y)))
    parts = np.array_split(np.arange(len(y)), min(BATCH_MEANS, len(y)))
    losses = [net.evaluate(X[part], y[part])[0] for part in parts]
    return Judged(-loss, float(np.std(losses, ddof=1)) / sqrt(len(parts)) if len(parts) > 1 else 0.0)


class Lookout(Callback):
    """Ends this process when the one that waits for it has died: its job is begun again elsewhere.

    Parameters
    ----------
    driver
        Process that races; it waits for nobody.
    """

    def __init__(self, driver: int) -> None:
        self.parent = None if os.getpid() == driver else os.getppid()

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> None:
        if self.parent not in (None, os.getppid()):
            os._exit(1)


def count_threads(wanted: int | None, workers: int) -> int:
    """Threads of each of some jobs at a time: as many as are wanted, else cores by jobs."""
    return wanted or max(1, min(cpu_count(), torch.get_num_threads()) // workers)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Interrupts of the user (Ctrl-C) that came meanwhile; where they arrive elsewhere, none."""
    noted: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield noted
        return

    def note(number: int, frame: Any) -> None:
        noted.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
