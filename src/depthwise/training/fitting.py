"""One fit: epochs, records, callbacks, and how it ends."""

from __future__ import annotations

from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from depthwise.errors import TrainingError
from depthwise.training.batches import DeviceData
from depthwise.training.callbacks import Callback, as_callbacks
from depthwise.training.history import EpochRecord
from depthwise.training.loop import Objective, evaluate, train_epoch
from depthwise.training.losses import Penalty, choose_loss
from depthwise.training.optimizers import make_optimizer
from depthwise.training.progress import TrainingProgress
from depthwise.training.randomness import Seeds

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


def run_epochs(net: NeuralNet, train: DeviceData, valid: DeviceData | None) -> None:
    """Train until the epochs are done, a callback says stop, or the user interrupts.

    Parameters
    ----------
    net
        With its network; its history grows.
    train, valid
        Images to learn from, and images to check on after every epoch.

    Raises
    ------
    TrainingError
        The loss is no longer finite.
    """
    penalty = Penalty(net.module_, net.l1, net.l2)
    objective = Objective(choose_loss(net.loss, net.losses), net.precision_, penalty)
    callbacks = as_callbacks(net.callbacks)
    net.optimizer_ = _optimizer(net, getattr(net, "optimizer_", None))
    order = torch.Generator().manual_seed(Seeds(net.seed_, len(net.history_)).order)
    classifies = net.outputs_are == "classes"
    progress = TrainingProgress(net, len(train), validates=valid is not None, classifies=classifies)

    def run_epoch() -> EpochRecord:
        start = perf_counter()
        batches = train.shuffled(net.batch_size, order)
        train_loss = train_epoch(net.module_, batches, objective, net.optimizer_, progress.on_batch)
        _demand_finite(train_loss, net)
        valid_loss = accuracy = None
        if valid is not None:
            valid_loss, right = evaluate(net.module_, valid.in_order(), objective, counts=classifies)
            accuracy = None if right is None else right / len(valid)
        seconds = perf_counter() - start
        return net.history_.add(train_loss=train_loss, valid_loss=valid_loss, valid_accuracy=accuracy, seconds=seconds)

    for callback in callbacks:
        callback.on_train_begin(net)
    before = len(net.history_)
    try:
        with progress:
            for _ in range(net.max_epochs):
                record = run_epoch()
                # Printed before a callback may stop, so that the last line is never lost.
                progress.epoch(record)
                if _wants_to_stop(callbacks, net, record):
                    break
    except KeyboardInterrupt:
        progress.interrupted(len(net.history_) - before)
    finally:
        for callback in callbacks:
            callback.on_train_end(net)
        net.module_.eval()


def _wants_to_stop(callbacks: list[Callback], net: NeuralNet, record: EpochRecord) -> bool:
    """Ask every callback, also those behind one that stops."""
    answers = [callback.on_epoch_end(net, record) for callback in callbacks]
    return any(answers)


def _demand_finite(train_loss: float, net: NeuralNet) -> None:
    if not isfinite(train_loss):
        raise TrainingError(
            f"epoch {len(net.history_) + 1}: the training loss is {train_loss}. "
            f"Lower learning_rate, which is {net.learning_rate:g}."
        )


def _optimizer(net: NeuralNet, before: Optimizer | None) -> Optimizer:
    """An optimizer with the parameters as they are now, which goes on where one of its kind has stopped."""
    optimizer = make_optimizer(
        net.optimizer,
        net.module_,
        learning_rate=net.learning_rate,
        momentum=net.momentum,
        weight_decay=net.weight_decay,
    )
    if type(before) is type(optimizer):
        optimizer.state.update(before.state)
    return optimizer
