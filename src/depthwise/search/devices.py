"""One process an accelerator, where there are several."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def own_device(device: Any) -> Iterator[Any]:
    """A device that no other job of this machine has, as long as there are enough of them.

    Parameters
    ----------
    device
        As of the estimator; only ``"auto"`` is replaced, and only where there are several CUDA devices.
    """
    count = torch.cuda.device_count()
    if device != "auto" or count < 2:
        yield device
        return
    import fcntl  # CUDA machines without it (Windows) name their device

    for index in range(count):
        with ExitStack() as lock:  # it goes with the file, also when the process dies
            try:
                file = lock.enter_context(_lock_file(index).open("a"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another job's, or another user's
                continue
            yield f"cuda:{index}"
            return
    yield f"cuda:{os.getpid() % count}"


def _lock_file(index: int) -> Path:
    """A file of a device, whatever number it goes by in this process."""
    name = getattr(torch.cuda.get_device_properties(index), "uuid", index)
    return Path(tempfile.gettempdir(), f"depthwise-cuda-{name}.lock")
