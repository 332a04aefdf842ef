"""Compare the network that a race found on MNIST with the best one of the nolearn tutorial, given equal seconds.

The found network is trained anew with three seeds.  001's layers4 (353,738 parameters; "Training convolutional neural
networks", B. Bossan, 2016) gets as many seconds of training a seed, at each of three learning rates, and its best mean
test accuracy counts.  Then it gets as many seconds as the whole search took, at that rate.  Seconds are those of the
processor, one thread each, so that other work on the machine favors nobody.

depthwise search ../shared/data/mnist --params 100k --workers 2 --study race -o best.safetensors
DEPTHWISE_DATA=../shared/data python benchmarks/search_mnist.py best.safetensors --study race
"""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from joblib import Parallel, delayed
from machine import describe_machine
from sklearn.base import clone

from depthwise.data import ImageSet, load_images
from depthwise.layers import Conv2D, Dense, Dropout, MaxPool2D
from depthwise.notation import write_toml
from depthwise.search import Study
from depthwise.training import Callback, NeuralNetClassifier, load

REPO = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("DEPTHWISE_DATA", REPO.parent / "shared" / "data"))
RESULT = REPO / "benchmarks" / "results" / "search_mnist.json"
SEEDS = (0, 1, 2)
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
LONG = 1000
"""Epochs that no training here comes to: seconds end it."""

LAYERS4 = [
    *[Conv2D(32, padding=1)] * 7,
    MaxPool2D(),
    *[Conv2D(64, padding=1)] * 3,
    *[MaxPool2D(), Dense(64), Dropout(), Dense(64), Dense(10, activation=None)],
]


class TimeOver(Callback):
    """Ends training when its seconds are over, in the middle of an epoch too, as Ctrl-C does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = 0

    def on_train_begin(self, net: NeuralNetClassifier) -> None:
        self.end = time.process_time() + self.seconds

    def on_step_end(self, net: NeuralNetClassifier) -> None:
        self.steps += 1
        if time.process_time() >= self.end:
            raise KeyboardInterrupt


def train_found(net: NeuralNetClassifier, epochs: int, seed: int, train: ImageSet, test: ImageSet) -> dict[str, float]:
    """Train the found network anew from a seed, on all training images."""
    torch.set_num_threads(1)
    again = clone(net).set_params(max_epochs=epochs, validation=None, random_state=seed, verbose=0)
    start = time.process_time()
    again.fit(train.X, train.y)
    seconds = time.process_time() - start
    run = {"seed": seed, "seconds": round(seconds, 1), "accuracy": again.score(test.X, test.y)}
    print(f"found: {run}", flush=True)
    return run


def train_layers4(seconds: float, learning_rate: float, seed: int, train: ImageSet, test: ImageSet) -> dict[str, float]:
    """Train layers4 for so many seconds from a seed."""
    torch.set_num_threads(1)
    clock = TimeOver(seconds)
    net = NeuralNetClassifier(
        LAYERS4, max_epochs=LONG, learning_rate=learning_rate, validation=None, random_state=seed,
        callbacks=[clock], verbose=0,
    )  # fmt: skip
    start = time.process_time()
    net.fit(train.X, train.y)
    spent = time.process_time() - start
    epochs = clock.steps * net.batch_size / len(train)
    accuracy = net.score(test.X, test.y)
    run = {"seed": seed, "seconds": round(spent, 1), "epochs": round(epochs, 2), "accuracy": accuracy}
    print(f"layers4, learning rate {learning_rate:g}: {run}", flush=True)
    return run


def measure(network: Path, study: Path, epochs: int | None, workers: int, long: bool) -> dict[str, Any]:
    """Everything that is needed to judge or repeat the comparison."""
    train, test = load_images(DATA / "mnist", split="train"), load_images(DATA / "mnist", split="test")
    net = load(network)
    epochs = epochs or len(net.history_)
    side_by_side = Parallel(n_jobs=workers)
    found = side_by_side(delayed(train_found)(net, epochs, seed, train, test) for seed in SEEDS)
    seconds = mean(run["seconds"] for run in found)
    trials = [(rate, seed) for rate in LEARNING_RATES for seed in SEEDS]
    runs = side_by_side(delayed(train_layers4)(seconds, rate, seed, train, test) for rate, seed in trials)
    rival = {rate: [run for (own, _), run in zip(trials, runs, strict=True) if own == rate] for rate in LEARNING_RATES}
    best_rate = max(rival, key=lambda rate: mean(run["accuracy"] for run in rival[rate]))
    # Each training once, with the seconds up to its last rung; of one job at a time, as the runs here.
    done = sorted(Study(study).results(), key=lambda entry: entry[0])
    spent = {(job.design, job.seed): result.get("seconds", 0.0) for job, result in done}
    record = {
        "benchmark": "search_mnist",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(1, processes=workers, torch=torch.__version__),
        "found": {
            "layers": write_toml(entry.layer for entry in net.layers_),
            "params": net.analysis_.params,
            "macs": net.analysis_.macs,
            "epochs": epochs,
            "runs": found,
            "mean_accuracy": mean(run["accuracy"] for run in found),
        },
        "layers4": {
            "params": 353_738,
            "runs": {f"{rate:g}": runs for rate, runs in rival.items()},
            "best_learning_rate": best_rate,
            "mean_accuracy": mean(run["accuracy"] for run in rival[best_rate]),
        },
        "search_seconds": round(sum(spent.values()), 1),
    }
    if long:
        record["layers4_for_the_whole_search"] = train_layers4(
            record["search_seconds"], best_rate, SEEDS[0], train, test
        )
    return record


def main() -> None:
    """Read the arguments, train, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="what the search saved")
    parser.add_argument("--study", type=Path, required=True, help="its folder")
    parser.add_argument("--epochs", type=int, help="of the found network; those it had in the race without it")
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time, of one thread each")
    parser.add_argument("--short", action="store_true", help="leave out layers4 for as long as the search took")
    given = parser.parse_args()
    record = measure(given.network, given.study, given.epochs, given.workers, not given.short)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    found, rival = record["found"]["mean_accuracy"], record["layers4"]["mean_accuracy"]
    print(f"found {found:.4f}, layers4 {rival:.4f} in equal seconds; written to {RESULT}")


if __name__ == "__main__":
    main()
