"""A saved network -> a fitted estimator; :mod:`~depthwise.training.checkpoint` describes the file."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from depthwise import __version__
from depthwise.analysis.health import TrainingHealth
from depthwise.errors import DepthwiseError, FileError
from depthwise.files import check_readable
from depthwise.graph import Graph
from depthwise.layers import with_input
from depthwise.layers.ops import format_shape
from depthwise.modules import build
from depthwise.notation import read_toml
from depthwise.training.checkpoint import FORMAT, KEY, NEVER_SAVED, SAVED_LABELS
from depthwise.training.device import choose_precision
from depthwise.training.estimator import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.history import History
from depthwise.training.layer_params import as_declared
from depthwise.training.new_networks import NewNetwork
from depthwise.training.output import with_logits


def load(path: str | os.PathLike[str]) -> NeuralNetClassifier | NeuralNetRegressor:
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
    check_readable(path)
    try:
        with safe_open(path, "pt") as file:
            about = _read_about(path, (file.metadata() or {}).get(KEY))
            try:
                return _revive(path, about, file)
            except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as problem:
                if isinstance(problem, FileError):
                    raise
                kind = "" if isinstance(problem, DepthwiseError) else f"{type(problem).__name__}: "
                raise FileError(f"{path}: its description is damaged ({kind}{problem}). Save it again.") from None
    except OSError as problem:
        reason = problem.strerror or problem
        raise FileError(f"{path}: cannot be read ({reason}). Check path and permissions.") from None
    except SafetensorError as problem:
        raise FileError(
            f"{path}: is no safetensors file, or a damaged one ({problem}). Give a file that net.save wrote."
        ) from None


def _read_about(path: str | os.PathLike[str], text: str | None) -> dict[str, Any]:
    if text is None:
        raise FileError(f"{path}: is a safetensors file, but not of depthwise. Give a file that net.save wrote.")
    try:
        about = json.loads(text)
        form = int(about["format"])
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        raise FileError(f"{path}: its description is damaged. Save it again.") from None
    if form > FORMAT:
        raise FileError(
            f"{path}: has format {form}, written by depthwise {about.get('depthwise', '?')}, but this version "
            f"({__version__}) reads up to {FORMAT}. Install a newer depthwise."
        )
    return dict(about)


def _revive(path: str | os.PathLike[str], about: dict[str, Any], file: Any) -> NeuralNetClassifier | NeuralNetRegressor:
    """A fitted estimator from a description and its tensors."""
    layers = with_input(read_toml(about["layers"]))
    shape = tuple(int(side) for side in about["input_shape"])
    known = NeuralNetClassifier([]).get_params(deep=False).keys() - set(NEVER_SAVED)
    params = {name: value for name, value in about["parameters"].items() if name in known}
    written = as_declared(layers, ())
    net: Any
    if about["kind"] == "classifier":
        net = NeuralNetClassifier(written, **params)
        net.classes_ = _read_labels(about["classes"], about["dtype"])
        net.multilabel_ = bool(about.get("multilabel", False))
        n_outputs = len(net.classes_)
    else:
        net = NeuralNetRegressor(written, **params)
        net.target_shape_ = tuple(about["target_shape"])
        if not all(isinstance(n, int) and n > 0 for n in net.target_shape_):
            raise ValueError(f"target_shape is {net.target_shape_}")
        n_outputs = net.target_shape_[0] if net.target_shape_ else 1
    graph = with_logits(Graph.from_layers(layers), shape, n_outputs, net.outputs_are)
    with torch.device("meta"):
        network = build(graph)
    _check_tensors(path, network.state_dict(), file)
    network.to_empty(device="cpu")
    network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    net.seed_, net.input_shape_ = int(about["seed"]), shape
    if net.seed_ < 0:
        raise ValueError(f"the seed is {net.seed_}")
    net._install(NewNetwork.of_graph(network, layers, graph))
    if about["device"] == net.device_.type:
        net.precision_ = choose_precision(about["precision"], net.device_)
    net.n_features_in_ = int(np.prod(shape))
    if about["feature_names"] is not None:
        net.feature_names_in_ = np.array(about["feature_names"], dtype=object)
    net.history_ = History.from_dict(about["history"])
    if about.get("health") is not None:
        net.health_ = TrainingHealth.from_dict(about["health"])
    return net


def _read_labels(labels: list[Any], dtype: str) -> NDArray[Any]:
    """Labels of a type; strings as wide as they are, for a width in the file could take any memory."""
    kind = np.dtype(dtype).kind
    if kind not in SAVED_LABELS + "O" or (kind == "O" and not all(isinstance(label, str) for label in labels)):
        raise ValueError(f"labels of type {dtype}")
    read = np.array(labels, dtype=str if kind == "U" else dtype)
    if read.ndim != 1:
        raise ValueError("labels in rows")
    return read


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
