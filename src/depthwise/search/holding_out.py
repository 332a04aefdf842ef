"""Which images a race trains on, and which it judges by: the same for all designs and seeds."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from depthwise.errors import TrainingError
from depthwise.search.study import Arrays
from depthwise.training.inputs import read_images
from depthwise.training.targets import (
    check_lengths,
    encode_labels,
    find_classes,
    means_several_labels,
    read_indicators,
    read_labels,
    read_targets,
)
from depthwise.training.validation import choose_validation, is_splitter, split_once

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from depthwise.training.neural_net import NeuralNet

Kind = Literal["labels", "indicators", "targets"]


def kind_of(y: Any, template: NeuralNet) -> Kind:
    """What ``y`` is for networks with these parameters: a label an image, several, or targets."""
    if not template._classifies:
        return "targets"
    return "indicators" if means_several_labels(y, template.loss) else "labels"


def hold_out(estimator: BaseEstimator, X: Any, y: Any, validation: Any, seed: int, kind: Kind) -> Arrays:
    """Training and validation data.

    Parameters
    ----------
    estimator
        That remembers the names of columns.
    X, y
        As they were given.
    validation
        A share, a pair ``(X, y)``, or a splitter of scikit-learn, whose first split is taken.
    seed
        Equal seeds choose equal images.
    kind
        Of ``y``; every label that is validated must be trained on.

    Raises
    ------
    TrainingError
        Validation is none of these, or leaves nothing.
    DataError
        Images or targets cannot be used.
    """
    images, targets = read_images(estimator, X, reset=True), _read_y(y, kind)
    check_lengths(images, targets)
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        held, answers = read_images(estimator, validation[0], reset=False), _read_y(validation[1], kind)
        check_lengths(held, answers, "validation: ")
    else:
        train, valid = _split(targets, validation, seed, kind)
        images, targets, held, answers = images[train], targets[train], images[valid], targets[valid]
    if kind == "labels":
        encode_labels(answers, find_classes(targets), "validation: y")
    return images, targets, held, answers


def _split(targets: NDArray[Any], validation: Any, seed: int, kind: Kind) -> tuple[Any, Any]:
    """Indices of the images to train and to validate on."""
    places = encode_labels(targets, find_classes(targets)).numpy() if kind == "labels" else None
    if is_splitter(validation):
        return split_once(validation, len(targets), targets if places is None else places)
    if isinstance(validation, (int, float)) and not isinstance(validation, bool) and 0 < validation < 1:
        return choose_validation(len(targets), float(validation), places, seed)
    raise TrainingError(
        f"validation is {validation!r} but must be a share between 0 and 1, a pair (X, y), or a splitter such as "
        "ShuffleSplit(1): designs are compared by images that none of them has seen."
    )


def _read_y(y: Any, kind: Kind) -> NDArray[Any]:
    """Labels or targets as an array that can be written to disk."""
    if y is None:
        check_lengths((), y)
    if kind != "labels":
        return read_targets(y) if kind == "targets" else read_indicators(y)
    labels = read_labels(y)
    return labels.astype(str) if labels.dtype == object else labels


def count_outputs(targets: NDArray[Any], kind: Kind) -> int:
    """Number of classes, labels or targets."""
    return len(find_classes(targets)) if kind == "labels" else prod(targets.shape[1:])
