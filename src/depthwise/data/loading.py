"""`load_images`: one door for every form in which labeled images come; `load_pictures` for pictures without labels."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Protocol

from depthwise.data import archive, cifar, csv_paths, csv_pixels, folder, idx, numpy_files, words
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import SUFFIXES, Size, find_pictures, left_out, read_pictures
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
    transparency becomes white, 16 bits become the upper 8, 32 bits are read if they hold 0 to 255, and of an animation
    the first frame counts.  What is skipped or odd is told in `ImageSet.problems`: files that cannot be read, images
    that are there twice, unequal classes.

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
    place, form = find_form(path)
    try:
        return form.read(place, size, split, None if cache is None else Path(cache).expanduser()).examined()
    except OSError as error:
        raise _unreadable(path, error) from error


def find_form(path: str | PathLike[str]) -> tuple[str | PathLike[str], Form]:
    """Where images are and in which form they come; their pixels are not read.

    Raises
    ------
    DataError
        Nothing is there, or the form is unknown.
    """
    place = path if words.recognizes(path) else Path(path).expanduser()
    try:
        for form in FORMS:
            if form.recognizes(place):
                return place, form
        raise DataError(f"{path}: {_what_else(Path(place))}")
    except OSError as error:
        raise _unreadable(path, error) from error


def load_pictures(paths: str | PathLike[str] | Iterable[str | PathLike[str]], channels: int, size: Size) -> ImageSet:
    """Pictures without labels, brought to the channels and size that a network reads, by the rules of `load_images`.

    Parameters
    ----------
    paths
        A picture, a folder of pictures (its own files, sorted by name), or several of them.
    channels
        1 (greyscale: 0.299 R + 0.587 G + 0.114 B, ITU-R 601) or 3 (RGB).
    size
        Pixels, one number or (height, width).

    Returns
    -------
    ImageSet
        `X` of shape (n_pictures, channels, height, width), uint8; `y` is None.

    Raises
    ------
    DataError
        A path does not exist, or no picture can be read.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 30), "white").save(f"{folder}/cat.png")
    ...     pictures = load_pictures(folder, channels=1, size=(28, 32))
    >>> pictures.X.shape, int(pictures.X.min()), pictures.ids
    ((1, 1, 28, 32), 255, ('cat',))
    """
    if channels not in (1, 3):
        raise DataError(f"channels={channels!r}: pictures are read with 1 channel (greyscale) or 3 (RGB). Choose one.")
    where, files = find_pictures(paths)
    names = [str(file) for file in files]
    X, kept, problems = read_pictures(where, files, names, size, channels)
    return ImageSet(
        X=X,
        y=None,
        source=where,
        paths=tuple(files[i] for i in kept),
        ids=tuple(files[i].stem for i in kept),
        skipped=left_out(names, kept),
        problems=problems,
    )


def _unreadable(path: str | PathLike[str], error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error}). Check its permissions.")


def _what_else(path: Path) -> str:
    if not path.exists():
        return "no such file or folder. Give a folder of class folders, a file of images, or the word 'digits'."
    if path.suffix.lower() in SUFFIXES:
        return "one picture is no set of labeled images. Give the folder that holds the class folders."
    return "a file of unknown form. Give a .csv, .npz, .npy, .tar.gz or IDX file, or a folder."
