"""Do the rules help?  Train networks that keep them and networks that break them, at equal work; keep the curves.

The networks are those of ``dw.design``: stages of padded 3x3 convolutions with batch norm and ReLU, 2x2 max pools that
double the channels, global average pooling.  They differ in where the pools stand; the first width is then chosen so
that all of them do the same number of multiply-accumulates.  Within a depth, only the place of the pools differs.

One file a finished run (data set, network, seed), written whole: the same command goes on where it was stopped.
``benchmarks/evidence_tables.py`` reads them.

DEPTHWISE_DATA=../shared/data OMP_NUM_THREADS=1 python benchmarks/evidence.py --workers 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise import analyze
from depthwise.data import load_images
from depthwise.files import write_whole
from depthwise.layers import Conv2D, GlobalAvgPool2D, Layer, MaxPool2D, Output

DATA = Path(os.environ.get("DEPTHWISE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
RUNS = Path(tempfile.gettempdir()) / "depthwise_evidence"
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
SKELETONS = {
    "mnist": {
        6: ("6", "1-4-1", "3-1-2", "1-2-3", "1-1-2-2"),
        8: ("8", "3-5", "5-2-1", "3-3-2", "2-2-2-2", "1-1-2-4"),
        10: ("10", "7-3", "5-3-2", "1-9", "2-2-3-3"),
        12: ("12", "11-1", "8-4", "10-1-1", "6-4-2", "2-10", "5-5-2", "1-11"),
    },
    "cifar10": {
        6: ("6", "2-2-2", "1-3-2", "1-2-3", "1-1-2-2"),
        8: ("8", "5-2-1", "2-6", "3-4-1", "2-2-2-2", "1-1-2-4"),
        10: ("10", "7-2-1", "5-3-2", "1-9", "2-2-3-3"),
        12: ("12", "10-2", "8-4", "10-1-1", "6-4-2", "2-10", "5-5-2", "1-11"),
    },
}
"""Convolutions by resolution, by depth: within the rules, short-sighted, beyond the image, below the least capacity.
Of ten and twelve convolutions there are pairs that see equally much, one above and one below it: 5-3-2 and 1-9, 8-4 and
10-1-1, 6-4-2 and 2-10, 5-5-2 and 1-11."""

MACS = {"mnist": 2_000_000, "cifar10": 2_600_000}
"""Work of every network, for one image: about as much a pixel."""
MOST_OFF = 0.1
"""Share by which a network's work may differ."""
SEEDS = (0, 1, 2)
N_CLASSES = 10
TRAIN, TEST = 1600, 1500
POOL = 10_000
"""Images of which each seed draws its training images, as many of each class."""
SETTINGS = {"max_epochs": 9, "batch_size": 64, "optimizer": "adam", "learning_rate": 4e-3, "precision": "float32"}
DROP_AFTER, DROP = 6, 0.2
"""The last epochs are learned at a smaller rate: the accuracy of the last one depends less on chance."""


@dataclass(frozen=True)
class Job:
    """One network on one data set with one seed."""

    data: str
    skeleton: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.data}_{self.skeleton}_{self.seed}.json"


def all_jobs() -> list[Job]:
    """Seed by seed, so that what is there at any time is balanced."""
    return [
        Job(data, skeleton, seed)
        for seed in SEEDS
        for data, depths in SKELETONS.items()
        for skeletons in depths.values()
        for skeleton in skeletons
    ]


def widths(stages: tuple[int, ...], first: float) -> list[list[int]]:
    """Channels of each convolution; a width between two whole numbers is met by the mean of its stage."""
    return [
        [int(first * 2**stage + (place + 0.5) / convs) for place in range(convs)] for stage, convs in enumerate(stages)
    ]


def network(stages: tuple[int, ...], first: float) -> list[Layer]:
    """The layer list of a skeleton."""
    layers: list[Layer] = []
    for stage in widths(stages, first):
        layers += [MaxPool2D()] * bool(layers)
        layers += [Conv2D(width, padding="same", norm="batch") for width in stage]
    return [*layers, GlobalAvgPool2D(), Output(N_CLASSES)]


