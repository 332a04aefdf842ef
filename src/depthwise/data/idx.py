"""IDX files, as MNIST and its relatives come in.

Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit number, then the values in
the same byte order, the last dimension running fastest (LeCun, Cortes, Burges: The MNIST database, 1998).
"""

import math
import re
import struct
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import ORDER, choose_split, split_of
from depthwise.data.streams import opened, read_pieces
from depthwise.errors import DataError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES_FILE = re.compile(r"images[-.]idx3-ubyte(\.gz)?$", re.IGNORECASE)


def read_idx(path: str | PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, which may be gzipped, in the byte order of this machine.

    Memory is taken for the bytes that are there, never for those that the header announces.

    Raises
    ------
    DataError
        The file cannot be read, is no IDX file, or is shorter or longer than its header says.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    with opened(path) as stream:
        return _read(path, stream)


def _read(path: str | PathLike[str], stream: BinaryIO) -> NDArray[Any]:
    start = stream.read(4)
    if start[:2] != b"\0\0":
        begin = start.hex(" ") or "nothing"
        raise DataError(f"{path}: begins with {begin}, but an IDX file begins with 00 00. Give an IDX file.")
    if len(start) < 4 or len(dimensions := stream.read(4 * start[3])) < 4 * start[3]:
        raise DataError(f"{path}: ends within its IDX header. The file is cut off: fetch it again.")
    if start[2] not in _DTYPES:
        known = ", ".join(f"0x{code:02x}" for code in _DTYPES)
        raise DataError(f"{path}: unknown IDX type code 0x{start[2]:02x}, known are {known}. Fetch the file again.")
    if start[3] == 0:
        raise DataError(f"{path}: an IDX header of 0 dimensions, but there must be 1 or more. Fetch the file again.")
    dtype, shape = np.dtype(_DTYPES[start[2]]), struct.unpack(f">{start[3]}I", dimensions)
    n_bytes = math.prod(shape) * dtype.itemsize
    body = read_pieces(stream, n_bytes)
    if len(body) != n_bytes:
        follow = f"{len(body)} follow" if len(body) < n_bytes else "more follow"
        announced = f"{'x'.join(map(str, shape))} values = {n_bytes} bytes"
        raise DataError(f"{path}: its IDX header announces {announced}, but {follow}. Fetch the file again.")
    try:
        return np.ndarray(shape, dtype, buffer=body).astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:  # no values, but dimensions beyond what an array can have
        raise DataError(f"{path}: an impossible IDX header ({error}). Fetch the file again.") from error


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a file that calls itself IDX, or a folder with the images of an IDX set."""
    path = Path(path)
    return "idx" in path.name.lower() if path.is_file() else path.is_dir() and bool(_images_files(path))


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The images of one part, shape (n_images, 1, height, width), and their labels, int64."""
    path = Path(path)
    files = [path] if path.is_file() else _images_files(path)
    parts: dict[str, Path] = {}
    for file in files:
        part = next(filter(None, map(split_of, re.split(r"[-_.]", file.name))), None)
        if part is None and len(files) > 1:
            raise DataError(f"{file}: its name has none of train, valid, test, as it must beside others. Rename it.")
        if part in parts:
            both = f"{parts[part].name} and {file.name}"
            raise DataError(f"{path}: {both} are both the {part} part. Give one of the files instead of the folder.")
        if part is not None:
            parts[part] = file
    chosen = choose_split(str(path), split, parts)
    images_file = parts[chosen] if chosen else files[0]
    X, y = _pair(images_file, _labels_file(images_file))
    splits = tuple(part for part in ORDER if part in parts)
    return ImageSet(X=resize(X[:, None], size), y=y, source=str(path), split=chosen, splits=splits)


def _images_files(folder: Path) -> list[Path]:
    """Each images file once: an unpacked one makes its .gz superfluous."""
    files = sorted(file for file in folder.iterdir() if _IMAGES_FILE.search(file.name) and file.is_file())
    return [file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files]


def _labels_file(images_file: Path) -> Path:
    stem = images_file.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    if stem == images_file.name.removesuffix(".gz"):
        raise DataError(f"{images_file}: no images file, its name lacks 'images'. Give the images file of the set.")
    for name in (stem, f"{stem}.gz"):
        if (labels_file := images_file.with_name(name)).is_file():
            return labels_file
    raise DataError(f"{images_file}: neither {stem} nor {stem}.gz lies beside it. Put the labels there.")


def _pair(images_file: Path, labels_file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    X, y = read_idx(images_file), read_idx(labels_file)
    if X.ndim != 3 or X.dtype != np.uint8:
        raise DataError(
            f"{images_file}: {X.ndim} dimensions of {X.dtype}, but images are 3 (number, height, width) of uint8. "
            "Give the images file of the set."
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"{labels_file}: {y.ndim} dimensions of {y.dtype}, but labels are 1 of integers. Replace it.")
    if len(X) != len(y):
        raise DataError(f"{images_file}: {len(X)} images, but {labels_file} has {len(y)} labels. Replace one of them.")
    if X.size == 0:
        raise DataError(f"{images_file}: holds no pixels, its shape is {'x'.join(map(str, X.shape))}. Replace it.")
    return X, y.astype(np.int64)
