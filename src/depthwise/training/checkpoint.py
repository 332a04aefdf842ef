"""A fitted estimator <-> one safetensors file.

The file holds the network's state dict as tensors, and under the metadata key ``depthwise`` a JSON object:

====================  ==================================================================================
format                version of this form, 1
depthwise, torch      versions that wrote it
kind                  ``"classifier"`` or ``"regressor"``
layers                the layer list as TOML
input_shape           of one image
classes, dtype        labels in the order of the outputs, and their numpy type (classifier)
target_shape          ``[]`` or ``[n_targets]`` (regressor)
parameters            the estimator's parameters that JSON can hold
history               columns by name
seed                  that weights, split and batches were drawn from
device, precision     that were used
threads               that were used: another number sums in another order
feature_names         of a data frame, or null
====================  ==================================================================================

Reading runs nothing from the file, checks every shape against the layers before memory is taken, and refuses a newer
form.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from depthwise import __version__
from depthwise.errors import DepthwiseError, FileError
from depthwise.graph import Graph
from depthwise.layers import with_input
from depthwise.layers.ops import format_shape
from depthwise.modules import build
from depthwise.training.history import History
from depthwise.training.layer_params import as_declared, declared_layers
from depthwise.training.output import with_logits

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

FORMAT = 1
"""Of the file; a reader refuses what is newer."""
KEY = "depthwise"
SAVED_LABELS = "bifuU"
"""Kinds of numpy types that JSON can hold."""
NEVER_SAVED = ("layers", "callbacks", "device", "validation")
"""Parameters that are saved otherwise, hold code, or belong to one machine or one data set."""


def save(net: NeuralNet, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`NeuralNetClassifier.save`."""
    check_is_fitted(net)
    if net.graph_ is None:
        raise FileError(
            f"{path}: a network that was given as a module cannot be saved as a layer list. "
            "Save net.module_.state_dict() with torch.save or safetensors, and keep the code of the module."
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in net.module_.state_dict().items()}
    write_whole(path, serialize(tensors, {KEY: json.dumps(_describe(net, path))}))


