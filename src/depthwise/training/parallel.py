"""A fit by several processes, from the side of the one that asks for it.

The estimator and the images are handed over in a temporary folder, PyTorch's elastic launcher starts the processes, and
what they have learned comes back as the state of training in a folder, which every process can go on from: the one that
asked finds nothing left to do.  No function is handed over, so that scripts need no main guard and notebooks just work.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import numpy as np
import torch

from depthwise.errors import DepthwiseError, FileError, TrainingError
from depthwise.files import write_whole
from depthwise.training.datasets import LazyImages
from depthwise.training.fitting import Training
from depthwise.training.inputs import as_array
from depthwise.training.preparing import read_pairs
from depthwise.training.progress import interrupted_text, say
from depthwise.training.resume import SavedTraining
from depthwise.training.stages import n_epochs

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    from depthwise.training.neural_net import NeuralNet

MAX_RESTARTS = 3
"""How often all processes are started again because one was killed; the default of PyTorch's launcher."""
JOB, IMAGES, FAILURE = "job.pickle", "images.npy", "failure.pickle"
"""Files of the temporary folder."""


@dataclass(frozen=True)
class Job:
    """What the processes are given.

    Attributes
    ----------
    net
        Not fitted.
    X, y, sample_weight
        As for its ``fit``.
    resume
        The folder of the state of training.
    """

    net: NeuralNet
    X: Any
    y: Any
    sample_weight: Any
    resume: Path

    def write(self, folder: Path) -> None:
        """Write it for other processes.

        Raises
        ------
        TrainingError
            A part of it cannot be pickled, or not be read by another process.
        FileError
            There is no room.
        """
        params = self.net.get_params(deep=False)
        images = self.X if isinstance(self.X, np.ndarray) and self.X.dtype != object else None
        data = {"X": None if images is not None else self.X, "y": self.y, "sample_weight": self.sample_weight}
        kind = type(self.net)
        for name, value in {kind.__name__: kind, **params, **data}.items():
            _demand_portable(name, value, self.net.processes)
        begun = self.net.warm_start and hasattr(self.net, "module_")
        fresh = self.net if begun else kind(**params)
        try:
            (folder / JOB).write_bytes(pickle.dumps({"net": fresh, **data, "resume": self.resume}))
            if images is not None:
                np.save(folder / IMAGES, images)
        except OSError as problem:
            raise FileError(
                f"{folder}: the images cannot be written for other processes ({problem.strerror or problem}). "
                "Set TMPDIR to a folder with more room."
            ) from None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it; images stay in their file until they are needed."""
        parts = pickle.loads((folder / JOB).read_bytes())
        if (folder / IMAGES).exists():
            parts["X"] = np.load(folder / IMAGES, mmap_mode="r")
        return cls(**parts)


def train_in_processes(
    net: NeuralNet, X: Any, y: Any, sample_weight: Any, resume: str | os.PathLike[str] | None
) -> None:
    """Fit an estimator by several processes; it is then as if this one had done so.

    Parameters
    ----------
    net
        With more than one of ``processes``.
    X, y, sample_weight, resume
        As for its ``fit``.

    Raises
    ------
    TrainingError
        Something cannot be handed over, or a process was killed again and again.
    DepthwiseError
        What went wrong in a process.
    """
    if net.warm_start and net.__sklearn_is_fitted__() and resume is None:
        raise TrainingError(
            f"processes={net.processes} begin a training, but warm_start=True goes on with the one that was fitted. "
            "Write processes=1, or give resume= a folder from the beginning."
        )
    images, targets = read_pairs(X, y)
    if not isinstance(images, LazyImages):  # those cannot be handed over, but what they come from
        X, y = as_array(images), targets
    with tempfile.TemporaryDirectory(prefix="depthwise-") as name:
        folder = Path(name)
        state = folder / "state" if resume is None else Path(resume).absolute()
        Job(net, X, y, sample_weight, state).write(folder)
        ended_by = _launch(folder, net.processes)
        saved = SavedTraining(state, net)
        train, valid = net._prepare(X, y, sample_weight, goes_on=net.warm_start, saved=saved)
        training = Training(net, train, valid, n_epochs(net.max_epochs, net.batch_size), saved)
        training.n_epochs = training.verbose = 0  # all is done, and told
        training.rescue.interrupted = ended_by == signal.SIGINT
        training.run()
    if ended_by == signal.SIGINT and net.verbose:
        say(interrupted_text(len(net.history_)))
    elif ended_by not in (None, signal.SIGINT):
        signal.raise_signal(ended_by)  # now that nothing is left behind


def report_failure(folder: Path, problem: Exception) -> None:
    """Tell what went wrong in a process, for the one that has started it."""
    if not isinstance(problem, DepthwiseError):
        problem.add_note("In another process:\n" + "".join(traceback.format_exception(problem)))
    try:
        content = pickle.dumps(problem)
        pickle.loads(content)
    except Exception:
        content = pickle.dumps(TrainingError(f"{type(problem).__name__}: {problem}"))
    if not (folder / FAILURE).exists():
        write_whole(folder / FAILURE, content)


class _Pickler(pickle.Pickler):
    """Refuses what another process would look for in its own ``__main__``."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (type, FunctionType)) and value.__module__ == "__main__":
            raise pickle.PicklingError(f"{value.__qualname__} is defined in __main__")
        return NotImplemented


