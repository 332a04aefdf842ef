"""What a training goes back to when its loss is no longer finite."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from sklearn.exceptions import ConvergenceWarning

from depthwise.analysis.health import NonFinite
from depthwise.errors import TrainingError
from depthwise.rules import check_training
from depthwise.training.history import EpochRecord
from depthwise.training.replay import Snapshot, copy_state, find_non_finite

if TYPE_CHECKING:
    from depthwise.training.fitting import Training


class Rescue:
    """Keeps what an epoch starts from, and the weights of the best epoch of a fit.

    Parameters
    ----------
    training
        That it watches over.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.start: Snapshot | None = None
        self.first: Snapshot | None = None
        self.best: dict[str, Any] | None = None
        self.best_loss = float("inf")
        self.failed = False

    def state_dict(self) -> dict[str, Any]:
        """What is to be known to go on after an interruption."""
        found = self.training.health.non_finite
        return {
            "best": self.best,
            "best_loss": self.best_loss,
            "failed": self.failed,
            "non_finite": None if found is None else asdict(found),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; tell again that training failed, if it did."""
        self.best, self.best_loss, self.failed = (state[name] for name in ("best", "best_loss", "failed"))
        if state["non_finite"] is not None:
            self.training.health.non_finite = NonFinite(**state["non_finite"])
        if self.failed:
            self._warn("not finite")

    def begin_epoch(self) -> None:
        """Keep what the epoch starts from."""
        self.start = None  # its memory serves the next one
        self.start = Snapshot.of(self.training, self.best)
        if self.best is None:
            self.first = self.first or self.start

    def end_epoch(self, record: EpochRecord) -> None:
        """Keep the weights where they are better than ever in this fit."""
        loss = record.train_loss if record.valid_loss is None else record.valid_loss
        if loss < self.best_loss:
            self.best = self.first = self.start = None
            self.best_loss, self.best = loss, copy_state(self.training.net.module_)

    def demand_finite(self, train_loss: float, epoch: int) -> None:
        """Find out where a loss that is not finite comes from.

        Warns
        -----
        ConvergenceWarning
            Training ends with the weights of its best epoch.

        Raises
        ------
        TrainingError
            There is no epoch to go back to; the network is as it was before.
        """
        if isfinite(train_loss):
            return
        training, start = self.training, self.start
        assert start is not None
        net, health = training.net, training.health
        health.non_finite = find_non_finite(training, epoch, start)
        number = len(net.history_) + 1
        known = [record.valid_loss or record.train_loss for record in net.history_[training.begun :]]
        if not any(map(isfinite, known)):
            (self.first or start).restore(training)
            (finding,) = check_training(health.record, select=["TRN001"])
            told = f"{finding.message[0].upper()}{finding.message[1:]}. {finding.remedies[0].title}."
            raise TrainingError(f"epoch {number}: the training loss is {train_loss}. {told}")
        self.best = self.best or start.module
        self.failed = True
        self._warn(train_loss)

    def _warn(self, train_loss: float | str) -> None:
        warnings.warn(
            f"epoch {len(self.training.net.history_) + 1}: the training loss is {train_loss}. The network goes back to "
            "the weights of its best epoch; findings_ tells where that came from.",
            ConvergenceWarning,
            stacklevel=3,
        )

    def finish(self) -> None:
        """Go back to the best weights, if training failed."""
        if self.failed and self.best is not None:
            self.training.net.module_.load_state_dict(self.best)
