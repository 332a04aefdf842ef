"""The word "digits": 1,797 handwritten digits of 8x8 pixels that come with scikit-learn."""

from os import PathLike
from pathlib import Path

import numpy as np

from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import choose_split

WORD = "digits"


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is the word itself; a `Path` never is, nor ``"./digits"``."""
    return path == WORD


def read(path: str | PathLike[str], size: Size | None, split: str | None) -> ImageSet:
    """The digits, values 0 to 16 as scikit-learn has them, labels 0 to 9.

    Examples
    --------
    >>> digits = read("digits", size=None, split=None)
    >>> digits, digits.X.max()
    (<ImageSet 'digits': 1797 images of 1x8x8, 10 classes>, np.uint8(16))
    """
    from sklearn.datasets import load_digits

    choose_split(WORD, split, ())
    bunch = load_digits()
    problems: tuple[str, ...] = ()
    if Path(WORD).exists():
        problems = ("'digits' is the set that comes with scikit-learn; write './digits' for what bears that name here",)
    X = resize(bunch.images.astype(np.uint8)[:, None], size)
    return ImageSet(X=X, y=bunch.target.astype(np.int64), source=WORD, problems=problems)
