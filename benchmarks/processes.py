"""What several processes gain, on the networks of the tutorials: images a second of `fit`, start and end left out.

Ways take turns: one process with one thread, two processes with one thread each, one process with two threads.  Of each
turn the first epoch is not counted; the record holds the median and the fastest of the others.

    python benchmarks/processes.py --rounds 3 --images 1024
"""

import argparse
import json
import statistics
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine import NETWORKS
from machine import describe_machine

from depthwise import NeuralNetClassifier

RESULTS = Path(__file__).resolve().parent / "results"
WAYS = {"1 process x 1 thread": (1, 1), "2 processes x 1 thread": (2, 1), "1 process x 2 threads": (1, 2)}


def seconds(layers: list[Any], shape: tuple[int, ...], way: tuple[int, int], images: int, epochs: int) -> list[float]:
    """Time of each epoch but the first."""
    processes, threads = way
    torch.set_num_threads(processes * threads)  # shared among them
    random = np.random.default_rng(0)
    X, y = random.integers(0, 256, (images, *shape), np.uint8), np.arange(images) % 10
    net = NeuralNetClassifier(
        layers, max_epochs=epochs + 1, batch_size=128, validation=None, processes=processes, random_state=0, verbose=0
    )
    return list(net.fit(X, y).history_["seconds"][1:])


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way")
    parser.add_argument("--images", type=int, default=1024, help="of each epoch")
    parser.add_argument("--epochs", type=int, default=3, help="counted in each turn")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    machine = describe_machine()
    for name in asked.networks:
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(asked.rounds):
            for way, how in WAYS.items():
                times[way] += seconds(*NETWORKS[name], how, asked.images, asked.epochs)
        figures[name] = {
            way: {word: round(asked.images / choose(each), 1) for word, choose in CHOICES.items()}
            for way, each in times.items()
        }
        alone = figures[name]["1 process x 1 thread"]
        for way, each in figures[name].items():
            gain = f"{each['median'] / alone['median']:.2f} ({each['fastest'] / alone['fastest']:.2f})"
            print(f"{name:<12}{way:<26}{each['median']:>10.1f} images/s{gain:>16}")
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": {"torch": version("torch")},
        "arguments": vars(asked),
        "images_a_second": figures,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "processes.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written to {RESULTS / 'processes.json'}")


CHOICES = {"median": statistics.median, "fastest": min}

if __name__ == "__main__":
    main()
