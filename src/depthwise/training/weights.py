"""How much each image counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from depthwise.errors import DataError, TrainingError
from depthwise.training.inputs import as_array, check_finite


def read_sample_weight(sample_weight: Any, n_images: int) -> NDArray[np.float64]:
    """Weights as they come, checked.

    >>> read_sample_weight([1, 2, 0], 3)
    array([1., 2., 0.])
    >>> read_sample_weight([1, 2, -1], 3)
    Traceback (most recent call last):
    depthwise.errors.DataError: sample_weight: -1 at index 2 is negative, but an image counts 0 or more. Mend it.
    """
    try:
        weights = np.asarray(as_array(sample_weight), dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(
            f"sample_weight is {sample_weight!r}, but must be one number for each image. "
            "Classes are weighted by class_weight=."
        ) from None
    if weights.shape != (n_images,):
        raise DataError(
            f"sample_weight has shape {weights.shape} but there are {n_images} images. Give one number for each."
        )
    check_finite(weights, "sample_weight")
    if (weights < 0).any():
        first = int((weights < 0).argmax())
        raise DataError(
            f"sample_weight: {weights[first]:g} at index {first} is negative, but an image counts 0 or more. Mend it."
        )
    return weights


def check_class_weight(class_weight: Any) -> None:
    """Refuse what is no class weight.

    >>> check_class_weight("even")
    Traceback (most recent call last):
    depthwise.errors.TrainingError: class_weight is 'even' but must be 'balanced', a dictionary of labels and numbers \
of 0 or more, or None.
    """
    numbers = class_weight.values() if isinstance(class_weight, dict) else ()
    if class_weight in (None, "balanced") or (isinstance(class_weight, dict) and all(w >= 0 for w in numbers)):
        return
    raise TrainingError(
        f"class_weight is {class_weight!r} but must be 'balanced', a dictionary of labels and numbers of 0 or more, "
        "or None."
    )


def weights_of_classes(class_weight: Any, classes: NDArray[Any], encoded: NDArray[np.int64]) -> NDArray[np.float64]:
    """A weight for each class.

    ``"balanced"``: n_images / (n_classes * images of the class).  A class that the dictionary leaves out counts 1.

    Parameters
    ----------
    class_weight
        ``"balanced"`` or ``{label: weight}``.
    classes
        Labels in order.
    encoded
        Place of each training image's label among them.

    Examples
    --------
    >>> weights_of_classes("balanced", np.array(["a", "b"]), np.array([0, 0, 0, 1]))
    array([0.66666667, 2.        ])
    """
    if isinstance(class_weight, dict):
        strange = [label for label in class_weight if label not in set(classes.tolist())]
        if strange:
            raise TrainingError(
                f"class_weight: {strange[0]!r} is none of the {len(classes)} classes of training "
                f"({', '.join(map(repr, classes.tolist()[:5]))}{', ...' * (len(classes) > 5)}). Remove it."
            )
        return np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
    present = np.unique(encoded)
    weights = np.ones(len(classes))
    weights[present] = compute_class_weight(class_weight, classes=present, y=encoded)
    return weights


def normalized(weights: NDArray[np.float64] | None, rows: Tensor) -> Tensor | None:
    """Weights with mean 1 over the chosen images, so that loss and learning rate mean what they always mean.

    ``None`` if all count alike.
    """
    if weights is None:
        return None
    own = weights[rows.cpu().numpy()]
    if not own.sum() > 0:
        raise DataError(
            f"sample_weight: all {len(own)} images to train or to validate on have weight zero. "
            "Give more of them a weight above 0."
        )
    alike = (own == own[0]).all()
    return None if alike else torch.from_numpy((weights / own.mean()).astype(np.float32))
