"""`load_images`: one door for every form in which labeled images come."""

from os import PathLike
from pathlib import Path
from typing import Protocol

from depthwise.data import digits, folder, idx
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import SUFFIXES, Size
from depthwise.errors import DataError


class Form(Protocol):
    """A way in which labeled images come; a module with these two functions is one."""

    def recognizes(self, path: str | PathLike[str]) -> bool:
        """Whether `path` looks like this form, by its name and the names in it."""

    def read(self, path: str | PathLike[str], size: Size | None, split: str | None) -> ImageSet:
        """The images of one part, with their labels."""


# The first that recognizes the path reads it.
FORMS: tuple[Form, ...] = (digits, idx, folder)


def load_images(path: str | PathLike[str], size: Size | None = None, split: str | None = None) -> ImageSet:
    """Labeled images from a folder per class, an IDX folder or file, or the word ``"digits"``.

    A folder of class folders may have ``train``, ``valid`` (``val``) and ``test`` above them.  The names of the class
    folders are the labels, strings.  Hidden files and files that are no pictures are skipped, and so are pictures that
    cannot be read; `ImageSet.problems` says which.  Images have one channel if all are greyscale, else three (RGB).
    They are turned upright as their EXIF data say; transparency becomes white, 16 bits become the upper 8, and of an
    animation the first frame counts.

    An IDX folder holds the files of MNIST, ``train-images-idx3-ubyte`` and so on, with or without ``.gz``; an IDX file
    is the images file, with its labels file beside it.  Labels are integers.

    Parameters
    ----------
    path
        ``"digits"`` is the set that comes with scikit-learn, even where a folder has that name: that is ``"./digits"``.
    size
        Pixels to resize to, one number or (height, width).  The whole image is stretched, by bilinear interpolation
        over all pixels it covers: nothing is cut off, since a label may depend on the border.
    split
        ``"train"``, ``"valid"`` or ``"test"`` of a set that comes in parts; without it train, or the only part.

    Returns
    -------
    ImageSet
        `X` of shape (n_images, channels, height, width), uint8.

    Raises
    ------
    DataError
        Nothing is there, the form is unknown, a file is damaged, counts differ, or images differ in size and no `size`
        is given.

    Examples
    --------
    >>> digits = load_images("digits")
    >>> digits
    <ImageSet 'digits': 1797 images of 1x8x8, 10 classes>
    >>> load_images("digits", size=(16, 12)).X.shape
    (1797, 1, 16, 12)
    """
    place = path if digits.recognizes(path) else Path(path).expanduser()
    try:
        for form in FORMS:
            if form.recognizes(place):
                return form.read(place, size, split)
        raise DataError(f"{path}: {_what_else(Path(place))}")
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}). Check its permissions.") from error


def _what_else(path: Path) -> str:
    if not path.exists():
        return "no such file or folder. Give a folder of class folders, an IDX folder or file, or the word 'digits'."
    if path.suffix.lower() in SUFFIXES:
        return "one picture is no set of labeled images. Give the folder that holds the class folders."
    return "a file of unknown form. Give an IDX images file, such as train-images-idx3-ubyte.gz, or a folder."
