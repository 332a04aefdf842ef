"""What the augmentation of a batch costs, in microseconds an image, operation by operation.

Batches as the training loop makes them, float32 in channels-last layout, and in the usual one; all operations in turns,
in one process.  The record holds the median and the fastest of the rounds: the latter is steady on a busy machine.

    python benchmarks/augmentation.py --rounds 150 --threads 1
"""

import argparse
import json
import platform
import statistics
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from machine import describe_machine
from torch import Tensor

from depthwise.data.augmentation import (
    ColorJitter,
    CutMix,
    MixUp,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    as_augmentation,
)

RESULTS = Path(__file__).resolve().parent / "results"
BATCHES = {"128 of 3x32x32": (128, 3, 32, 32), "128 of 1x28x28": (128, 1, 28, 28), "32 of 3x224x224": (32, 3, 224, 224)}
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
OPERATIONS: dict[str, Any] = {
    "RandomFlip": RandomFlip(),
    "RandomCrop reflect": RandomCrop(),
    "RandomCrop value": RandomCrop(fill=0),
    "RandomAffine": RandomAffine(degrees=15, translate=0.1, scale=0.1, shear=10),
    "ColorJitter": ColorJitter(),
    "RandomErasing": RandomErasing(),
    "MixUp": MixUp(),
    "CutMix": CutMix(),
    "flip and crop": [RandomFlip(), RandomCrop()],
}


def seconds(operation: Any, images: Tensor) -> float:
    """Time of one batch."""
    augmentation = as_augmentation(operation)
    start = time.perf_counter()
    augmentation(images)
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Microseconds an image: batch -> layout -> operation -> median and fastest."""
    record: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for batch, shape in BATCHES.items():
        for layout, memory_format in LAYOUTS.items():
            images = (torch.rand(shape) * 255).contiguous(memory_format=memory_format)
            times: dict[str, list[float]] = {name: [] for name in OPERATIONS}
            for _ in range(rounds + 1):
                for name, operation in OPERATIONS.items():
                    times[name].append(seconds(operation, images))
            record.setdefault(batch, {})[layout] = {
                name: {
                    word: round(1e6 * choose(each[1:]) / len(images), 2)
                    for word, choose in (("median", statistics.median), ("fastest", min))
                }
                for name, each in times.items()
            }
    return record


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=150, help="batches of each operation")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    machine = describe_machine(arguments.threads)
    figures = measure(arguments.rounds)
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": {"python": platform.python_version(), "torch": version("torch")},
        "rounds": arguments.rounds,
        "microseconds_an_image": figures,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "augmentation.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for batch, layouts in figures.items():
        print(f"{batch + ', median (fastest)':<36}" + "".join(f"{layout:>20}" for layout in layouts))
        for name in OPERATIONS:
            cells = (f"{each[name]['median']:.1f} ({each[name]['fastest']:.1f})" for each in layouts.values())
            print(f"  {name:<34}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
