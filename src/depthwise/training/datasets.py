"""PyTorch's data sets of pairs -> arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from depthwise.errors import DataError
from depthwise.training.inputs import as_array


def read_dataset(dataset: Dataset[Any]) -> tuple[Any, Any]:
    """All images and targets of a data set of pairs ``(image, target)``.

    Parameters
    ----------
    dataset
        Its images are tensors, arrays or pictures of one size.

    Raises
    ------
    DataError
        It has no length, is empty, or does not hold pairs.

    Examples
    --------
    >>> import torch
    >>> X, y = read_dataset(TensorDataset(torch.zeros(5, 1, 8, 8), torch.arange(5)))
    >>> X.shape, y.shape
    (torch.Size([5, 1, 8, 8]), torch.Size([5]))
    """
    if isinstance(dataset, TensorDataset):
        return _pair(dataset.tensors)
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        raise DataError(
            f"X is a {type(dataset).__name__} without a length, but every epoch needs all images. "
            "Give a data set with __len__ and __getitem__, or call partial_fit with parts of it."
        )
    pairs = [_pair(dataset[place]) for place in range(len(dataset))]
    if not pairs:
        raise DataError("X is a data set of 0 images. Give at least one for each class.")
    images = [_pixels(image) for image, _ in pairs]
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise DataError(f"X: its images have shapes {shapes[0]} and {shapes[1]}. Bring them to one size.")
    return np.stack(images), np.asarray([as_array(target) for _, target in pairs])


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        length = f" of {len(item)}" if isinstance(item, (tuple, list)) else ""
        raise DataError(
            f"X: an entry of the data set is a {type(item).__name__}{length}, but must be a pair (image, target)."
        )
    return item[0], item[1]


def _pixels(image: Any) -> Any:
    """An array of a tensor, or of a picture of Pillow's, whose channels come last."""
    return as_array(image) if isinstance(image, Tensor) else np.asarray(image)
