"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from depthwise.errors import FileError

SAVED_SUFFIX = ".safetensors"
"""Ending of a trained network's file."""
LONGEST_NAME = 200
"""Letters of its name that a draft takes over: file systems allow 255 bytes, and a draft needs ten more letters."""
PICTURE_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps")
"""Endings of a picture's file, by which matplotlib chooses its format."""


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot be written to, before time is spent; leaves nothing behind.

    Raises
    ------
    FileError
        The folder above its folder is missing, it is a folder itself, or there is no permission.
    """
    place = Path(path)
    try:
        if place.is_dir():
            raise FileError(f"{place}: is a folder. Give the path of a file.")
    except OSError as problem:  # no name that a file can have
        raise FileError(f"{place}: cannot be written ({problem.strerror}). Give another path.") from None
    folder = place.parent if place.parent.exists() else place.parent.parent
    if not folder.is_dir():
        raise FileError(f"{place}: there is no folder {place.parent}. Make it, or give another path.")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{place}: cannot be written (no permission in {folder}). Give another path.")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that cannot be made or written to, before time is spent; makes nothing.

    Raises
    ------
    FileError
        A file stands in its place, or there is no permission.
    """
    place = Path(path)
    try:
        there = next(each for each in (place, *place.parents) if each.exists())
    except OSError as problem:  # no name that a folder can have
        raise FileError(f"{place}: cannot be written ({problem.strerror}). Give another folder.") from None
    if not there.is_dir():
        raise FileError(f"{place}: {there} is a file, not a folder. Give another folder.")
    if not os.access(there, os.W_OK):
        raise FileError(f"{place}: cannot be written (no permission in {there}). Give another folder.")


def check_readable(path: str | os.PathLike[str]) -> None:
    """Refuse a file that cannot be read, before time is spent.

    Raises
    ------
    FileError
        It is not there, is a folder, or there is no permission.
    """
    try:
        with Path(path).open("rb"):
            pass
    except OSError as problem:
        raise FileError(
            f"{path}: cannot be read ({problem.strerror or problem}). Check path and permissions."
        ) from None


def check_network_path(path: str | os.PathLike[str]) -> None:
    """Refuse a path that no trained network is to be written to; no slip of the pen then replaces images or a table.

    >>> check_network_path("digits.csv")
    Traceback (most recent call last):
    depthwise.errors.FileError: digits.csv: a trained network is written to a .safetensors file, not to .csv. Write \
digits.safetensors.

    Raises
    ------
    FileError
        It ends in anything but ``.safetensors``, or cannot be written to.
    """
    check_writable(path)
    place = Path(path)
    if place.suffix != SAVED_SUFFIX:
        other = place.suffix or "a file without ending"
        raise FileError(
            f"{place}: a trained network is written to a {SAVED_SUFFIX} file, not to {other}. "
            f"Write {place.with_suffix(SAVED_SUFFIX)}."
        )


def check_picture_path(path: str | os.PathLike[str]) -> None:
    """Refuse a path that tells no format of a picture.

    >>> check_picture_path("designs.foo")
    Traceback (most recent call last):
    depthwise.errors.FileError: designs.foo: a picture is written as .png, .svg, .pdf, .jpg, .jpeg, .webp, .tif, \
.tiff, .eps or .ps, not as .foo. Write designs.png.

    Raises
    ------
    FileError
        It has another ending, or none.
    """
    place = Path(path)
    if place.suffix.lower() in PICTURE_SUFFIXES:
        return
    *endings, last = PICTURE_SUFFIXES
    other = f"as {place.suffix}" if place.suffix else "without ending"
    remedy = f"Write {place.with_suffix(endings[0])}." if place.name else "Give the path of a file."
    raise FileError(f"{place}: a picture is written as {', '.join(endings)} or {last}, not {other}. {remedy}")


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that is either there whole or as it was before.

    Raises
    ------
    FileError
        It cannot be written.
    """
    with whole_file(path) as stream:
        stream.write(content)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream to a file that is there when the block has ended, and as it was before if the block raises.

    It has the rights of the file that it replaces, or those of any new file.

    Raises
    ------
    FileError
        It cannot be written.
    """
    check_writable(path)
    place = Path(path)
    draft = place.parent / f".{place.name[:LONGEST_NAME]}.{secrets.token_hex(4)}"
    try:
        place.parent.mkdir(exist_ok=True)
        try:
            with draft.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if place.exists():
                draft.chmod(stat.S_IMODE(place.stat().st_mode))
            draft.replace(place)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as problem:
        reason = problem.strerror or problem
        raise FileError(f"{place}: cannot be written ({reason}). Give another path.") from None
