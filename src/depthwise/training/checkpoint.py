"""A fitted estimator <-> one safetensors file.

The file holds the network's state dict as tensors, and under the metadata key ``depthwise`` a JSON object:

====================  ==================================================================================
format                version of this form, 1
depthwise, torch      versions that wrote it
kind                  ``"classifier"`` or ``"regressor"``
layers                the layer list as TOML
input_shape           of one image
classes, dtype        labels in the order of the outputs, and their numpy type (classifier)
multilabel            whether an image has several labels (classifier)
target_shape          ``[]`` or ``[n_targets]`` (regressor)
parameters            the estimator's parameters that JSON can hold
history               columns by name
health                what was measured in training, or null
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
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save as serialize
from sklearn.utils.validation import check_is_fitted

from depthwise import __version__
from depthwise.errors import FileError
from depthwise.files import check_network_path, write_whole
from depthwise.notation import write_toml

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

FORMAT = 1
"""Of the file; a reader refuses what is newer."""
KEY = "depthwise"
SAVED_LABELS = "bifuU"
"""Kinds of numpy types that JSON can hold."""
NEVER_SAVED = ("layers", "callbacks", "device")
"""Parameters that are saved otherwise, hold code, or belong to one machine."""


def save(net: NeuralNet, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; see :meth:`NeuralNetClassifier.save`."""
    check_is_fitted(net)
    check_network_path(path)
    if net.graph_ is None:
        raise FileError(
            f"{path}: a network that was given as a module cannot be saved as a layer list. "
            "Save net.module_.state_dict() with torch.save or safetensors, and keep the code of the module."
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in net.module_.state_dict().items()}
    write_whole(path, serialize(tensors, {KEY: json.dumps(_describe(net, path))}))


def _describe(net: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
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
        own["multilabel"] = net.multilabel_
    else:
        own = {"kind": "regressor", "target_shape": list(net.target_shape_)}
    names = getattr(net, "feature_names_in_", None)
    health = getattr(net, "health_", None)
    return {
        "format": FORMAT,
        "depthwise": __version__,
        "torch": str(torch.__version__),
        **own,
        "layers": write_toml(entry.layer for entry in net.layers_),
        "input_shape": list(net.input_shape_),
        "parameters": {name: _plain(value) for name, value in params.items() if _is_plain(value)},
        "history": net.history_.to_dict(),
        "health": None if health is None else health.to_dict(),
        "seed": net.seed_,
        "device": net.device_.type,
        "precision": net.precision_,
        "threads": torch.get_num_threads(),
        "feature_names": None if names is None else list(names),
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return list(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value
