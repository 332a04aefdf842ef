"""Well-known sets by name.  Nothing is fetched unless ``download=True`` asks for it.

They are looked for in the folder that the environment variable ``DEPTHWISE_DATA`` names, then in the folder of
downloads.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from depthwise.data import archive, cifar, folder, idx
from depthwise.data.download import cache_folder
from depthwise.data.download import download as fetch
from depthwise.data.image_set import ImageSet
from depthwise.data.splits import choose_split
from depthwise.errors import DataError

__all__ = ["cifar10", "digits", "mnist"]

VARIABLE = "DEPTHWISE_DATA"
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
CIFAR10 = "https://www.cs.toronto.edu/~kriz/"

# SHA-256 of the files as first published, as TensorFlow Datasets and Keras check them too.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
CIFAR10_FILES = {"cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"}


def digits() -> ImageSet:
    """The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn, values 0 to 16.

    Examples
    --------
    >>> digits(), digits().X.max()
    (<ImageSet 'digits': 1797 images of 1x8x8, 10 classes>, np.uint8(16))
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return ImageSet(X=bunch.images.astype(np.uint8)[:, None], y=bunch.target.astype(np.int64), source="digits")


def mnist(split: str = "train", download: bool = False) -> ImageSet:
    """MNIST: 60,000 handwritten digits of 28x28 pixels to train on, 10,000 to test with.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    download
        Whether the files may be fetched (12 MB) if they are not there.

    Raises
    ------
    DataError
        The set is not there, or cannot be fetched.
    """
    return _load("mnist", MNIST, MNIST_FILES, (idx,), split, download)


def cifar10(split: str = "train", download: bool = False) -> ImageSet:
    """CIFAR-10: 50,000 colored pictures of 32x32 pixels to train on, 10,000 to test with, in ten classes.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    download
        Whether the file may be fetched (170 MB) if it is not there.

    Raises
    ------
    DataError
        The set is not there, or cannot be fetched.
    """
    return _load("cifar10", CIFAR10, CIFAR10_FILES, (cifar, archive, folder), split, download)


def _load(
    word: str, address: str, files: dict[str, str], forms: tuple[Any, ...], split: str, may_fetch: bool
) -> ImageSet:
    part = choose_split(word, split, ("train", "test"))
    own = Path(os.environ[VARIABLE], word) if os.environ.get(VARIABLE) else None
    form = next((form for form in forms if own is not None and form.recognizes(own)), None)
    if own is not None and form is not None:
        return replace(_read(form, own, part), source=word)
    kept = cache_folder() / word
    if may_fetch:
        for name, checksum in files.items():
            fetch(address + name, checksum, kept)
    if not all((kept / name).is_file() for name in files):
        looked = f"neither in {own} nor in {kept}" if own else f"not in {kept}"
        raise DataError(
            f"{word}: {looked}. Set the variable {VARIABLE} to the folder that holds {word}{os.sep}, "
            f"or fetch it once with dw.datasets.{word}(download=True)."
        )
    place = kept / next(iter(files)) if len(files) == 1 else kept
    return replace(_read(next(form for form in forms if form.recognizes(place)), place, part), source=word)


def _read(form: Any, place: Path, part: str | None) -> ImageSet:
    """Pictures out of an archive are kept decoded beside the downloads: decoding 50,000 takes some ten seconds."""
    try:
        images = form.read(place, None, part, cache_folder() / "decoded")
    except DataError:  # of the cache, which not everybody may write to; or of the data, which is said again
        return form.read(place, None, part, None)
    return replace(images, X=np.array(images.X)) if isinstance(images.X, np.memmap) else images
