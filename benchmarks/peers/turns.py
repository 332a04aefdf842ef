"""A peer's end of the wire: it trains an epoch or predicts when it is asked to, and tells how long that took.

A word comes in (``train``, ``predict``, ``stop``), a line of JSON goes out when that is done; the first epoch comes
unasked.  Only one process works at a time, and every framework runs its own loop: the wait is in its end-of-epoch hook.
Nothing here knows a framework, since each has this file in an environment of its own.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 128
EVALUATION_BATCH = 256
LEARNING_RATE = 1e-4
ENDLESS = 10_000
"""Epochs, of which the wire ends all but the first few."""
SHAPES = {"001 layers0": (1, 28, 28), "001 layers4": (1, 28, 28), "003": (1, 28, 28), "004 take 2": (3, 32, 32)}
CLASSES = 10
CLOCKS = {"wall": "perf_counter", "cpu": "process_time"}
"""Functions of `time`.  The processor's time, of one thread, is what other programs on the machine do not change."""


@dataclass(frozen=True)
class Task:
    """What a peer is to do.

    Attributes
    ----------
    net
        Of :data:`SHAPES`.
    images
        Number of images of one epoch.
    threads
        To compute with.
    tuned
        Whether to take the peer's best settings rather than those it comes with.
    bfloat16
        Whether the processor multiplies bfloat16, which the best settings then use.
    clock
        Of :data:`CLOCKS`.
    """

    net: str
    images: int
    threads: int
    tuned: bool = False
    bfloat16: bool = False
    clock: str = "wall"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random images, channels first, and random labels; the same for every peer."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.images, *SHAPES[self.net]), dtype=np.float32)
        return X, rng.integers(0, CLASSES, self.images)


def read_task() -> Task:
    """Read what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=SHAPES, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return Task(**vars(parser.parse_args()))


class Turns:
    """The wire; its clock starts when it is made, which should be when images and imports are there.

    Parameters
    ----------
    clock
        Of :data:`CLOCKS`.
    packages
        Whose versions are to be told.
    """

    def __init__(self, clock: str, *packages: str) -> None:
        # What a framework prints must not come between the lines.
        self._wire = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.facts: dict[str, Any] = {"versions": {name: version(name) for name in packages}}
        self._word = "train"
        self.now: Callable[[], float] = getattr(time, CLOCKS[clock])
        self._start = self._epoch = self.now()

    def epoch_begins(self) -> None:
        """Note the time."""
        self._epoch = self.now()

    def epoch_ends(self) -> bool:
        """Tell, wait for the next word, and answer whether another epoch is wanted."""
        self._tell(self.now() - self._epoch)
        return self._word == "train"

    def predict(self, call: Callable[[], object]) -> None:
        """Predict all images as often as is asked for."""
        while self._word == "predict":
            start = self.now()
            call()
            self._tell(self.now() - start)

    def _tell(self, seconds: float) -> None:
        line = {"seconds": seconds, "since_start": self.now() - self._start, **memory(), **self.facts}
        print(json.dumps(line), file=self._wire, flush=True)
        self._word = sys.stdin.readline().strip()


def memory() -> dict[str, float | None]:
    """The most memory this program has held and what it holds now, in MiB.

    getrusage counts what the process held before it became this program, the parent's share: Linux tells it apart.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "resident_mib": None}
    sizes = dict(line.split(":") for line in status.read_text().splitlines())
    return {name: int(sizes[key].split()[0]) / 1024 for name, key in (("peak_mib", "VmHWM"), ("resident_mib", "VmRSS"))}
