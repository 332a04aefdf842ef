"""What every epoch came to, handed on: to a function, or to a file of comma-separated values."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthwise.errors import FileError, TrainingError
from depthwise.training.callbacks import Callback
from depthwise.training.history import EpochRecord, History
from depthwise.training.ranks import is_main_process

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

OTHERWISE_EACH_TIME = "seconds"
"""The one column in which an epoch that is trained again, after an interruption, differs."""


class LogTo(Callback):
    """Hand the figures of each epoch on as a row: column -> value, the scores of ``scoring=`` among them.

    Parameters
    ----------
    target
        Called with the row, such as ``wandb.log`` or the ``append`` of a list; or the path of a CSV file.  The file
        gets its head once and whole lines; further fits are appended, and an epoch that was logged before training
        was interrupted is not logged again.

    Raises
    ------
    TrainingError
        `target` is neither.

    Examples
    --------
    >>> from depthwise.layers import Dense, Output
    >>> from depthwise.training import NeuralNetClassifier
    >>> rows = []
    >>> net = NeuralNetClassifier([Dense(4), Output()], max_epochs=2, callbacks=[LogTo(rows.append)], verbose=0)
    >>> _ = net.fit([[0.0], [1.0]] * 10, [0, 1] * 10)
    >>> [row["epoch"] for row in rows]
    [1, 2]
    """

    def __init__(self, target: Callable[[dict[str, Any]], object] | str | os.PathLike[str]) -> None:
        if not callable(target) and not isinstance(target, (str, os.PathLike)):
            raise TrainingError(f"LogTo: target is {target!r} but must be a function of a row, or the path of a file.")
        self.target = target

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> None:
        if not is_main_process():
            return
        (row,) = History([record]).to_list()
        if callable(self.target):
            self.target(row)
        else:
            _append(Path(self.target), row)


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """Append a line to a file, whose head must name the same columns."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8", newline="") as file:
            file.seek(0)
            whole, _, rest = file.read().rpartition("\n")
            lines = whole.splitlines()
            if rest:  # of a process that was killed while it wrote
                file.truncate(len(f"{whole}\n".encode()) if whole else 0)
            if lines and next(csv.reader(lines[:1])) != list(row):
                raise FileError(
                    f"{path}: has the columns {lines[0]}, but this training has {','.join(row)}. Name another file."
                )
            last = dict(zip(row, next(csv.reader(lines[-1:])), strict=False)) if len(lines) > 1 else {}
            if not _is_again(last, row):
                file.write(("" if lines else _line(row)) + _line(row.values()))
    except OSError as problem:
        raise FileError(f"{path}: cannot be written ({problem.strerror or problem}). Give another path.") from None


def _is_again(last: Mapping[str, str], row: Mapping[str, Any]) -> bool:
    now = dict(zip(row, next(csv.reader([_line(row.values())])), strict=True))
    return {**last, OTHERWISE_EACH_TIME: ""} == {**now, OTHERWISE_EACH_TIME: ""}


def _line(values: Any) -> str:
    """A line as CSV has it; ``None`` is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
