"""Training that ends when nothing becomes better."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from depthwise.errors import TrainingError
from depthwise.training.callbacks import Callback
from depthwise.training.history import COLUMNS, EpochRecord
from depthwise.training.scoring import choose_scorers

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


class EarlyStopping(Callback):
    """End training when a figure has not become better for some epochs, and go back to the best weights.

    Parameters
    ----------
    patience
        Number of epochs to wait for a better figure.
    monitor
        A column of the history; an accuracy or a score of ``scoring=`` must grow, all others must fall.
    min_delta
        By how much it must become better.
    restore_best
        Whether the network ends with the weights of the best epoch.

    Attributes
    ----------
    best_epoch_
        The epoch of the best figure, after training.

    Raises
    ------
    TrainingError
        An argument is out of range, or there is no such figure: no validation, for example.

    Examples
    --------
    >>> EarlyStopping(patience=3).monitor
    'valid_loss'
    """

    def __init__(
        self, patience: int = 5, *, monitor: str = "valid_loss", min_delta: float = 0.0, restore_best: bool = True
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise TrainingError(f"EarlyStopping: patience is {patience!r} but must be a whole number of 1 or more.")
        if min_delta < 0:
            raise TrainingError(f"EarlyStopping: min_delta is {min_delta!r} but must be 0 or more.")
        self.patience = patience
        self.monitor = monitor
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.best_epoch_: int | None = None
        self._best: float | None = None
        self._waited = 0

    def on_train_begin(self, net: NeuralNet) -> None:
        scores = choose_scorers(net.scoring)
        known = (*COLUMNS, *scores)
        if self.monitor not in known:
            raise TrainingError(f"EarlyStopping: monitor is {self.monitor!r} but must be one of {', '.join(known)}.")
        if not net.validation and (self.monitor.startswith("valid") or self.monitor in scores):
            raise TrainingError(
                f"EarlyStopping: monitor is {self.monitor!r} but validation is {net.validation}. "
                "Give validation= a share or a pair (X, y), or watch train_loss."
            )
        self.best_epoch_ = self._best = None
        self._waited = 0

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> bool:
        value = self._read(record)
        if self._best is None or isnan(self._best) or value < self._best - self.min_delta:
            self._best, self.best_epoch_, self._waited = value, record.epoch, 0
        else:
            self._waited += 1
        return self._waited >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "best_epoch": self.best_epoch_, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._best, self.best_epoch_, self._waited = (state[name] for name in ("best", "best_epoch", "waited"))

    def _read(self, record: EpochRecord) -> float:
        """The figure, turned so that less is better."""
        if self.monitor in record.scores:
            return -record.scores[self.monitor]
        value: float | None = getattr(record, self.monitor, None)
        if value is None:
            raise TrainingError(
                f"EarlyStopping: epoch {record.epoch} has no {self.monitor}. "
                "Give validation= a share or a pair (X, y), or watch train_loss."
            )
        return -value if self.monitor == "valid_accuracy" else value
