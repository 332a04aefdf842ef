"""What a display is asked for -> a module, images and classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from depthwise.errors import DataError, TargetError
from depthwise.inspection import ClassActivation, Saliency
from depthwise.inspection.asking import read_array
from depthwise.training.inputs import arrange, as_array, input_shape_of, read_images
from depthwise.training.targets import encode_labels, make_one_kind

UNBELIEVED = 0.1
"""Below this probability a map explains a class that the network does not see; a title says so."""


def read_module(net: object) -> nn.Module:
    """The trained network of an estimator, or the module itself.

    Raises
    ------
    TargetError
        The estimator is not trained, or it is neither.
    """
    if isinstance(net, nn.Module):
        return net
    if isinstance(net, BaseEstimator) and hasattr(net, "layers"):
        module = getattr(net, "module_", None)
        if module is None:
            raise TargetError(f"this {type(net).__name__} is not trained yet. Call fit(X, y) before looking inside.")
        return module
    raise TargetError(f"{net!r:.80} is no trained network. Give a fitted estimator or a torch module.")


def read_pictures(net: object, X: Any) -> NDArray[Any]:
    """Images as an array of shape ``(n_images, channels, height, width)``, their values as given.

    Raises
    ------
    DataError
        There are none, or they are not of the size and channels that the network is made for.
    """
    read_module(net)
    array = _as_array(X)
    demand_pictures(array)
    shape = getattr(net, "input_shape_", None)
    if shape is None or not isinstance(net, BaseEstimator):
        return put_channels_first(array)
    if len(shape) != 3:
        raise DataError(f"the network is made for rows of {shape[0]} values, but only images can be looked at.")
    pictures: NDArray[Any] = arrange(read_images(net, array, reset=False), shape).numpy()
    return pictures


def _as_array(X: Any) -> NDArray[Any]:
    return read_array(as_array(X), "X")


def put_channels_first(X: Any) -> NDArray[Any]:
    """Images in the usual layouts as ``(n_images, channels, height, width)``.

    >>> put_channels_first(np.zeros((5, 8, 6, 3))).shape, put_channels_first(np.zeros((5, 8, 6))).shape
    ((5, 3, 8, 6), (5, 1, 8, 6))
    """
    images = _as_array(X)
    demand_pictures(images)
    if images.ndim not in (3, 4):
        raise DataError(f"X: has {images.ndim} axes, but images need 3 or 4. Give (n_images, channels, height, width).")
    usable = images if images.flags.writeable and min(images.strides) >= 0 else images.copy()
    pictures: NDArray[Any] = arrange(usable, input_shape_of(images, None)).numpy()
    return pictures


def demand_pictures(images: NDArray[Any]) -> None:
    """Refuse an empty selection, and what holds no numbers."""
    if images.ndim == 0 or len(images) == 0:
        raise DataError("X: holds no images. Select at least one.")
    if images.dtype.kind not in "biuf":
        raise DataError(f"X: holds values of type {images.dtype}, no numbers. Give the pixels of images.")


def read_classes(net: object, y: Any, n_images: int) -> NDArray[np.int64] | None:
    """Columns of the output that labels stand for; for a regressor or a module `y` holds the columns themselves.

    Raises
    ------
    DataError
        A label is unknown, or there is not one for each image or one for all.
    """
    if y is None:
        return None
    labels = np.atleast_1d(read_names(y))
    if labels.ndim != 1 or len(labels) not in (1, n_images):
        raise DataError(f"y: holds {len(labels)} classes for {n_images} images. Give one for each, or one for all.")
    labels = np.broadcast_to(labels, n_images)
    classes = getattr(net, "classes_", None)
    if classes is None or isinstance(net, nn.Module):
        return labels  # inspection checks them
    kinds = {labels.dtype.kind, np.asarray(classes).dtype.kind} - {"O"}  # an array of objects holds strings, too
    if "U" in kinds and len(kinds) > 1:
        known = ", ".join(map(repr, np.asarray(classes).tolist()[:5]))
        raise DataError(
            f"y: the label {labels.tolist()[0]!r} is none of the {len(classes)} classes of training ({known})."
        )
    columns: NDArray[np.int64] = encode_labels(labels, np.asarray(classes)).numpy()
    return columns


def read_names(y: Any) -> NDArray[Any]:
    """Labels as an array; of one kind, where it is one of objects, such as a data frame's column.

    Raises
    ------
    DataError
        They are of two kinds, or no labels.
    """
    labels = read_array(as_array(y), "y")
    if labels.dtype != object or labels.ndim != 1:
        return labels
    labels = make_one_kind(labels)
    if labels.dtype == object and not isinstance(labels[0], str):
        raise DataError(f"y: holds {labels[0]!r}, which is no label. Give strings, or whole numbers.")
    return labels


def name_outputs(net: object) -> list[str] | None:
    """Labels of the columns of the output, or ``None``; a single column speaks for the second of two classes."""
    classes = None if isinstance(net, nn.Module) else getattr(net, "classes_", None)
    if classes is None:
        return None
    names = [str(label) for label in classes]
    return names[1:] if len(names) == 2 and getattr(net, "n_outputs_", 2) == 1 else names


def title_classes(found: Saliency | ClassActivation, names: list[str] | None) -> list[str]:
    """A line an image: the explained class, its probability, and whether the network predicts something else."""
    if found.outputs.shape[1] == 1 and names is None:
        return [f"output {value:.3g}" for value in found.outputs[:, 0]]
    if names is not None and len(names) == 1:
        return [f"{names[0]}: p = {share:.2f}" for share in found.probabilities[:, 0]]
    lines = []
    for target, row in zip(found.targets, found.probabilities, strict=True):
        best = int(row.argmax())
        line = f"{_name(names, target)}: p = {row[target]:.2f}"
        if best != target:
            line += f"\npredicted {_name(names, best)}: p = {row[best]:.2f}"
        if row[target] < UNBELIEVED:
            line += "\nnot seen by the network"
        lines.append(line)
    return lines


def _name(names: list[str] | None, target: int) -> str:
    return f"class {target}" if names is None else names[target]
