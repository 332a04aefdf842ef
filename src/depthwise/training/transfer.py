"""Weights of one network taken into another, name by name, and what became of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialize
from torch import Tensor, nn

from depthwise.errors import FileError, TrainingError
from depthwise.layers import Layer
from depthwise.layers.ops import format_shape
from depthwise.training.layer_views import Layers

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


@dataclass(frozen=True)
class OtherShape:
    """A tensor that is there under its name, but not in the shape that is needed.

    Attributes
    ----------
    name
        As ``"output5.weight"``.
    given, needed
        Its shape in the source, and in the network.
    """

    name: str
    given: tuple[int, ...]
    needed: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ({_shape(self.given)} there, {_shape(self.needed)} here)"


@dataclass(frozen=True)
class WeightTransfer:
    """What became of the tensors of a source, and of those of the network that took them.

    Attributes
    ----------
    source
        Where they came from.
    taken
        Names of tensors that the network now has from the source.
    missing
        Names of tensors of the network that the source does not have; they stay as they were.
    unexpected
        Names of tensors of the source that the network does not have, sorted.
    other_shape
        Tensors that both have, in different shapes; they stay as they were.

    Examples
    --------
    >>> print(take_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)), nn.Sequential(nn.Linear(2, 3))))
    Sequential: 2 of 4 tensors taken
    taken: 0 (weight, bias)
    missing there, as they were: 1 (weight, bias)
    """

    source: str
    taken: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    other_shape: tuple[OtherShape, ...]

    @property
    def complete(self) -> bool:
        """Whether every tensor was taken and none was left over."""
        return not (self.missing or self.unexpected or self.other_shape)

    def __str__(self) -> str:
        total = len(self.taken) + len(self.missing) + len(self.other_shape)
        parts = {
            "taken": _by_layer(self.taken),
            "of another shape, as they were": ", ".join(map(str, self.other_shape)),
            "missing there, as they were": _by_layer(self.missing),
            "unknown here, left out": _by_layer(self.unexpected),
        }
        told = [f"{what}: {names}" for what, names in parts.items() if names]
        return "\n".join([f"{self.source}: {len(self.taken)} of {total} tensors taken", *told])


def take_weights(module: nn.Module, source: Any) -> WeightTransfer:
    """Copy tensors of equal name and shape into a module: parameters, statistics, standardization.

    Parameters
    ----------
    module
        Changed in place.
    source
        Path of a safetensors file, a fitted estimator, a module, or tensors by name.

    Raises
    ------
    FileError
        The file cannot be read.
    TrainingError
        The source is none of these, or not one tensor fits; the module is as it was.
    """
    told, tensors = _read_tensors(source)
    own = module.state_dict()
    taken = tuple(name for name in own if name in tensors and tensors[name].shape == own[name].shape)
    record = WeightTransfer(
        source=told,
        taken=taken,
        missing=tuple(name for name in own if name not in tensors),
        unexpected=tuple(sorted(name for name in tensors if name not in own)),
        other_shape=tuple(
            OtherShape(name, tuple(tensors[name].shape), tuple(own[name].shape))
            for name in own
            if name in tensors and name not in taken
        ),
    )
    if not taken:
        raise TrainingError(
            f"load_weights: none of the {len(tensors)} tensors of {told} has the name and shape of one of the "
            f"{len(own)} here: {_first(tensors)} there, {_first(own)} here. Give layers that are the same equal name=."
        )
    with torch.no_grad():
        for name in taken:
            own[name].copy_(tensors[name])
    return record


def load_weights(net: NeuralNet, source: Any) -> WeightTransfer:
    """Take weights into an estimator; see :meth:`NeuralNetClassifier.load_weights`."""
    if not hasattr(net, "history_"):
        if not net.warm_start:
            raise TrainingError("load_weights: fit would start anew, without these weights. Write warm_start=True.")
        if not hasattr(net, "module_"):
            net.initialize()
    record = take_weights(net.module_, source)
    net.__dict__.pop("optimizer_", None)  # its moments are those of other weights
    return record


def take_over(module: nn.Module, initialized: nn.Module) -> None:
    """Give a module that was made for the data the weights of the one that was initialized without them."""
    state = initialized.state_dict()
    if {name: t.shape for name, t in state.items()} != {name: t.shape for name, t in module.state_dict().items()}:
        raise TrainingError("layers have changed since initialize(). Call it again, and load_weights after it.")
    module.load_state_dict(state)


def refuse_changed_layers(declared: Sequence[Layer] | None, trained: Layers) -> None:
    """What goes on learning is the network there is: other layers would be ignored without a word."""
    if declared is not None and tuple(declared) != tuple(entry.layer for entry in trained):
        raise TrainingError(
            "layers have changed since the network was trained, which is to go on. Write clone(net), then its "
            "load_weights(net), which takes over what fits; or warm_start=False."
        )


def _read_tensors(source: Any) -> tuple[str, Mapping[str, Tensor]]:
    """What to call a source, and its tensors."""
    if isinstance(source, (str, os.PathLike)):
        return str(source), _read_file(source)
    module = getattr(source, "module_", source)
    tensors = module.state_dict() if isinstance(module, nn.Module) else source
    if isinstance(tensors, Mapping) and all(isinstance(value, Tensor) for value in tensors.values()):
        return type(source).__name__, tensors
    raise TrainingError(
        f"load_weights: an object of type {type(source).__name__} holds no weights. "
        "Give the path of a safetensors file, a fitted estimator, a module, or its state_dict()."
    )


def _read_file(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = deserialize(Path(path).read_bytes())
        return tensors
    except OSError as problem:
        raise FileError(
            f"{path}: cannot be read ({problem.strerror or problem}). Check path and permissions."
        ) from None
    except (SafetensorError, ValueError, KeyError) as problem:
        raise FileError(
            f"{path}: is no safetensors file, or a damaged one ({problem}). "
            "Of a file of torch.save give the tensors: torch.load(path, weights_only=True)."
        ) from None


def _by_layer(names: Iterable[str]) -> str:
    """Names, those of one layer together: ``conv2d1 (weight, bias)``."""
    told = []
    for layer, group in groupby(names, lambda name: name.rpartition(".")[0]):
        tensors = ", ".join(name.rpartition(".")[2] for name in group)
        told.append(f"{layer} ({tensors})" if layer else tensors)
    return ", ".join(told)


def _first(tensors: Mapping[str, Tensor]) -> str:
    return next((f"{name} of {_shape(tuple(value.shape))}" for name, value in tensors.items()), "nothing")


def _shape(shape: tuple[int, ...]) -> str:
    return format_shape(shape) or "one number"
