"""What measuring costs: fits with and without it, in turn, on networks of the tutorials, in seconds of the processor.

``python benchmarks/health.py`` prints the medians, and the share of an epoch that measuring takes.  The fits are short
(3 epochs of 1,438 images in 12 steps), so that what happens once a fit counts for more than it usually does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from machine import describe_machine
from sklearn.datasets import load_digits

from depthwise.layers import Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.training import NeuralNetClassifier, fitting, health
from depthwise.training.health import HealthRecorder
from depthwise.training.progress import TrainingProgress
from depthwise.training.rescue import Rescue

HEAD = [Dense(64), Dropout(), Dense(64), Output()]
NETWORKS = {
    "nolearn net 1": [
        *[Conv2D(32), MaxPool2D(), Conv2D(64), Conv2D(64), MaxPool2D(), Conv2D(96), MaxPool2D()],
        *HEAD,
    ],
    "nolearn net 3": [
        *[Conv2D(32, padding=1), Conv2D(32, padding=1), MaxPool2D()] * 2,
        *[Conv2D(64, padding=1), Conv2D(64, padding=1), MaxPool2D()] * 2,
        *HEAD,
    ],
    "dense": [Dense(200), Dense(150), Output()],
}
SWITCHED_OFF = [
    (HealthRecorder, "on_gradients"), (HealthRecorder, "on_step_end"), (HealthRecorder, "look"),
    (HealthRecorder, "end_epoch"), (HealthRecorder, "record"), (health, "measure_data"),
    (Rescue, "begin_epoch"), (Rescue, "demand_finite"), (Rescue, "end_epoch"),
    (fitting, "check_training"), (TrainingProgress, "verdict"),
]  # fmt: skip
EPOCHS = 3
RESULTS = Path(__file__).parent / "results" / "health.json"


def main() -> None:
    """Time pairs of fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1797)
    parser.add_argument("--pairs", type=int, default=10)
    options = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X = np.kron(X.reshape(-1, 1, 8, 8).astype(np.uint8), np.ones((3, 3), np.uint8))
    X = np.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2)))[: options.images]
    networks = {name: _compare(layers, X, y[: options.images], options.pairs) for name, layers in NETWORKS.items()}
    figures: dict[str, Any] = {
        "machine": describe_machine(torch.get_num_threads()),
        "torch": str(torch.__version__),
        "images": len(X),
        "pairs": options.pairs,
        "networks": networks,
    }
    print(json.dumps(figures, indent=2))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


def _compare(layers: list[Any], X: Any, y: Any, pairs: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"plain": [], "measured": []}
    for turn in range(pairs + 1):
        for name in sorted(seconds, reverse=bool(turn % 2)):
            net = NeuralNetClassifier(layers, max_epochs=EPOCHS, random_state=0, verbose=0)
            with nullcontext() if name == "measured" else _nothing_measured():
                start = process_time()
                net.fit(X, y)
                if turn:  # the first fit loads what all need
                    seconds[name].append((process_time() - start) / EPOCHS)
    shares = [more / less - 1 for more, less in zip(seconds["measured"], seconds["plain"], strict=True)]
    medians = {f"{name}_seconds_an_epoch": round(median(times), 4) for name, times in seconds.items()}
    return {**medians, "share": round(median(shares), 4)}


@contextmanager
def _nothing_measured() -> Iterator[None]:
    """Training without all that health needs, the copies for going back included."""
    with ExitStack() as stack:
        for owner, name in SWITCHED_OFF:
            stack.enter_context(patch.object(owner, name, lambda *arguments: None))
        yield


if __name__ == "__main__":
    main()