def load(path: str | os.PathLike[str]) -> NeuralNet:
    """Read a saved network: a fitted estimator that predicts.

    Parameters
    ----------
    path
        What ``net.save(path)`` wrote.

    Raises
    ------
    FileError
        The file cannot be read, is damaged, is no network of depthwise, or was written by a newer version.

    Examples
    --------
    >>> load("nowhere.safetensors")
    Traceback (most recent call last):
    depthwise.errors.FileError: nowhere.safetensors: cannot be read (No such file or directory). Check path and \
permissions.
    """
    try:
        with Path(path).open("rb"):
            pass
        with safe_open(path, "pt") as file:
            about = _read_about(path, (file.metadata() or {}).get(KEY))
            try:
                return _revive(path, about, file)
            except (KeyError, TypeError, ValueError, AttributeError) as problem:
                if isinstance(problem, FileError):
                    raise
                kind = "" if isinstance(problem, DepthwiseError) else f"{type(problem).__name__}: "
                raise FileError(
                    f"{path}: its description is damaged ({kind}{problem}). Save it again."
                ) from None
    except OSError as problem:
        reason = problem.strerror or problem
        raise FileError(f"{path}: cannot be read ({reason}). Check path and permissions.") from None
    except SafetensorError as problem:
        raise FileError(
            f"{path}: is no safetensors file, or a damaged one ({problem}). Give a file that net.save wrote."
        ) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot be written to, before time is spent; leaves nothing behind.

    Raises
    ------
    FileError
        The folder above its folder is missing, it is a folder itself, or there is no permission.
    """
    place = Path(path)
    if place.is_dir():
        raise FileError(f"{place}: is a folder. Give the path of a file.")
    folder = place.parent if place.parent.exists() else place.parent.parent
    if not folder.is_dir():
        raise FileError(f"{place}: there is no folder {place.parent}. Make it, or give another path.")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{place}: cannot be written (no permission in {folder}). Give another path.")


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that is either there whole or as it was before.

    Raises
    ------
    FileError
        It cannot be written.
    """
    check_writable(path)
    place = Path(path)
    try:
        place.parent.mkdir(exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            # mkstemp lets nobody else read; a new file is to have the rights that any new file has.
            mask = os.umask(0)
            os.umask(mask)
            Path(draft).chmod(0o666 & ~mask)
            Path(draft).replace(place)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as problem:
        reason = problem.strerror or problem
        raise FileError(f"{place}: cannot be written ({reason}). Give another path.") from None


def _describe(net: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
    from depthwise.notation import write_toml

    params = {name: value for name, value in net.get_params(deep=False).items() if name not in NEVER_SAVED}
    classifies = net.outputs_are == "classes"
    own: dict[str, Any]
    if classifies:
        classes = net.classes_
        if classes.dtype.kind not in SAVED_LABELS and not all(isinstance(label, str) for label in classes):
            raise FileError(
                f"{path}: labels of type {classes.dtype} cannot be saved. Train with strings or whole numbers."
            )
        own = {"kind": "classifier", "classes": classes.tolist(), "dtype": classes.dtype.str}
    else:
        own = {"kind": "regressor", "target_shape": list(net.target_shape_)}
    names = getattr(net, "feature_names_in_", None)
    return {
        "format": FORMAT,
        "depthwise": __version__,
        "torch": str(torch.__version__),
        **own,
        "layers": write_toml(declared_layers(net.layers)),
        "input_shape": list(net.input_shape_),
        "parameters": {name: _plain(value) for name, value in params.items() if _is_plain(value)},
        "history": net.history_.to_dict(),
        "seed": net.seed_,
        "device": net.device_.type,
        "precision": net.precision_,
        "threads": torch.get_num_threads(),
        "feature_names": None if names is None else list(names),
    }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _read_about(path: str | os.PathLike[str], text: str | None) -> dict[str, Any]:
    if text is None:
        raise FileError(f"{path}: is a safetensors file, but not of depthwise. Give a file that net.save wrote.")
    try:
        about = json.loads(text)
        form = int(about["format"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FileError(f"{path}: its description is damaged. Save it again.") from None
    if form > FORMAT:
        raise FileError(
            f"{path}: has format {form}, written by depthwise {about.get('depthwise', '?')}, but this version "
            f"({__version__}) reads up to {FORMAT}. Install a newer depthwise."
        )
    return dict(about)


def _revive(path: str | os.PathLike[str], about: dict[str, Any], file: Any) -> NeuralNet:
    """A fitted estimator from a description and its tensors."""
    from depthwise.notation import read_toml
    from depthwise.training.estimator import NeuralNetClassifier, NeuralNetRegressor

    layers = with_input(read_toml(about["layers"]))
    shape = tuple(int(side) for side in about["input_shape"])
    known = NeuralNetClassifier([]).get_params(deep=False).keys() - set(NEVER_SAVED)
    params = {name: value for name, value in about["parameters"].items() if name in known}
    written = as_declared(layers, ())
    net: Any
    if about["kind"] == "classifier":
        net = NeuralNetClassifier(written, **params)
        net.classes_ = np.array(about["classes"], dtype=np.dtype(about["dtype"]))
        n_outputs = len(net.classes_)
    else:
        net = NeuralNetRegressor(written, **params)
        net.target_shape_ = tuple(about["target_shape"])
        n_outputs = net.target_shape_[0] if net.target_shape_ else 1
    graph = with_logits(Graph.from_layers(layers), shape, n_outputs, net.outputs_are)
    with torch.device("meta"):
        network = build(graph)
    _check_tensors(path, network.state_dict(), file)
    network.to_empty(device="cpu")
    network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    net.seed_, net.input_shape_ = int(about["seed"]), shape
    net._install(layers, graph, network)
    if about["device"] == net.device_.type:
        net.precision_ = about["precision"]
    net.n_features_in_ = int(np.prod(shape))
    if about["feature_names"] is not None:
        net.feature_names_in_ = np.array(about["feature_names"], dtype=object)
    net.history_ = History.from_dict(about["history"])
    return net


def _check_tensors(path: str | os.PathLike[str], expected: dict[str, Tensor], file: Any) -> None:
    """Compare names, shapes and types, which stand in the file's head, with what the layers need."""
    found = set(file.keys())
    for name in sorted(found ^ set(expected)):
        what = "misses the tensor" if name in expected else "holds the tensor"
        raise FileError(f"{path}: {what} {name!r}, unlike its layers. Save it again.")
    for name, value in expected.items():
        head = file.get_slice(name)
        shape = tuple(head.get_shape())
        if shape != tuple(value.shape):
            raise FileError(
                f"{path}: the tensor {name!r} is {format_shape(shape) or 'one number'} but its layer needs "
                f"{format_shape(tuple(value.shape)) or 'one number'}. Save it again."
            )
