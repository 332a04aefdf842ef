"""What a training goes back to when its loss is no longer finite."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from depthwise.analysis.health import NonFinite
from depthwise.errors import TrainingError
from depthwise.rules import check_training
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.history import EpochRecord
from depthwise.training.replay import Snapshot, copy_state, find_non_finite

if TYPE_CHECKING:
    from depthwise.training.fitting import Training


class Rescue:
    """Keeps what an epoch starts from, and the weights of the best epoch of a fit, and goes back to them.

    The best epoch is the one that early stopping says it is, else the one of the lowest loss.  Training ends with its
    weights after early stopping, after an interrupt, and where the loss is no longer finite.

    Parameters
    ----------
    training
        That it watches over.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        stopping = [each for each in training.callbacks if isinstance(each, EarlyStopping) and each.restore_best]
        self.stopping = stopping[-1] if stopping else None
        self.start: Snapshot | None = None
        self.first: Snapshot | None = None
        self.best: dict[str, Any] | None = None
        self.best_loss = float("inf")
        self.failed = self.interrupted = self.undone = False

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
        best, self.best_loss, self.failed = (state[name] for name in ("best", "best_loss", "failed"))
        device = self.training.net.device_
        self.best = None if best is None else {name: value.to(device) for name, value in best.items()}
        if state["non_finite"] is not None:
            self.training.health.non_finite = NonFinite(**state["non_finite"])
        if self.failed:
            self._warn("the training loss is not finite")

    def begin_epoch(self) -> None:
        """Keep what the epoch starts from."""
        self.start = None  # its memory serves the next one
        self.start = Snapshot.of(self.training, self.best)
        if self.best is None:
            self.first = self.first or self.start

    def end_epoch(self, record: EpochRecord) -> None:
        """Keep the weights where they are better than ever in this fit."""
        loss = record.train_loss if record.valid_loss is None else record.valid_loss
        is_best = loss < self.best_loss if self.stopping is None else record.epoch == self.stopping.best_epoch_
        if is_best:
            self.best_loss = loss
            self.best = self.first = self.start = None
            self.best = copy_state(self.training.net.module_)

    def demand_finite(self, train_loss: float, epoch: int) -> None:
        """Find out where a loss, or a weight, that is not finite comes from.

        Warns
        -----
        ConvergenceWarning
            Training ends with the weights of its best epoch.

        Raises
        ------
        TrainingError
            There is no epoch to go back to; the network is as it was before.
        """
        training, start = self.training, self.start
        assert start is not None
        if isfinite(train_loss) and _are_finite(training.net.module_):
            return
        told = "the weights are not finite" if isfinite(train_loss) else f"the training loss is {train_loss}"
        training.health.non_finite = find_non_finite(training, epoch, start)
        if self.best is None:
            self.undone = True
            (finding,) = check_training(training.health.record, select=["TRN001"])
            found = f"{finding.message[0].upper()}{finding.message[1:]}. {finding.remedies[0].title}."
            raise TrainingError(f"epoch {self._epoch}: {told}. {found}")
        self.failed = True
        self._warn(told)

    @property
    def _epoch(self) -> int:
        return len(self.training.net.history_) + 1

    def _warn(self, told: str) -> None:
        warnings.warn(
            f"epoch {self._epoch}: {told}. The network goes back to the weights of its best epoch; findings_ tells "
            "where that came from.",
            ConvergenceWarning,
            stacklevel=3,
        )

    def finish(self) -> None:
        """Go back to the best weights, or to what was there before."""
        if self.undone:
            assert self.first is not None  # kept until there is a best epoch
            self.first.restore(self.training)
        elif self.best is not None and (self.failed or self.interrupted or self.stopping is not None):
            self.training.net.module_.load_state_dict(self.best)


def _are_finite(module: nn.Module) -> bool:
    weights = [parameter.detach() for parameter in module.parameters() if parameter.is_floating_point()]
    return bool(torch.stack(torch._foreach_norm(weights, float("inf"))).isfinite().all())
