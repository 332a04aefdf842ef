"""`load_images`: one door for every form in which labeled images come."""

from os import PathLike
from pathlib import Path
from typing import Protocol

from depthwise.data import archive, cifar, csv_paths, csv_pixels, folder, idx, numpy_files, words
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import SUFFIXES, Size
from depthwise.errors import DataError


class Form(Protocol):
    """A way in which labeled images come; a module with these two functions is one."""

    def recognizes(self, path: str | PathLike[str]) -> bool:
        """Whether `path` looks like this form, by its name and the names in it."""

    def read(self, path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
        """The images of one part, with their labels; forms that come as picture files may keep them in `cache`."""


# The first that recognizes the path reads it.
FORMS: tuple[Form, ...] = (words, idx, cifar, archive, csv_paths, csv_pixels, numpy_files, folder)


def load_images(
    path: str | PathLike[str],
    size: Size | None = None,
    split: str | None = None,
    cache: str | PathLike[str] | None = None,
) -> ImageSet:
    """Images and labels in any of the forms in which people have them; docs/data.md tells each form in full.

    ====================  ============================================================================================
    folder per class      pictures; ``train``, ``valid`` (``val``) and ``test`` may stand above; also inside a .tar
    .csv, .csv.gz         rows of pixels with or without labels, as from Kaggle, or of picture files and labels
    IDX                   the files of MNIST in a folder, or one images file; with or without ``.gz``
    CIFAR                 the batches of CIFAR-10 or CIFAR-100 in a folder or .tar.gz; fine labels
    .npz, .npy            ``X``, ``y`` or ``x_train``, ``y_train``, ... ; images with labels beside them
    a word                ``"digits"``, ``"mnist"``, ``"cifar10"``: see `datasets`
    ====================  ============================================================================================

    Pictures have one channel if all are greyscale, else three (RGB).  They are turned upright as their EXIF data say;
    transparency becomes white, 16 bits become the upper 8, and of an animation the first frame counts.  What is skipped
    or odd is told in `ImageSet.problems`: files that cannot be read, images that are there twice, unequal classes.

    Parameters
    ----------
    path
        Where they are.  A word stands for the set of that name even where a folder is called so: that is
        ``"./digits"``.
    size
        Pixels to resize to, one number or (height, width).  The whole image is stretched, by bilinear interpolation
        over all pixels it covers: nothing is cut off, since a label may depend on the border.
    split
        ``"train"``, ``"valid"`` or ``"test"`` of a set that comes in parts; without it train, or the only part.
    cache
        A folder in which decoded picture files are kept, for sets that are larger than memory: `X` is then a read-only
        map of a file there.  It is made anew when a picture has changed.  Other forms do without.

    Returns
    -------
    ImageSet
        `X` of shape (n_images, channels, height, width), uint8, or float32 from a .npz or .npy file of floating point
        numbers.

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
    place = path if words.recognizes(path) else Path(path).expanduser()
    try:
        for form in FORMS:
            if form.recognizes(place):
                return form.read(place, size, split, None if cache is None else Path(cache).expanduser()).examined()
        raise DataError(f"{path}: {_what_else(Path(place))}")
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}). Check its permissions.") from error


def _what_else(path: Path) -> str:
    if not path.exists():
        return "no such file or folder. Give a folder of class folders, a file of images, or the word 'digits'."
    if path.suffix.lower() in SUFFIXES:
        return "one picture is no set of labeled images. Give the folder that holds the class folders."
    return "a file of unknown form. Give a .csv, .npz, .npy, .tar.gz or IDX file, or a folder."
