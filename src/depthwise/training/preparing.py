"""What a fit is given -> images to train on and to validate on, on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthwise.data import ImageSet
from depthwise.errors import TrainingError
from depthwise.modules import Network
from depthwise.training.batches import DeviceData
from depthwise.training.datasets import LazyImages, is_dataset, read_dataset
from depthwise.training.device import choose_device, choose_precision
from depthwise.training.inputs import arrange, read_images, statistics
from depthwise.training.randomness import Seeds, reading
from depthwise.training.targets import check_lengths
from depthwise.training.validation import choose_validation, is_splitter, split_once
from depthwise.training.weights import normalized, weights_of_classes

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


def settle(net: NeuralNet, precision: str | None = None) -> None:
    """Bring a network, which may be an earlier fit's, to the device and the precision that its parameters ask for now.

    Parameters
    ----------
    net
        With its network; on another device its optimizer begins anew.
    precision
        That of a training which goes on, in place of the parameter's.
    """
    device = choose_device(net.device)
    if device != net.device_:
        net.__dict__.pop("optimizer_", None)
    net.device_, net.precision_ = device, precision or choose_precision(net.precision, device)
    net.module_.to(device)


def split_data(
    net: NeuralNet, X: Tensor, y: Tensor, sample_weight: NDArray[np.float64] | None, *, validates: bool = True
) -> tuple[DeviceData, DeviceData | None]:
    """The data to train and to validate on, as the estimator's parameters say.

    Parameters
    ----------
    net
        With its network and its seed.
    X, y
        All images, arranged, and their targets, encoded.
    sample_weight
        Of each image, or ``None``.
    validates
        Whether images may be held out, and statistics be taken.
    """
    given = _given_validation(net) if validates else None
    train, valid = _rows(net, len(X), y) if validates and given is None else _all(len(X))
    data = DeviceData.on(net.device_, X, y)
    by_class = _weights_of_classes(net, y[train])
    weights = _weights(y, sample_weight, by_class)
    if len(valid):
        given = data.part(valid, normalized(weights, valid))
    elif given is not None and by_class is not None:
        # Its images count as their classes do in training: both losses are of one kind.
        given = given.part(given.rows, normalized(_weights(given.y, None, by_class), given.rows))
    return data.part(train, normalized(weights, train)), given


def standardize(net: NeuralNet, train: DeviceData) -> None:
    """Give a new network the statistics of its training images, unless its weights came with others."""
    if net.standardize and isinstance(net.module_, Network) and net.module_.input.passes:
        with reading(net):
            net.module_.input.set(*statistics(train.X, train.rows))


def read_known(net: NeuralNet, X: Any, y: Any, where: str) -> DeviceData:
    """Further images and targets for the network there is, on the device."""
    X, y = read_pairs(X, y)
    images = read_known_images(net, X)
    check_lengths(images, y, where)
    return DeviceData.on(net.device_, images, net._read_targets(y, reset=False))


def read_known_images(net: NeuralNet, X: Any) -> Any:
    """Further images for the network there is, as it reads them."""
    X, _ = read_pairs(X, None)
    return arrange_images(X if isinstance(X, LazyImages) else read_images(net, X, reset=False), net.input_shape_)


def _given_validation(net: NeuralNet) -> DeviceData | None:
    if isinstance(net.validation, (tuple, list)):
        X, y = net.validation
    elif holds_pairs(net.validation):
        X, y = net.validation, None
    else:
        return None
    return read_known(net, X, y, "validation: ")


def _rows(net: NeuralNet, n_images: int, y: Tensor) -> tuple[Tensor, Tensor]:
    if is_splitter(net.validation):
        return split_once(net.validation, n_images, y.numpy())
    if not net.validation:
        return _all(n_images)
    classes = y.numpy() if net.outputs_are == "classes" and y.ndim == 1 else None
    return choose_validation(n_images, float(net.validation), classes, Seeds(net.seed_).split)


def _all(n_images: int) -> tuple[Tensor, Tensor]:
    everything = torch.arange(n_images)
    return everything, everything[:0]


def _weights_of_classes(net: NeuralNet, y: Tensor) -> NDArray[np.float64] | None:
    """A weight for each class, of the targets that are trained on."""
    if net.class_weight is None:
        return None
    if net.outputs_are != "classes" or y.ndim > 1:
        kind = "several labels" if net.outputs_are == "classes" else "numbers"
        raise TrainingError(
            f"class_weight is {net.class_weight!r}, but y holds {kind} an image, not one class. "
            "Write None, and give fit a sample_weight."
        )
    return weights_of_classes(net.class_weight, net.classes_, y.numpy())


def _weights(
    y: Tensor, sample_weight: NDArray[np.float64] | None, by_class: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """A weight for each image: its own, times that of its class."""
    if by_class is None:
        return sample_weight
    of_class: NDArray[np.float64] = by_class[y.cpu().numpy()]
    return of_class if sample_weight is None else sample_weight * of_class


def read_pairs(X: Any, y: Any) -> tuple[Any, Any]:
    """Images and targets of what holds both: an `ImageSet`, or a PyTorch data set of pairs."""
    if y is not None or not holds_pairs(X):
        return X, y
    return (X.X, X.y) if isinstance(X, ImageSet) else read_dataset(X)


def holds_pairs(X: Any) -> bool:
    """Whether it holds images and their targets."""
    return isinstance(X, ImageSet) or is_dataset(X)


def arrange_images(images: Any, shape: tuple[int, ...]) -> Any:
    """Images as the network reads them; those that are read later will be."""
    return images.arranged(shape) if isinstance(images, LazyImages) else arrange(images, shape)
