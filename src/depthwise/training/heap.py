"""Memory that training frees and takes again at once, kept instead of handed back to the system each time.

glibc maps every large block afresh and unmaps it when it is freed; the system then clears each page of the next one.
For the maps of a network that is thousands of page faults a step; benchmarks/engine.py tells what they cost.
"""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# Names and numbers of /usr/include/malloc.h.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4

MIB = 1 << 20
KEEPING = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 * MIB))
"""No block is mapped on its own, nothing is handed back, and the heap grows in large steps."""
AFTERWARDS = (
    (M_MMAP_MAX, 65536),  # glibc's default
    # Thresholds that glibc's own rule reaches after a few large blocks and keeps (mallopt(3), "dynamic mmap
    # threshold"); setting any switches that rule off, and its first values would be too small for large arrays.
    (M_MMAP_THRESHOLD, 32 * MIB),
    (M_TRIM_THRESHOLD, 64 * MIB),
    (M_TOP_PAD, 128 << 10),  # glibc's default
)


class _Heap:
    """The heap of the process, and how many are asking for it to be kept."""

    def __init__(self, libc: Any) -> None:
        self.libc = libc
        self.lock = threading.Lock()
        self.users = 0

    def enter(self) -> None:
        with self.lock:
            self.users += 1
            if self.users == 1:
                self._set(KEEPING)

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._set(AFTERWARDS)
                if self.libc is not None:
                    self.libc.malloc_trim(0)

    def _set(self, options: tuple[tuple[int, int], ...]) -> None:
        if self.libc is not None:
            for name, value in options:
                self.libc.mallopt(name, value)


@contextmanager
def kept_heap(keep: bool = True) -> Iterator[None]:
    """Let the process keep the memory that it frees, until the last of all who asked for it is done.

    Any number of threads may be inside at once, and it may be nested.  Afterwards free memory is handed back.  It
    works with glibc alone; elsewhere it does nothing.

    Parameters
    ----------
    keep
        Whether to do so at all.

    Examples
    --------
    >>> with kept_heap():
    ...     total = sum(range(10))
    """
    if not keep:
        yield
        return
    heap = _heap()
    heap.enter()
    try:
        yield
    finally:
        heap.leave()


@cache
def _heap() -> _Heap:
    return _Heap(_find_glibc())


def _find_glibc() -> Any:
    """The C library of the process, if it is glibc."""
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim  # noqa: B018  # looked up, or AttributeError
    except (OSError, AttributeError, TypeError):
        return None
    libc.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
    libc.malloc_trim.argtypes = [ctypes.c_size_t]
    return libc
