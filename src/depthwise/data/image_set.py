"""`ImageSet`: images, labels, and what was skipped on the way."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthwise.data.duplicates import EXAMINED_BYTES, find_imbalance, find_problems
from depthwise.data.layout import as_array, as_images, as_labels
from depthwise.errors import DataError

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey.  ITU-R BT.601."""

_SHOWN_CLASSES = 20  # in a description


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ImageSet:
    """Images with their labels, as they were read.

    Parameters
    ----------
    X
        Array of shape (n_images, channels, height, width), the values as in the files: uint8, or float32 where the
        source holds floating point numbers.
    y
        Labels, shape (n_images,): strings or integers; None where there are none.
    source
        What the caller named, for messages.
    paths
        The file of each image, where each has one.
    ids
        What each image is called: the column called id of a table, else the name of its file without its ending; None
        where neither is there.  `write_submission` takes them.
    skipped
        Pictures that are not there or cannot be read, by name; `problems` tells why.
    problems
        What was skipped or changed and why, and what is odd about the images, a sentence each.
    split
        The part this is, "train", "valid" or "test", of a set that comes in parts.
    splits
        All parts that are there; ``load_images(source, split=...)`` reads another one.

    Attributes
    ----------
    classes : tuple
        The labels that occur, sorted; empty without labels.

    Raises
    ------
    DataError
        `X` is not 4-D, or `y`, `paths` or `ids` have another length.

    Examples
    --------
    >>> import numpy as np
    >>> photos = ImageSet(X=np.zeros((3, 1, 8, 6), np.uint8), y=np.array(["dog", "cat", "dog"]), source="photos")
    >>> photos
    <ImageSet 'photos': 3 images of 1x8x6, 2 classes>
    >>> photos.classes
    ('cat', 'dog')
    """

    X: NDArray[Any]
    y: NDArray[Any] | None
    source: str
    paths: tuple[Path, ...] | None = None
    ids: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = ()
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
        for name, others in (("labels", self.y), ("paths", self.paths), ("ids", self.ids)):
            if others is not None and len(others) != len(self.X):
                raise DataError(f"{self.source}: {len(self.X)} images but {len(others)} {name}. Give each image one.")
        object.__setattr__(self, "classes", () if self.y is None else tuple(np.unique(self.y).tolist()))

    @classmethod
    def from_arrays(cls, X: ArrayLike, y: ArrayLike | None = None, source: str = "arrays") -> "ImageSet":
        """Images and labels out of arrays.

        Four axes are ``(n_images, channels, height, width)``, unless only the last one is 1, 3 or 4 long: then it is
        the channels.  Three are grey images, two are rows of grey square images.  Whole numbers become uint8 and must
        lie in 0..255; floating point numbers become float32 and keep their values.

        Raises
        ------
        DataError
            The arrays are no images or labels, or their numbers differ.

        Examples
        --------
        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> ImageSet.from_arrays(random.integers(0, 256, (4, 28, 28)), [5, 0, 4, 1])
        <ImageSet 'arrays': 4 images of 1x28x28, 4 classes>
        """
        labels = None if y is None else as_labels(as_array(y, source), source)
        return cls(X=as_images(as_array(X, source), source), y=labels, source=source).examined()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels, height and width of every image."""
        return self.X.shape[1:]

    @property
    def counts(self) -> dict[Hashable, int]:
        """Images of each class, in the order of `classes`."""
        counted = Counter([] if self.y is None else self.y.tolist())
        return {label: counted[label] for label in self.classes}

    def describe(self) -> str:
        """What is in the set, in a few lines: images, classes with their counts, parts, problems.

        Examples
        --------
        >>> import numpy as np
        >>> pets = ImageSet(X=np.zeros((3, 1, 8, 6), np.uint8), y=np.array(["dog", "cat", "dog"]), source="pets")
        >>> print(pets.describe())
        pets: 3 images of 1x8x6, uint8
        2 classes: cat 1, dog 2
        """
        part = f" ({self.split} of {', '.join(self.splits)})" if self.split else ""
        lines = [f"{self.source}{part}: {len(self)} images of {self._shape}, {self.X.dtype}"]
        counts = [f"{label} {n}" for label, n in self.counts.items()]
        if len(counts) > _SHOWN_CLASSES:
            rare = sorted(self.counts.values())
            counts = [f"{rare[0]} to {rare[-1]} images each, in the middle {rare[len(rare) // 2]}"]
        lines.append(f"{self._n_classes}: {', '.join(counts)}" if counts else "no labels")
        return "\n".join([*lines, *(f"note: {problem}" for problem in self.problems)])

    def examined(self, whole: bool = False) -> "ImageSet":
        """The same set, with what is odd about its images and labels added to `problems`, as `load_images` does.

        Classes of very unequal size, images of a single color, and images that are there twice are told.  The pixels
        are looked at if they take 512 MiB at most, or if the `whole` set is asked for.
        """
        found = [] if self.y is None else [find_imbalance(self.y)]
        if whole or self.X.nbytes <= EXAMINED_BYTES:
            found += find_problems(self.X, self.y, self.paths, self.source)
        return replace(self, problems=tuple(dict.fromkeys(filter(None, (*self.problems, *found)))))

    def require_labels(self) -> NDArray[Any]:
        """The labels.

        Raises
        ------
        DataError
            There are none.
        """
        if self.y is None:
            raise DataError(f"{self.source}: {len(self)} images without labels, but labels are needed. Add them.")
        return self.y

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
        self.require_labels()
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
            whole = self.X.dtype == np.uint8
            return replace(self, X=(np.rint(grey) if whole else grey).astype(self.X.dtype))
        if (have, channels) == (1, 3):
            return replace(self, X=np.repeat(self.X, 3, axis=1))
        raise DataError(
            f"{self.source}: images of {have} channels cannot be made ones of {channels}. Convert them first."
        )

    def __len__(self) -> int:
        return len(self.X)

    @property
    def _shape(self) -> str:
        return "x".join(map(str, self.input_shape))

    @property
    def _n_classes(self) -> str:
        n = len(self.classes)
        return f"{n} class{'es' * (n != 1)}" if self.y is not None else "no labels"

    def __repr__(self) -> str:
        part = f" ({self.split})" if self.split else ""
        return f"<ImageSet '{self.source}'{part}: {len(self)} images of {self._shape}, {self._n_classes}>"
