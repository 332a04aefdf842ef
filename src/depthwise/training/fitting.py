"""One fit: epochs, records, callbacks, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from depthwise.data.augmentation import as_augmentation
from depthwise.rules import check_training
from depthwise.training.batches import Batch, DeviceData
from depthwise.training.callbacks import Callback, as_callbacks
from depthwise.training.device import on_threads, tuned
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.health import HealthRecorder
from depthwise.training.heap import kept_heap
from depthwise.training.loop import Evaluation, Hooks, Objective, Step, evaluate, train_epoch
from depthwise.training.losses import Penalty
from depthwise.training.optimizers import optimizer_of
from depthwise.training.progress import TrainingProgress
from depthwise.training.randomness import Seeds, own_randomness, seed_noise
from depthwise.training.ranks import Ranks
from depthwise.training.rescue import Rescue
from depthwise.training.resume import describe_data
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
    stops
        Whether the estimator's ``early_stopping`` may end it.
    """

    def __init__(
        self,
        net: NeuralNet,
        train: DeviceData,
        valid: DeviceData | None,
        n_epochs: int,
        saved: SavedTraining | None = None,
        *,
        stops: bool = True,
    ) -> None:
        self.net, self.train, self.valid, self.n_epochs, self.saved = net, train, valid, n_epochs, saved
        self.begun = len(net.history_)
        self.ranks = Ranks.now()
        self.verbose = int(net.verbose) * self.ranks.is_main
        net.precision_ = self.ranks.agree(net.precision_)
        self.ranks.spread([*net.module_.parameters(), *net.module_.buffers()])
        self.objective = Objective(net._loss(), net.precision_, Penalty(net.module_, net.l1, net.l2))
        self.scorers = choose_scorers(net.scoring)
        self.callbacks: list[Callback] = _callbacks(net, stops)
        self.health = HealthRecorder(net, train, valid)
        self.rescue = Rescue(self)
        net.optimizer_ = _optimizer(net, getattr(net, "optimizer_", None))
        sizes = (train.sizes(batch_size_of(epoch, net.batch_size)) for epoch in range(n_epochs))
        self.schedule = Schedule(net.schedule, net.optimizer_, n_steps=sum(map(len, sizes)))
        self.step = Step(
            net.optimizer_,
            augmentation=as_augmentation(net.augment),
            on_gradients=(self.health.on_gradients, *_hooks(self.callbacks, "on_gradients", net)),
            on_end=(
                self.health.on_step_end,
                *_hooks(self.callbacks, "on_step_end", net),
                *[self.schedule.after_step] * self.schedule.by_steps,
            ),
            ranks=self.ranks,
        )
        self.stopped = False
        if self.begun:
            self.health.restore(getattr(net, "health_", None))

    def run(self) -> None:
        """Train until the epochs are done, a callback says stop, the user interrupts, or the loss is not finite.

        Raises
        ------
        TrainingError
            The loss of the first epoch is not finite.
        """
        net = self.net
        for callback in self.callbacks:
            callback.on_train_begin(net)
        if self.saved is not None:
            self.saved.restore(self)
        if self.ranks.size > 1:
            self.ranks.demand_equal("images of training and validation", describe_data(self))
        left = range(len(net.history_) - self.begun, self.n_epochs if not self.stopped else 0)
        progress = TrainingProgress(
            net,
            n_images=len(self.train) * len(left) // self.ranks.size,
            validates=self.valid is not None,
            classifies=self.classifies,
            scores=tuple(self.scorers),
            verbose=self.verbose,
        )
        threads = None if self.saved is None else self.saved.threads
        try:
            with progress, _conditions(net, threads):
                for epoch in left:
                    self._run_epoch(epoch, progress)
                    if self.saved is not None and self.ranks.is_main:
                        self.saved.write(self)
                    if self.stopped:
                        break
        except KeyboardInterrupt:
            self.rescue.interrupted = True
            progress.interrupted(len(net.history_) - self.begun)
        finally:
            with ExitStack() as ends:  # all of them come, in order, whichever raises
                ends.callback(self._leave)
                for callback in reversed(self.callbacks):
                    ends.callback(callback.on_train_end, net)
        progress.verdict(check_training(net.health_))

    def _leave(self) -> None:
        """The network as it shall be, whatever happened, and what is known of its training."""
        self.rescue.finish()
        self.net.module_.eval()
        self.net.health_ = self.health.record

    def _run_epoch(self, epoch: int, progress: TrainingProgress) -> None:
        net = self.net
        start = perf_counter()
        batches = self.batches(epoch)
        for callback in self.callbacks:
            callback.on_epoch_begin(net)
        learning_rate = self.schedule.learning_rate
        self.rescue.begin_epoch()
        parts = map(self.ranks.share, self.train.sizes(batch_size_of(epoch, net.batch_size)))
        self.health.begin_epoch([part.stop - part.start for part in parts])
        train_loss = train_epoch(net.module_, batches, self.objective, self.step, progress.on_batch)
        self.rescue.demand_finite(train_loss, epoch)
        if self.rescue.failed:
            self.stopped = True
            return
        for callback in self.callbacks:
            callback.on_evaluation_begin(net)
        self.ranks.spread(list(net.module_.buffers()))  # batch norms have seen the images of one process each
        seen = self._evaluate()
        self.health.look()
        self.schedule.after_epoch(train_loss if seen is None else seen.loss)
        record = net.history_.add(
            train_loss=train_loss,
            valid_loss=None if seen is None else seen.loss,
            valid_accuracy=None if seen is None or seen.right is None else seen.right / len(self.valid or ()),
            seconds=perf_counter() - start,
            learning_rate=learning_rate,
            scores=self.ranks.agree(self._score(seen)),
        )
        self.health.end_epoch(record)
        # Printed before a callback may stop, so that the last line is never lost.
        progress.epoch(record)
        answers = [callback.on_epoch_end(net, record) for callback in self.callbacks]
        self.rescue.end_epoch(record)  # early stopping has judged it by now
        self.stopped = self.ranks.agree(any(answers))

    def batches(self, epoch: int, ranks: Ranks | None = None) -> Iterator[Batch]:
        """The batches of the next epoch, `epoch` of this fit, and the noise in them.

        What is random follows from the number of epochs done alone: it is the same after an interruption.
        """
        ranks = ranks or self.ranks
        seeds = Seeds(self.net.seed_, len(self.net.history_), ranks.rank)
        seed_noise(seeds.noise, self.net.device_)
        order = torch.Generator().manual_seed(seeds.order)
        share = ranks.share if ranks.size > 1 else None
        return self.train.shuffled(batch_size_of(epoch, self.net.batch_size), order, share)

    def _evaluate(self) -> Evaluation | None:
        if self.valid is None:
            return None
        return evaluate(
            self.net.module_,
            self.ranks.part_of(self.valid).in_order(),
            self.objective,
            counts=self.classifies,
            keeps_outputs=bool(self.scorers),
            ranks=self.ranks,
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


def _callbacks(net: NeuralNet, stops: bool) -> list[Callback]:
    """Those of ``callbacks=``, and then the one of ``early_stopping=``, which sees what the others have done."""
    stopping = net.early_stopping
    if stopping is None or not stops:
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
def _conditions(net: NeuralNet, threads: int | None) -> Iterator[None]:
    """All that is otherwise while a network learns, and as it was before afterwards."""
    # Another number of threads than a training began with would sum in another order.
    with own_randomness(net.device_), on_threads(threads), tuned(net.device_), _compiled(net), kept_heap():
        yield


@contextmanager
def _compiled(net: NeuralNet) -> Iterator[None]:
    """The network compiled inside, if that is asked for, and plain outside: it is pickled and looked at."""
    if not net.compile:
        yield
        return
    # On a GPU this mode also records the kernels of a step and starts them all at once (CUDA graphs).
    net.module_.compile(mode="reduce-overhead" if net.device_.type == "cuda" else "default")
    try:
        yield
    finally:
        net.module_._compiled_call_impl = None


def _optimizer(net: NeuralNet, before: Optimizer | None) -> Optimizer:
    """An optimizer with the parameters as they are now, which goes on where one of its kind has stopped."""
    optimizer = optimizer_of(net, net.module_)
    if type(before) is type(optimizer):
        optimizer.state.update(before.state)
    return optimizer


@contextmanager
def as_before_unless_learned(net: NeuralNet) -> Iterator[None]:
    """Where not one epoch could be trained, the estimator is what it was."""
    before: dict[str, Any] = net.__dict__.copy()
    count = len(before.get("history_", ()))
    try:
        yield
    except BaseException:
        history: Any = net.__dict__.get("history_") or ()
        if len(history) == (count if history is before.get("history_") else 0):
            net.__dict__.clear()
            net.__dict__.update(before)
        raise
