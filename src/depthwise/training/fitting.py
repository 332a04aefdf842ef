"""One fit: epochs, records, callbacks, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

from depthwise.data.augmentation import as_augmentation
from depthwise.errors import TrainingError
from depthwise.training.batches import DeviceData
from depthwise.training.callbacks import Callback, as_callbacks
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.loop import Evaluation, Hooks, Objective, Step, evaluate, train_epoch
from depthwise.training.losses import Penalty
from depthwise.training.optimizers import make_optimizer
from depthwise.training.progress import TrainingProgress
from depthwise.training.randomness import Seeds, own_randomness, seed_noise
from depthwise.training.schedules import Schedule
from depthwise.training.scoring import choose_scorers, score_outputs
from depthwise.training.stages import batch_size_of

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet
    from depthwise.training.resume import SavedTraining


class Training:
    """One fit of a network that is there.

    Parameters
    ----------
    net
        With its network; its history grows.
    train, valid
        Images to learn from, and images to check on after every epoch.
    n_epochs
        How many there are.
    saved
        Where the state of training is kept, if anywhere.
    """

    def __init__(
        self, net: NeuralNet, train: DeviceData, valid: DeviceData | None, n_epochs: int, saved: SavedTraining | None
    ) -> None:
        self.net, self.train, self.valid, self.n_epochs, self.saved = net, train, valid, n_epochs, saved
        self.begun = len(net.history_)
        self.objective = Objective(net._loss(), net.precision_, Penalty(net.module_, net.l1, net.l2))
        self.scorers = choose_scorers(net.scoring)
        self.callbacks = _callbacks(net)
        net.optimizer_ = _optimizer(net, getattr(net, "optimizer_", None))
        sizes = (train.sizes(batch_size_of(epoch, net.batch_size)) for epoch in range(n_epochs))
        self.schedule = Schedule(net.schedule, net.optimizer_, n_steps=sum(map(len, sizes)))
        self.step = Step(
            net.optimizer_,
            augmentation=as_augmentation(net.augment),
            on_gradients=_hooks(self.callbacks, "on_gradients", net),
            on_end=(*_hooks(self.callbacks, "on_step_end", net), *[self.schedule.after_step] * self.schedule.by_steps),
        )
        self.stopped = False

    def run(self) -> None:
        """Train until the epochs are done, a callback says stop, or the user interrupts.

        Raises
        ------
        TrainingError
            The loss is no longer finite.
        """
        net = self.net
        for callback in self.callbacks:
            callback.on_train_begin(net)
        if self.saved is not None:
            self.saved.restore(self)
        left = range(len(net.history_) - self.begun, self.n_epochs if not self.stopped else 0)
        progress = TrainingProgress(
            net,
            n_images=len(self.train) * len(left),
            validates=self.valid is not None,
            classifies=self.classifies,
            scores=tuple(self.scorers),
        )
        threads = None if self.saved is None else self.saved.threads
        try:
            with progress, own_randomness(net.device_), _on_threads(threads), _compiled(net):
                for epoch in left:
                    self._run_epoch(epoch, progress)
                    if self.saved is not None:
                        self.saved.write(self)
                    if self.stopped:
                        break
        except KeyboardInterrupt:
            progress.interrupted(len(net.history_) - self.begun)
        finally:
            for callback in self.callbacks:
                callback.on_train_end(net)
            net.module_.eval()

    def _run_epoch(self, epoch: int, progress: TrainingProgress) -> None:
        net = self.net
        start = perf_counter()
        # What is random in an epoch follows from its number alone: it is the same after an interruption.
        seeds = Seeds(net.seed_, len(net.history_))
        seed_noise(seeds.noise, net.device_)
        for callback in self.callbacks:
            callback.on_epoch_begin(net)
        order = torch.Generator().manual_seed(seeds.order)
        batches = self.train.shuffled(batch_size_of(epoch, net.batch_size), order)
        learning_rate = self.schedule.learning_rate
        train_loss = train_epoch(net.module_, batches, self.objective, self.step, progress.on_batch)
        _demand_finite(train_loss, net)
        for callback in self.callbacks:
            callback.on_evaluation_begin(net)
        seen = self._evaluate()
        self.schedule.after_epoch(train_loss if seen is None else seen.loss)
        record = net.history_.add(
            train_loss=train_loss,
            valid_loss=None if seen is None else seen.loss,
            valid_accuracy=None if seen is None or seen.right is None else seen.right / len(self.valid or ()),
            seconds=perf_counter() - start,
            learning_rate=learning_rate,
            scores=self._score(seen),
        )
        # Printed before a callback may stop, so that the last line is never lost.
        progress.epoch(record)
        answers = [callback.on_epoch_end(net, record) for callback in self.callbacks]
        self.stopped = any(answers)

    def _evaluate(self) -> Evaluation | None:
        if self.valid is None:
            return None
        return evaluate(
            self.net.module_,
            self.valid.in_order(),
            self.objective,
            counts=self.classifies,
            keeps_outputs=bool(self.scorers),
        )

    def _score(self, seen: Evaluation | None) -> dict[str, float]:
        if self.valid is None or seen is None or seen.outputs is None:
            return {}
        targets = self.valid.y.index_select(0, self.valid.rows).cpu()
        return score_outputs(self.net, seen.outputs, targets, self.scorers)

    @property
    def classifies(self) -> bool:
        """Whether there are right answers."""
        return self.net.outputs_are == "classes"


def _callbacks(net: NeuralNet) -> list[Callback]:
    """Those of ``callbacks=``, and then the one of ``early_stopping=``, which sees what the others have done."""
    stopping = net.early_stopping
    if stopping is None:
        return as_callbacks(net.callbacks)
    return [*as_callbacks(net.callbacks), stopping if isinstance(stopping, Callback) else EarlyStopping(stopping)]


def _hooks(callbacks: list[Callback], name: str, net: NeuralNet) -> Hooks:
    """The hooks of one kind that any callback has; the empty ones are never called."""
    return [
        partial(getattr(callback, name), net)
        for callback in callbacks
        if getattr(type(callback), name) is not getattr(Callback, name)
    ]


@contextmanager
def _on_threads(count: int | None) -> Iterator[None]:
    """As many threads inside as a training began with: another number would sum in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _compiled(net: NeuralNet) -> Iterator[None]:
    """The network compiled inside, if that is asked for, and plain outside: it is pickled and looked at."""
    if not net.compile:
        yield
        return
    net.module_.compile()
    try:
        yield
    finally:
        net.module_._compiled_call_impl = None


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
