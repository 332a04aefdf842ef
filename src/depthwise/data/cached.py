"""Pictures decoded once into a file that is then mapped into memory, for sets that are larger than it.

The array is a plain .npy file; beside it, in JSON, lies what else is known of the pictures.  Both names hold a key made
of names, sizes and times of all files, so that an array is never taken for pictures that have changed since.
"""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from depthwise.data.pictures import Pictures, Roll, Size, as_planes, as_size, decode_all, read_pictures
from depthwise.errors import DataError
from depthwise.files import write_whole

CHUNK_BYTES = 1 << 26
"""Decoded pictures held in memory at a time."""

_VERSION = 2  # of what is written: another rule of decoding needs another number


def keep(
    cache: Path, what: Hashable, state: Hashable, make: Callable[[Path], dict[str, Any]]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """An array in a file of the folder `cache`, mapped read-only, and facts about it; made only if it is not there.

    Parameters
    ----------
    cache
        Made if it is missing.
    what, state
        An array of the same `what` and another `state` is outdated, and removed.
    make
        Writes the array to the path it is given, and returns the facts.

    Raises
    ------
    DataError
        The folder cannot be used, or what lies there is damaged.
    """
    stem, key = (hashlib.sha256(repr(one).encode()).hexdigest()[:16] for one in (what, (_VERSION, state)))
    array, facts = cache / f"{stem}-{key}.npy", cache / f"{stem}-{key}.json"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not facts.exists():
            for other in cache.glob(f"{stem}-*"):
                if not other.name.startswith(array.stem):  # another process may be making the same
                    other.unlink(missing_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=cache, suffix=".npy")
            os.close(descriptor)
            try:
                told = make(Path(draft))
                Path(draft).replace(array)
            finally:
                Path(draft).unlink(missing_ok=True)
            # The facts come last: where they are, the array is whole.
            write_whole(facts, json.dumps(told).encode())
        return np.load(array, mmap_mode="r"), json.loads(facts.read_text())
    except OSError as error:
        raise DataError(f"{cache}: cannot be used ({error.strerror or error}). Give another cache folder.") from error
    except (ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{array}: damaged ({error}). Remove it and what lies beside it.") from error


def read_files(
    source: str, files: Sequence[Path], names: Sequence[str], size: Size | None, cache: Path | None
) -> Pictures:
    """As `read_pictures`; with a `cache` folder the array is a read-only map of a file there.

    Raises
    ------
    DataError
        No file can be read, sizes differ and `size` is None, or the cache cannot be used.
    """
    if cache is None:
        return read_pictures(source, files, names, size)
    height_width = None if size is None else as_size(size)
    state = [(name, *state_of(file)) for name, file in zip(names, files, strict=True)]
    X, facts = keep(
        cache,
        (str(Path(source).absolute()), height_width),
        tuple(state),
        lambda draft: _write(draft, source, files, names, height_width),
    )
    return Pictures(X, facts["kept"], tuple(facts["problems"]))


def state_of(file: Path) -> tuple[int, int]:
    """What differs where a file has changed: its size, and the time of its last change."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _write(
    draft: Path, source: str, files: Sequence[Path], names: Sequence[str], size: tuple[int, int] | None
) -> dict[str, Any]:
    """Decode all files into `draft`."""
    roll = Roll(source, names)
    # Pictures are taken for grey until one has color; then all is begun anew.
    if not _decode_into(draft, 1, roll, files, size):
        roll = Roll(source, names)
        _decode_into(draft, 3, roll, files, size)
    return {"kept": roll.kept, "problems": roll.problems()}


def _decode_into(draft: Path, channels: int, roll: Roll, files: Sequence[Path], size: tuple[int, int] | None) -> bool:
    """Whether all pictures could be written with so many channels: a colored one is no grey one."""
    with draft.open("wb") as stream:
        start, step = 0, 1  # the first picture tells how many to take at a time
        while start < len(files):
            for pixels in roll.take(start, decode_all(files[start : start + step], size, None)):
                if channels == 1 and pixels.ndim == 3:
                    return False
                if stream.tell() == 0:
                    _write_header(stream, len(files), channels, roll.shape)
                planes = as_planes(pixels)
                stream.write(np.broadcast_to(planes, (channels, *roll.shape)).tobytes())
            start += step
            step = max(1, CHUNK_BYTES // (channels * math.prod(roll.shape))) if roll.shape else 1
        stream.seek(0)
        _write_header(stream, len(roll.kept), channels, roll.shape)
    return True


def _write_header(stream: BinaryIO, n: int, channels: int, shape: tuple[int, ...]) -> None:
    """The head of a .npy file, which numpy makes equally long for any number of images."""
    head = {"descr": "|u1", "fortran_order": False, "shape": (n, channels, *shape)}
    np.lib.format.write_array_header_1_0(stream, head)
