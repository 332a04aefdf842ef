"""PyTorch's data sets of pairs, and their kin -> images that are read when a batch needs them, and all targets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from depthwise.errors import DataError
from depthwise.training.inputs import arrange, as_array, check_finite
from depthwise.training.randomness import own_randomness

TARGETS = ("targets", "labels")
"""Where data sets keep their targets, after torchvision's; they spare a pass over all images."""
COMPARED_TARGETS = 16
"""Entries, spread over all, whose targets must be those: ``__getitem__`` may make others of them."""


class LazyImages:
    """Images that a data set makes when they are asked for, with as much of a tensor's face as batches need.

    Parameters
    ----------
    fetch
        Gives the images of a list of indices, each as an array of one shape.
    shape
        ``(n_images, ...)``, as the data set has them.
    """

    def __init__(self, fetch: Callable[[list[int]], list[NDArray[Any]]], shape: tuple[int, ...]) -> None:
        self.fetch = fetch
        self.given = shape
        self.shape = shape
        self.device = torch.device("cpu")

    def arranged(self, shape: tuple[int, ...]) -> Self:
        """The same images as the network reads them, of ``shape`` each."""
        arrange(np.broadcast_to(np.uint8(0), (0, *self.given[1:])), shape)  # or say why they cannot be
        self.shape = (len(self), *shape)
        return self

    def to(self, device: torch.device) -> Self:
        """The same images, each batch on a device."""
        self.device = device
        return self

    def __len__(self) -> int:
        return self.given[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows: Tensor) -> Tensor:
        images = self.index_select(0, rows.reshape(-1))
        return images if rows.ndim else images[0]

    def index_select(self, axis: int, rows: Tensor) -> Tensor:
        """Images of these indices, read now; `axis` is 0."""
        places = rows.tolist()
        images = self.fetch(places)
        for place, image in zip(places, images, strict=True):
            if image.shape != self.given[1:]:
                raise DataError(
                    f"X: image {place} has shape {image.shape} but image 0 has {self.given[1:]}. "
                    "Bring them to one size."
                )
        stacked = np.stack(images) if images else np.empty((0, *self.given[1:]), np.uint8)
        if stacked.dtype != np.uint8:
            stacked = stacked.astype(np.float32, copy=False)
            check_finite(stacked, "X")
        return arrange(stacked, self.shape[1:]).to(self.device)


def is_dataset(X: Any) -> bool:
    """Whether it is a data set of PyTorch's or of Hugging Face's, which holds images and targets."""
    return isinstance(X, Dataset) or (hasattr(X, "features") and hasattr(X, "__iter__"))


def read_dataset(dataset: Any) -> tuple[Any, Any]:
    """Images and targets of a data set of pairs ``(image, target)``, or of dictionaries with an image and a label.

    Images are made anew for every batch, so that what the data set does at random stays so, and no more than a batch is
    in memory.  A data set that can only be gone through is written to a temporary file in its first pass.

    Parameters
    ----------
    dataset
        Its images are tensors, arrays or pictures of one size.

    Raises
    ------
    DataError
        It is empty, or does not hold pairs.

    Examples
    --------
    >>> X, y = read_dataset(TensorDataset(torch.zeros(5, 1, 8, 8), torch.arange(5)))
    >>> X.shape, y.shape
    (torch.Size([5, 1, 8, 8]), torch.Size([5]))
    """
    if isinstance(dataset, TensorDataset):
        return as_pair(dataset.tensors)
    # What it does at random is the same in every first pass, and the caller's generator stays where it is.
    with own_randomness(torch.device("cpu"), seed=0):
        return _read_pairs(dataset)


def _read_pairs(dataset: Any) -> tuple[Any, Any]:
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        return _write_down(dataset)
    n_images = len(dataset)
    if not n_images:
        raise DataError("X is a data set of 0 images. Give at least one for each class.")
    first = as_pixels(as_pair(dataset[0])[0])

    def fetch(places: list[int]) -> list[NDArray[Any]]:
        return [as_pixels(as_pair(dataset[place])[0]) for place in places]

    return LazyImages(fetch, (n_images, *first.shape)), _targets(dataset, n_images)


def as_pair(item: Any) -> tuple[Any, Any]:
    """Image and target of an entry."""
    if isinstance(item, Mapping):
        images = [value for value in item.values() if _is_image(value)]
        labels = [value for value in item.values() if not _is_image(value) and np.ndim(as_array(value)) <= 1]
        item = (*images, *labels)
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        what = f"holds {len(item)} values" if isinstance(item, (tuple, list)) else f"is a {type(item).__name__}"
        raise DataError(
            f"X: an entry of the data set {what}, but must be an image and its target. Select these two columns."
        )
    return item[0], item[1]


def as_pixels(image: Any) -> NDArray[Any]:
    """An array of a tensor, or of a picture of Pillow's, whose channels come last."""
    pixels = np.asarray(as_array(image))
    return pixels.view(np.uint8) if pixels.dtype == np.bool_ else pixels


def _is_image(value: Any) -> bool:
    return hasattr(value, "getpixel") or np.ndim(as_array(value)) >= 2


def _targets(dataset: Any, n_images: int) -> NDArray[Any]:
    for name in TARGETS if _gives_targets_as_kept(dataset) else ():
        known = getattr(dataset, name, None)
        if known is not None and not callable(known) and len(known) == n_images:
            targets = np.asarray(as_array(known))
            places = np.linspace(0, n_images - 1, min(n_images, COMPARED_TARGETS), dtype=int).tolist()
            if all(np.array_equal(targets[place], _target(dataset, place)) for place in places):
                return targets
    return np.asarray([_target(dataset, place) for place in range(n_images)])


def _target(dataset: Any, place: int) -> Any:
    return as_array(as_pair(dataset[place])[1])


def _gives_targets_as_kept(dataset: Any) -> bool:
    """Whether nothing is said to change them; torchvision's `transforms` holds those of images and of targets."""
    transforms = getattr(dataset, "transforms", None)
    of_targets = (getattr(dataset, "target_transform", None), getattr(transforms, "target_transform", transforms))
    return of_targets == (None, None)


def _write_down(stream: Iterable[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All images of a stream in a file, which is gone when nobody reads it any more, and its targets."""
    targets: list[Any] = []
    shape: tuple[int, ...] | None = None
    first: np.dtype[Any] = np.dtype(np.uint8)
    dtype = first
    with tempfile.NamedTemporaryFile(prefix="depthwise-", suffix=".images") as file:
        for item in stream:
            image, target = as_pair(item)
            pixels = as_pixels(image)
            if shape is None:
                shape, first = pixels.shape, pixels.dtype
                dtype = first if first == np.uint8 else np.dtype(np.float32)
            if pixels.shape != shape:
                raise DataError(
                    f"X: image {len(targets)} has shape {pixels.shape} but image 0 has {shape}. Bring them to one size."
                )
            if (pixels.dtype == np.uint8) != (first == np.uint8):
                raise DataError(
                    f"X: image {len(targets)} is of {pixels.dtype} but image 0 of {first}. "
                    "Bring them to one type and one range of values."
                )
            file.write(np.ascontiguousarray(pixels, dtype).tobytes())
            targets.append(as_array(target))
        file.flush()
        if shape is None:
            raise DataError("X is a data set of 0 images. Give at least one for each class.")
        # The mapping keeps the file's bytes; its name goes now.
        mapped = np.memmap(Path(file.name), dtype, "r", shape=(len(targets), *shape))
    return mapped, np.asarray(targets)
