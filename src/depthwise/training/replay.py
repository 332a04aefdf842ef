"""When the loss is no longer finite: the epoch once more, to see where that arose, and back to what was good.

What is random in an epoch follows from its number, so that an epoch which starts from the same weights meets the same
values again; looking for them costs nothing before it is needed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from depthwise.analysis.health import NonFinite, Place
from depthwise.training.batches import Batch
from depthwise.training.loop import train_epoch
from depthwise.training.losses import Loss, LossFunction
from depthwise.training.ranks import ALONE
from depthwise.training.watching import watched_layers

if TYPE_CHECKING:
    from depthwise.training.fitting import Training


@dataclass(frozen=True)
class Snapshot:
    """What an epoch starts from, or ends with."""

    module: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]

    @classmethod
    def of(cls, training: Training, known: Mapping[str, Any] | None = None) -> Snapshot:
        """A copy of it, but for tensors of the module that are the same in another copy."""
        parts = (training.net.optimizer_, training.schedule)
        module = copy_state(training.net.module_, known)
        return cls(module, *(copy.deepcopy(part.state_dict()) for part in parts))

    def restore(self, training: Training) -> None:
        """Bring a training back to it."""
        training.net.module_.load_state_dict(self.module)
        training.net.optimizer_.load_state_dict(copy.deepcopy(self.optimizer))
        training.schedule.load_state_dict(copy.deepcopy(self.schedule))


def copy_state(module: nn.Module, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A module's state; tensors that another copy of it holds already are those of that copy."""

    def copied(name: str, value: Any) -> Any:
        other = None if known is None else known.get(name)
        if isinstance(other, Tensor) and isinstance(value, Tensor) and torch.equal(other, value):
            return other
        return copy.deepcopy(value)

    return {name: copied(name, value) for name, value in module.state_dict().items()}


class _FoundError(Exception):
    """The way out of the loop."""

    def __init__(self, place: Place, layer: str | None, value: Tensor) -> None:
        self.place, self.layer, self.value = place, layer, _name(value)


def find_non_finite(training: Training, epoch: int, start: Snapshot) -> NonFinite:
    """Train an epoch again, up to the first value that is not finite.

    Parameters
    ----------
    training
        Its weights are afterwards those of the batch in which the value was found.
    epoch
        Its place among those of the fit.
    start
        What it started from.
    """
    start.restore(training)
    net, step = training.net, training.step
    search = _Search(net.module_)
    # Each of several processes looks alone: where one finds something, the others would wait for it.
    watched = replace(
        step, ranks=ALONE, on_gradients=(search.on_gradients, *step.on_gradients), on_end=(*step.on_end, search.on_end)
    )
    objective = replace(training.objective, loss=search.watch(training.objective.loss))
    number = len(net.history_) + 1
    try:
        with search.hooked():
            search.check_weights()
            train_epoch(net.module_, search.counted(training.batches(epoch, ALONE)), objective, watched)
    except _FoundError as found:
        return NonFinite(number, max(search.batch, 1), found.place, found.layer, found.value)
    return NonFinite(number, None, "loss", None, "inf")


class _Search:
    """Looks at every step of an epoch for values that are not finite, in the order in which they are computed."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.layers = watched_layers(module)
        self.batch = 0
        self.outputs: dict[str, Tensor] = {}
        self.usual: set[str] = set()  # the mask of an attention is infinite in every batch

    def counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, counted from 1."""
        for batch in batches:
            self.usual |= self.outputs.keys()
            self.outputs = {}
            self.batch += 1
            yield batch

    def watch(self, loss: Loss) -> Loss:
        """The same loss, whose values must be finite."""
        return Loss(self._watched(loss.mean), None if loss.each is None else self._watched(loss.each))

    def _watched(self, function: LossFunction) -> LossFunction:
        def checked(output: Tensor, target: Tensor) -> Tensor:
            value = function(output, target)
            if not _is_finite(value):
                first = next((name for name in self.outputs if name not in self.usual), None)
                if first is None:
                    raise _FoundError("loss", None, value)
                raise _FoundError("output" if first else "image", first or None, self.outputs[first])
            return value

        return checked

    def on_gradients(self) -> None:
        """The gradients, in the order in which they are computed: from the last layer to the first."""
        for layer in reversed(self.layers):
            for weight in layer.weights:
                if weight.grad is not None and not _is_finite(weight.grad):
                    raise _FoundError("gradient", layer.name, weight.grad)

    def on_end(self) -> None:
        self.check_weights()

    def check_weights(self) -> None:
        """The weights, as the last step left them."""
        for layer in self.layers:
            for weight in layer.weights:
                if not _is_finite(weight):
                    raise _FoundError("weights", layer.name, weight)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Note the images and the outputs of layers that are not finite, in order; the images under no name."""
        note_images = lambda part, inputs: self._note("", inputs[0])  # noqa: E731
        handles = [self.module.register_forward_pre_hook(note_images)]
        compiled, self.module._compiled_call_impl = self.module._compiled_call_impl, None
        for layer in self.layers:
            note = partial(self._note_output, layer.name)
            handles.append(layer.gives.register_forward_hook(note))
            if layer.reads is not None and layer.reads is not layer.gives:
                handles.append(layer.reads.register_forward_hook(note))
        try:
            yield
        finally:
            self.module._compiled_call_impl = compiled
            for handle in handles:
                handle.remove()

    def _note_output(self, name: str, part: nn.Module, inputs: object, output: object) -> None:
        self._note(name, output)

    def _note(self, name: str, value: object) -> None:
        if isinstance(value, Tensor) and not _is_finite(value):
            self.outputs.setdefault(name, value.detach())


def _is_finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _name(value: Tensor) -> str:
    return "nan" if torch.isnan(value).any() else "inf"
