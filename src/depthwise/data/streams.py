"""Bytes of files that may be gzipped, taken as they come and never as a header announces them."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from depthwise.errors import DataError

_PIECE = 1 << 20  # bytes


@contextmanager
def opened(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if they are gzipped.

    Raises
    ------
    DataError
        The file cannot be read, or what is read of it inside the ``with`` is damaged.
    """
    try:
        # By content: browsers unpack a .gz on the way and leave its name.
        with Path(path).open("rb") as probe:
            gzipped = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else Path(path).open("rb") as stream:
            yield cast(BinaryIO, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip stream is damaged ({error}). Fetch the file again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check path and permissions.") from error


def read_pieces(stream: BinaryIO, n_bytes: int) -> bytearray:
    """At most one byte more than `n_bytes`, so that the caller can tell fewer and more from all.

    Memory is taken for the bytes that are there: a damaged header may announce any number.
    """
    body = bytearray()
    while piece := stream.read(min(_PIECE, n_bytes + 1 - len(body))):
        body += piece
    return body
