"""`ImageSet`: images, labels, and what was skipped on the way."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise.errors import DataError

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey.  ITU-R BT.601."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageSet:
    """Images with their labels, as they were read.

    Parameters
    ----------
    X
        uint8 array of shape (n_images, channels, height, width), the values as in the files.
    y
        Labels, shape (n_images,): strings or integers.
    source
        What the caller named, for messages.
    paths
        The file of each image, where each has one.
    problems
        What was skipped or changed and why, a sentence each.
    split
        The part this is, "train", "valid" or "test", of a set that comes in parts.
    splits
        All parts that are there; ``load_images(source, split=...)`` reads another one.

    Attributes
    ----------
    classes : tuple
        The labels that occur, sorted.

    Raises
    ------
    DataError
        `X` is not 4-D, or `y` or `paths` have another length.

    Examples
    --------
    >>> import numpy as np
    >>> photos = ImageSet(X=np.zeros((3, 1, 8, 6), np.uint8), y=np.array(["dog", "cat", "dog"]), source="photos")
    >>> photos
    <ImageSet 'photos': 3 images of 1x8x6, 2 classes>
    >>> photos.classes
    ('cat', 'dog')
    """

    X: NDArray[np.uint8]
    y: NDArray[Any]
    source: str
    paths: tuple[Path, ...] | None = None
    problems: tuple[str, ...] = ()
    split: str | None = None
    splits: tuple[str, ...] = ()
    classes: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.X.ndim != 4:
            raise DataError(
                f"{self.source}: X has {self.X.ndim} dimensions but images need 4. "
                "Give it the shape (n_images, channels, height, width)."
            )
        for name, others in (("labels", self.y), ("paths", self.paths)):
            if others is not None and len(others) != len(self.X):
                raise DataError(f"{self.source}: {len(self.X)} images but {len(others)} {name}. Give each image one.")
        object.__setattr__(self, "classes", tuple(np.unique(self.y).tolist()))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels, height and width of every image."""
        return self.X.shape[1:]

    def require_classes(self, minimum: int = 2) -> "ImageSet":
        """The set itself, if it has at least `minimum` classes; only training needs them, so reading does not ask.

        Raises
        ------
        DataError
            There are fewer.

        Examples
        --------
        >>> import numpy as np
        >>> ImageSet(X=np.zeros((3, 1, 8, 6), np.uint8), y=np.array([7, 7, 7]), source="7s").require_classes()
        Traceback (most recent call last):
        depthwise.errors.DataError: 7s: all 3 images are of one class, 7, but training needs 2. Add images of another.
        """
        if len(self.classes) < minimum:
            have = "no images"
            if len(self):
                have = f"all {len(self)} images are of one class, {self.classes[0]}"
            if len(self.classes) > 1:
                have = f"{len(self)} images of {len(self.classes)} classes"
            raise DataError(f"{self.source}: {have}, but training needs {minimum}. Add images of another.")
        return self

    def with_channels(self, channels: int) -> "ImageSet":
        """The same pictures in grey (1 channel) or in color (3), by the rule of `load_pictures`.

        Raises
        ------
        DataError
            It cannot be told how to get from one number of channels to the other.

        Examples
        --------
        >>> import numpy as np
        >>> color = ImageSet(X=np.full((1, 3, 2, 2), 9, np.uint8), y=np.array([0]), source="nines")
        >>> color.with_channels(1).X.tolist()
        [[[[9, 9], [9, 9]]]]
        """
        have = self.X.shape[1]
        if have == channels:
            return self
        if (have, channels) == (3, 1):
            grey = np.tensordot(self.X, GREY, axes=(1, 0))[:, None]
            return replace(self, X=np.rint(grey).astype(np.uint8))
        if (have, channels) == (1, 3):
            return replace(self, X=np.repeat(self.X, 3, axis=1))
        raise DataError(
            f"{self.source}: images of {have} channels cannot be made ones of {channels}. Convert them first."
        )

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        part = f" ({self.split})" if self.split else ""
        n = len(self.classes)
        return f"<ImageSet '{self.source}'{part}: {len(self)} images of {shape}, {n} class{'es' * (n != 1)}>"
