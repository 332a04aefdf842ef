"""What is wrong with images and labels that could all be read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depthwise.data.pictures import note

if TYPE_CHECKING:
    from depthwise.data.image_set import ImageSet

IMBALANCE = 10
"""Times as many images of the commonest class as of the rarest, from which on it is told.

The measure, and the harm it does to CNNs, growing with it: Buda, Maki, Mazurowski, "A systematic study of the class
imbalance problem in convolutional neural networks", Neural Networks 106, 2018.  It varies the ratio by factors from
small numbers to thousands; where to speak is our choice.
"""

EXAMINED_BYTES = 1 << 29
"""Sets up to this size are searched for repeated images whenever they are read: below half a second on one core."""


def find_duplicates(images: "ImageSet", others: "ImageSet | None" = None) -> NDArray[np.int64]:
    """Images that are there twice, pixel for pixel: within one set, or in two.

    Parameters
    ----------
    images
        The set whose repeated images are wanted, such as the test part.
    others
        The set they are looked up in, such as the train part; without it `images` itself.

    Returns
    -------
    NDArray
        Shape (n_found, 2): the place of a repeated image in `images`, and that of the first equal one in `others`.

    Examples
    --------
    >>> from depthwise.data import ImageSet
    >>> train = ImageSet.from_arrays(np.arange(5 * 64, dtype=np.float32).reshape(5, 8, 8))
    >>> test = ImageSet.from_arrays(train.X[[3, 1]])
    >>> find_duplicates(test, train).tolist(), len(find_duplicates(train))
    ([[0, 3], [1, 1]], 0)
    """
    return _find(images.X, images.X if others is None else others.X)


def _find(X: NDArray[Any], Z: NDArray[Any]) -> NDArray[np.int64]:
    first: dict[int, int] = {}
    keys = [hash(image.tobytes()) for image in Z]
    for place, key in enumerate(keys):
        first.setdefault(key, place)
    if X is not Z:
        keys = [hash(image.tobytes()) for image in X] if X.shape[1:] == Z.shape[1:] and X.dtype == Z.dtype else []
    pairs = [(i, first[key]) for i, key in enumerate(keys) if key in first and (X is not Z or first[key] != i)]
    # Keys are 64 bits: two images may share one by chance, however rarely.
    pairs = [(i, j) for i, j in pairs if X[i].tobytes() == Z[j].tobytes()]
    return np.array(pairs, np.int64).reshape(-1, 2)


def find_problems(
    X: NDArray[Any], y: NDArray[Any] | None, paths: Sequence[Path] | None, source: str
) -> list[str | None]:
    """Sentences for `ImageSet.problems`: images of a single color, and images that are there twice."""
    root = Path(source)

    def name(place: int) -> str:
        if paths is None:
            return f"image {place}"
        path = paths[place]
        return str(path.relative_to(root)) if path.is_relative_to(root) else path.name

    planes = X.reshape(*X.shape[:2], -1)
    blank = np.flatnonzero((planes.min(2) == planes.max(2)).all(1))
    same: list[str] = []
    clashing: list[str] = []
    for i, j in _find(X, X).tolist():
        (same if y is None or y[i] == y[j] else clashing).append(f"{name(i)} = {name(j)}")
    return [
        note([name(place) for place in blank.tolist()], "image", "of a single color"),
        note(same, "image", "repeated pixel by pixel"),
        note(clashing, "image", "repeated pixel by pixel under another label"),
    ]


def find_imbalance(y: NDArray[Any]) -> str | None:
    """A sentence for `ImageSet.problems` if the commonest class has `IMBALANCE` times the images of the rarest.

    Examples
    --------
    >>> find_imbalance(np.array(["cat"] * 30 + ["dog"] * 2))
    'classes are unbalanced: 30 images of cat, but 2 of dog'
    """
    counts = Counter(y.tolist()).most_common()
    if not counts or counts[0][1] < IMBALANCE * counts[-1][1]:
        return None
    (many, most), (few, least) = counts[0], counts[-1]
    return f"classes are unbalanced: {most} images of {many}, but {least} of {few}"