def _demand_portable(name: str, value: Any, n_processes: int) -> None:
    try:
        with Path(os.devnull).open("wb") as nowhere:
            _Pickler(nowhere).dump(value)
    except Exception as problem:
        raise TrainingError(
            f"{name}: cannot be handed to {n_processes} processes ({problem}). "
            "Define functions and classes in a module of their own and import them, or write processes=1."
        ) from None


def _launch(folder: Path, n_processes: int) -> int | None:
    """Start the processes and wait for them; tell which signal ended them, if one came to this process."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n_processes,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=MAX_RESTARTS,
        # What the first process prints is printed here too, so that notebooks see it; without a word before it.
        logs_specs=DefaultLogsSpecs(str(folder / "logs"), redirects=Std.ALL, tee={0: Std.ALL}),
        role="",
        log_line_prefix_template="${role_name}",
    )
    died = ended_by = None
    with _undisturbed(n_processes):
        try:
            # Not -m: a process that is started again after a failure ends before PyTorch is imported.
            elastic_launch(config, sys.executable)("-P", str(Path(__file__).with_name("worker.py")), str(folder))
        except ChildFailedError as problem:
            died = problem
        except KeyboardInterrupt:
            ended_by = signal.SIGINT
        except SignalException as problem:
            ended_by = problem.sigval
    if (folder / FAILURE).exists():
        raise pickle.loads((folder / FAILURE).read_bytes()) from None
    if died is not None:
        raise _killed(died, n_processes, folder)
    return ended_by


def _killed(problem: ChildFailedError, n_processes: int, folder: Path) -> TrainingError:
    """What to say of processes that end without a word."""
    # Those that the launcher ends itself, or that miss another, come second.
    rank, failure = max(
        problem.failures.items(), key=lambda each: each[1].exitcode < 0 and each[1].exitcode != -signal.SIGTERM
    )
    how = f"ended by {failure.signal_name()}" if failure.exitcode < 0 else f"ended with status {failure.exitcode}"
    logs = sorted(folder.glob(f"logs/*/*/{rank}/stderr.log"))
    words = logs[-1].read_text(errors="replace").strip().splitlines()[-1:] if logs else []
    told = f" ({words[0]})" if words else ""
    return TrainingError(
        f"processes: process {rank} of {n_processes} was {how}{told}, {MAX_RESTARTS + 1} times. "
        "Where memory is short, write fewer processes or a smaller batch_size."
    )


@contextmanager
def _undisturbed(n_processes: int) -> Iterator[None]:
    """The environment that processes are to have; signals, variables and logs of this one are afterwards as before."""
    threads = max(torch.get_num_threads() // n_processes, 1)
    # Modules beside a script are found by its folder, which another process does not know of.
    path = os.pathsep.join(dict.fromkeys(filter(None, [*sys.path, str(Path.cwd())])))
    log, silent = logging.getLogger("torch.distributed.elastic"), logging.NullHandler()
    here = threading.current_thread() is threading.main_thread()
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    handlers = {name: signal.getsignal(getattr(signal, name)) for name in names if hasattr(signal, name) and here}
    log.addHandler(silent)
    log.propagate = False
    try:
        with _environment(
            OMP_NUM_THREADS=str(threads),
            PYTHONPATH=path,
            # Else processes that are started again meet where the first ones have (PyTorch issue 135712), and wait.
            TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
            TORCHELASTIC_SIGNALS_TO_HANDLE="",  # the launcher sets it
        ):
            yield
    finally:
        log.propagate = True
        log.removeHandler(silent)
        for name, handler in handlers.items():
            signal.signal(getattr(signal, name), handler)


@contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
