"""The state of a training in a folder, after every epoch, and back.

One safetensors file holds all tensors (weights, the optimizer's moments, what callbacks keep) and, as JSON, everything
else.  What is random in an epoch follows from the seed and the epoch's number, so no generator's state is in it.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from depthwise.analysis.health import TrainingHealth
from depthwise.errors import FileError, TrainingError
from depthwise.files import write_whole
from depthwise.training.batches import DeviceData
from depthwise.training.device import PRECISIONS
from depthwise.training.history import History
from depthwise.training.randomness import reading
from depthwise.training.rehearsal import rehearse_step
from depthwise.training.spelling import spell

if TYPE_CHECKING:
    from depthwise.training.fitting import Training
    from depthwise.training.neural_net import NeuralNet

FILE = "training.safetensors"
FORMAT = 1
KEY = "depthwise_training"

MAY_DIFFER = (
    *("max_epochs", "callbacks", "device", "processes", "random_state", "verbose", "validation", "warm_start"),
    "precision",
)
"""Parameters that another run of the same training may have otherwise; validation images are compared as data."""

SAMPLED_ROWS = 1024
"""Images that tell one set of data from another."""

FORM = {
    "seed": int, "parameters": dict, "data": dict, "module": dict, "optimizer": dict, "schedule": dict,
    "callbacks": list, "history": dict, "health": dict, "rescue": dict, "stopped": bool, "threads": int,
    "precision": str,
}  # fmt: skip
"""What a state holds."""
STUMBLES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What is raised where a state of the right form holds something else than what it was written with."""
MOST_THREADS = 1 << 12
"""A word of a file must not start more."""


class SavedTraining:
    """The state of a training in a folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    net
        That is to be trained.

    Raises
    ------
    FileError
        The state there cannot be read.
    TrainingError
        There is none, and the network is to go on learning: the state would not tell from where.
    """

    def __init__(self, folder: str | os.PathLike[str], net: NeuralNet) -> None:
        self.path = Path(folder) / FILE
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise FileError(f"{folder}: is no folder to write to ({problem.strerror}). Name another one.") from None
        for draft in self.path.parent.glob(f".{FILE}.*"):
            draft.unlink(missing_ok=True)  # of a process that was killed while it wrote
        self.state = _read(self.path) if self.path.exists() else None
        if self.state is None and net.warm_start and net.__sklearn_is_fitted__():
            raise TrainingError(
                f"resume: a training that is kept in {folder} begins anew, but warm_start=True goes on with the "
                "network that was fitted. Write warm_start=False, or fit without resume."
            )
        self.parameters: dict[str, str] = {}
        self.data: dict[str, str] = {}

    @property
    def seed(self) -> int | None:
        """Of the training that is to go on."""
        return None if self.state is None else self.state["seed"]

    @property
    def precision(self) -> str | None:
        """That it was computed in."""
        return None if self.state is None else self.state["precision"]

    @property
    def threads(self) -> int | None:
        """That it was computed with."""
        return None if self.state is None else self.state["threads"]

    def restore(self, training: Training) -> None:
        """Note what a training is that is about to begin; bring it to where the state was taken, if there is one.

        Raises
        ------
        TrainingError
            It is that of another training.
        """
        net, state = training.net, self.state
        self.parameters = _parameters(net)  # as they are now: a loss of the user's own may change while it is used
        self.data = describe_data(training)
        if state is None:
            return
        self._compare("parameters", state["parameters"], self.parameters)
        self._compare("data", state["data"], self.data)
        try:
            rehearse_step(net, state["optimizer"])
            net.module_.load_state_dict(state["module"])
            training.schedule.load_state_dict(state["schedule"])
            net.optimizer_.load_state_dict(state["optimizer"])
            _restore_layout(net.optimizer_)
            for callback, kept in zip(training.callbacks, state["callbacks"], strict=True):
                callback.load_state_dict(kept)
            net.history_ = History.from_dict(state["history"])
            training.health.restore(TrainingHealth.from_dict(state["health"]))
            training.rescue.load_state_dict(state["rescue"])
        except STUMBLES as problem:
            raise FileError(f"{self.path}: does not fit this training ({problem}). Name another folder.") from None
        training.stopped = state["stopped"]

    def write(self, training: Training) -> None:
        """Keep the state of a training, whole or not at all."""
        net = training.net
        state = {
            "seed": net.seed_,
            "parameters": self.parameters,
            "data": self.data,
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "schedule": training.schedule.state_dict(),
            "callbacks": [callback.state_dict() for callback in training.callbacks],
            "history": net.history_.to_dict(),
            "health": training.health.record.to_dict(),
            "rescue": training.rescue.state_dict(),
            "stopped": training.stopped,
            "threads": torch.get_num_threads(),
            "precision": net.precision_,
        }
        tensors: dict[str, Tensor] = {}
        plain = _take_out(state, "", tensors)
        about = {KEY: json.dumps({"format": FORMAT, "state": plain})}
        write_whole(self.path, serialize(tensors, about))

    def _compare(self, what: str, before: dict[str, Any], now: dict[str, Any]) -> None:
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                raise TrainingError(
                    f"resume: the training in {self.path.parent} was begun with {name} {before.get(name)}, but this "
                    f"one has {now.get(name)}. Set it back, or name another folder."
                )


