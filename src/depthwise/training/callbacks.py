"""What may happen between epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from depthwise.errors import TrainingError
from depthwise.training.history import COLUMNS, EpochRecord

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


class Callback:
    """Hooks of training; inherit and override what is needed.

    A bare function of ``(net, record)`` in ``callbacks=`` is called as ``on_epoch_end`` is.
    """

    def on_train_begin(self, net: NeuralNet) -> None:
        """Before the first epoch of a fit; ``net.module_`` is there."""

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> bool | None:
        """After every epoch, when its line is printed; ``True`` ends training."""
        return None

    def on_train_end(self, net: NeuralNet) -> None:
        """After the last epoch, also when training was interrupted."""


class _FunctionCallback(Callback):
    def __init__(self, function: Callable[[NeuralNet, EpochRecord], bool | None]) -> None:
        self.function = function

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> bool | None:
        return self.function(net, record)


def as_callbacks(callbacks: Iterable[Any] | None) -> list[Callback]:
    """Callbacks as a list of their own; functions are wrapped.

    Raises
    ------
    TrainingError
        An entry can neither be called nor is it a :class:`Callback`.
    """
    if callbacks is None:
        return []
    single = isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable)
    entries: list[Any] = [callbacks] if single else list(callbacks)
    for entry in entries:
        if isinstance(entry, type) or not (isinstance(entry, Callback) or callable(entry)):
            raise TrainingError(
                f"callbacks holds {entry!r}, which is neither a Callback nor a function of (net, record). "
                "Write for example EarlyStopping(patience=5)."
            )
    return [entry if isinstance(entry, Callback) else _FunctionCallback(entry) for entry in entries]


class EarlyStopping(Callback):
    """End training when a figure has not become better for some epochs, and go back to the best weights.

    Parameters
    ----------
    patience
        Number of epochs to wait for a better figure.
    monitor
        A column of the history; an accuracy must grow, all others must fall.
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
        if monitor not in COLUMNS:
            raise TrainingError(f"EarlyStopping: monitor is {monitor!r} but must be one of {', '.join(COLUMNS)}.")
        if min_delta < 0:
            raise TrainingError(f"EarlyStopping: min_delta is {min_delta!r} but must be 0 or more.")
        self.patience = patience
        self.monitor = monitor
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.best_epoch_: int | None = None
        self._best: float | None = None
        self._best_state: dict[str, Tensor] | None = None
        self._waited = 0

    def on_train_begin(self, net: NeuralNet) -> None:
        self.best_epoch_ = self._best = self._best_state = None
        self._waited = 0

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> bool:
        value = getattr(record, self.monitor)
        if value is None:
            raise TrainingError(
                f"EarlyStopping: epoch {record.epoch} has no {self.monitor}. "
                "Give validation= a share or a pair (X, y), or watch train_loss."
            )
        value = -value if self.monitor == "valid_accuracy" else value
        if self._best is None or value < self._best - self.min_delta:
            self._best, self.best_epoch_, self._waited = value, record.epoch, 0
            if self.restore_best:
                self._best_state = copy.deepcopy(net.module_.state_dict())
        else:
            self._waited += 1
        return self._waited >= self.patience

    def on_train_end(self, net: NeuralNet) -> None:
        if self._best_state is not None:
            net.module_.load_state_dict(self._best_state)
        self._best_state = None
