"""What may happen between steps and between epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from depthwise.errors import TrainingError
from depthwise.training.history import EpochRecord

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet


class Callback:
    """Hooks of training; inherit and override what is needed.

    They are called in this order: ``on_train_begin``, then in every epoch ``on_epoch_begin``, in every step
    ``on_gradients`` and ``on_step_end``, then ``on_evaluation_begin`` and ``on_epoch_end``; at last ``on_train_end``.
    A bare function of ``(net, record)`` in ``callbacks=`` is called as ``on_epoch_end`` is.
    """

    def on_train_begin(self, net: NeuralNet) -> None:
        """Before the first epoch of a fit; ``net.module_`` and ``net.optimizer_`` are there."""

    def on_epoch_begin(self, net: NeuralNet) -> None:
        """Before the first step of an epoch."""

    def on_gradients(self, net: NeuralNet) -> None:
        """In every step, when all parameters have their gradients and the optimizer has not used them yet."""

    def on_step_end(self, net: NeuralNet) -> None:
        """In every step, when the optimizer has changed the parameters."""

    def on_evaluation_begin(self, net: NeuralNet) -> None:
        """After the last step of an epoch, before the network is looked at."""

    def on_epoch_end(self, net: NeuralNet, record: EpochRecord) -> bool | None:
        """After every epoch, when its line is printed; ``True`` ends training."""
        return None

    def on_train_end(self, net: NeuralNet) -> None:
        """After the last epoch, also when training was interrupted."""

    def state_dict(self) -> dict[str, Any]:
        """What is to be known to go on after an interruption: tensors, numbers, texts and ``None`` by name."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; called after ``on_train_begin``."""


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