def _read(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
            if about["format"] > FORMAT:
                raise FileError(f"{path}: was written by a newer depthwise. Install that, or name another folder.")
            state: dict[str, Any] = _put_in(about["state"], file)
            _check_form(state)
            return state
    except FileError:
        raise
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror or problem}). Check its permissions.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        raise FileError(
            f"{path}: is no state of a training, or a damaged one ({problem}). Remove it, or name another folder."
        ) from None


def _check_form(state: dict[str, Any]) -> None:
    """Refuse what a training would stumble over before the state is compared with it."""
    for name, kind in FORM.items():
        if type(state[name]) is not kind:
            raise TypeError(f"{name} is a {type(state[name]).__name__}, not a {kind.__name__}")
    if state["seed"] < 0 or not 1 <= state["threads"] <= MOST_THREADS:
        raise ValueError(f"seed is {state['seed']}, threads are {state['threads']}")
    if state["precision"] not in PRECISIONS:
        raise ValueError(f"precision is {state['precision']!r}")


@dataclass(frozen=True)
class _Kind:
    """How a value that JSON cannot hold is written: a dictionary with one of these keys."""

    tensor: str = "__tensor__"
    pairs: str = "__pairs__"
    tuple: str = "__tuple__"


_KIND = _Kind()


def _take_out(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON can hold it, its tensors under their paths in `tensors`."""
    match value:
        case Tensor():
            tensors[path] = value.detach().cpu().contiguous().clone()
            return {_KIND.tensor: path}
        case dict():
            pairs = [[key, _take_out(inner, f"{path}/{key}", tensors)] for key, inner in value.items()]
            return {_KIND.pairs: pairs}
        case tuple():
            return {_KIND.tuple: [_take_out(inner, f"{path}/{i}", tensors) for i, inner in enumerate(value)]}
        case list():
            return [_take_out(inner, f"{path}/{i}", tensors) for i, inner in enumerate(value)]
        case None | bool() | int() | float() | str():
            return value
    raise FileError(
        f"{path.strip('/')}: a {type(value).__name__} cannot be kept. "
        "Give state_dict() tensors, numbers, texts, lists and dictionaries only."
    )


def _put_in(plain: Any, file: Any) -> Any:
    """What :func:`_take_out` was given."""
    match plain:
        case {_KIND.tensor: path}:
            return file.get_tensor(path).clone()  # sums over memory that is aligned otherwise differ in the last bit
        case {_KIND.pairs: pairs}:
            return {key: _put_in(inner, file) for key, inner in pairs}
        case {_KIND.tuple: entries}:
            return tuple(_put_in(inner, file) for inner in entries)
        case list():
            return [_put_in(inner, file) for inner in plain]
    return plain


def _restore_layout(optimizer: torch.optim.Optimizer) -> None:
    """Bring moments into the memory layout of their parameters, in which fused optimizers read them."""
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)


def _parameters(net: Any) -> dict[str, str]:
    params = net.get_params(deep=False)
    # A module is told by its parts alone: its first weights, drawn anew in every process, are in the state.
    return {
        name: repr(value) if isinstance(value, nn.Module) and name == "layers" else spell(value)
        for name, value in params.items()
        if name not in MAY_DIFFER
    }


def describe_data(training: Training) -> dict[str, Any]:
    """What tells the images of one training from those of another."""
    net = training.net
    with reading(net):
        return {
            "training images": _fingerprint(training.train),
            "validation images": None if training.valid is None else _fingerprint(training.valid),
        }


def _fingerprint(data: DeviceData) -> str:
    """Count, shape and a checksum of some images, spread over all, and their targets."""
    rows = data.rows[:: max(len(data) // SAMPLED_ROWS, 1)]
    check = 0
    for values in (data.X, data.y, *([] if data.weights is None else [data.weights])):
        check = zlib.crc32(values.index_select(0, rows).cpu().contiguous().numpy().tobytes(), check)
    shape = "x".join(map(str, data.X.shape[1:]))
    return f"{len(data)} of {shape} ({check:08x})"