@cache
def fitted(data: str, skeleton: str) -> tuple[Layer, ...]:
    """The network of a skeleton whose work is nearest to that of all others."""
    stages = tuple(map(int, skeleton.split("-")))
    low, high = 2.0, 32.0
    while high - low > 0.02:
        middle = (low + high) / 2
        more = analyze(network(stages, middle), SHAPES[data]).macs > MACS[data]
        low, high = (low, middle) if more else (middle, high)
    best = min((network(stages, first) for first in (low, high)), key=lambda layers: _off(data, layers))
    assert _off(data, best) <= MOST_OFF, skeleton
    return tuple(best)


def _off(data: str, layers: list[Layer]) -> float:
    return abs(analyze(layers, SHAPES[data]).macs / MACS[data] - 1)


def facts(layers: tuple[Layer, ...], shape: tuple[int, int, int]) -> dict[str, object]:
    """What the analysis says of a network."""
    analysis = analyze(list(layers), shape)
    filters = [row for row in analysis.layers if row.kind == "conv2d"]
    return {
        "depth": len(filters),
        "params": analysis.params,
        "macs": analysis.macs,
        "capacity": min(side for row in filters for side in row.capacity or ()),
        "coverage": max(filters[-1].coverage or ()),
        "widths": [layer.out_channels for layer in layers if isinstance(layer, Conv2D)],
    }


@cache
def images(data: str, split: str) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Images and labels: of the training part, the first ones of every class; of the test part, as many as are used."""
    most = (POOL if split == "train" else TEST) // N_CLASSES
    found = load_images(DATA / data, split=split)
    y = np.asarray(found.y)
    chosen = np.concatenate([np.flatnonzero(y == label)[:most] for label in np.unique(y)])
    return found.X[chosen], y[chosen]


def drawn(data: str, seed: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Training images of a seed, as many of each class, the same for all networks."""
    X, y = images(data, "train")
    generator = np.random.default_rng(seed)
    share = TRAIN // N_CLASSES
    chosen = [generator.choice(np.flatnonzero(y == label), share, replace=False) for label in np.unique(y)]
    places = np.concatenate(chosen)
    return X[places], y[places]


def slow_down(net: Any, record: Any) -> None:
    """Learn on at a smaller rate."""
    if record.epoch == DROP_AFTER:
        for group in net.optimizer_.param_groups:
            group["lr"] *= DROP


def train(job: Job, epochs: int | None = None) -> dict[str, object]:
    """One run: what the network is, and its curves."""
    import torch

    from depthwise.training import NeuralNetClassifier

    torch.set_num_threads(1)
    layers = fitted(job.data, job.skeleton)
    settings = {**SETTINGS, **({"max_epochs": epochs} if epochs else {})}
    net = NeuralNetClassifier(
        list(layers),
        validation=images(job.data, "test"),
        callbacks=[slow_down],
        random_state=job.seed,
        verbose=0,
        **settings,
    )
    X, y = drawn(job.data, job.seed)
    start, spent = time.perf_counter(), time.process_time()
    net.fit(X, y)
    return {
        "data": job.data,
        "skeleton": job.skeleton,
        "seed": job.seed,
        **facts(layers, SHAPES[job.data]),
        "accuracy": [record.valid_accuracy for record in net.history_],
        "valid_loss": [record.valid_loss for record in net.history_],
        "train_loss": [record.train_loss for record in net.history_],
        "seconds": round(time.perf_counter() - start, 2),
        "processor_seconds": round(time.process_time() - spent, 2),
        "settings": {
            **settings,
            "train": TRAIN,
            "test": TEST,
            "drop_after": DROP_AFTER,
            "drop": DROP,
            "torch": torch.__version__,
        },
    }


def work(job: Job, folder: Path) -> str:
    """Train, and write the file."""
    record = train(job)
    write_whole(folder / job.name, (json.dumps(record) + "\n").encode())
    accuracy = record["accuracy"]
    assert isinstance(accuracy, list)
    return f"{job.name}: {accuracy[0]:.3f} -> {accuracy[-1]:.3f}, {record['seconds']} s"


def main() -> None:
    """Train what has no file yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=RUNS, help=f"where the files go; {RUNS} by default")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    jobs = [job for job in all_jobs() if not (wanted.folder / job.name).exists()]
    print(f"{platform.machine()}, {os.cpu_count()} cores: {len(jobs)} of {len(all_jobs())} runs to do", flush=True)
    with ProcessPoolExecutor(wanted.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, job, wanted.folder) for job in jobs]):
            print(done.result(), flush=True)


if __name__ == "__main__":
    main()
