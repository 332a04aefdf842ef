"""Occlusion maps of 28x28 images, beside captum's at its default and at its best setting.

The first network of the nolearn tutorial "Training convolutional neural networks" (B. Bossan, 2016), a square of 7
pixels.  Ours covers 784 places, one around each pixel; captum the 484 that lie within the image.  All in one process,
in turns.  captum's best setting is the fastest of some batch sizes, tried first.  With one thread the time is that of
the processor (what else runs on the machine counts less), with more it is that of the wall.

    python benchmarks/occlusion.py --rounds 5 --threads 1
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from machine import describe_machine
from torch import Tensor, nn

from depthwise import Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.graph import Graph
from depthwise.inspection import occlude
from depthwise.modules import build
from depthwise.training.device import choose_precision

RESULTS = Path(__file__).resolve().parent / "results"
SQUARE = 7
BATCHES = (4, 16, 64, 121, 242)
"""Windows that captum computes at once, of which the fastest is its best setting."""
AUTOMATIC = choose_precision("auto", torch.device("cpu"))


def tutorial_001() -> nn.Module:
    """The network of the tutorial, as an estimator keeps it."""
    first = [Conv2D(96, 5), Conv2D(96), Conv2D(96), Conv2D(96), Conv2D(96), MaxPool2D()]
    second = [Conv2D(128), Conv2D(128), Conv2D(128), MaxPool2D()]
    layers = [*first, *second, Dense(64), Dropout(), Dense(64), Output(10)]
    return build(Graph.from_layers(layers).at((1, 28, 28))).to(memory_format=torch.channels_last).eval()


def by_captum(net: nn.Module, images: Tensor, batch: int) -> None:
    """Map by captum of the predicted class."""
    from captum.attr import Occlusion

    target = net(images).argmax(1)
    Occlusion(net).attribute(images, (1, SQUARE, SQUARE), target=target, perturbations_per_eval=batch)


def seconds(call: Callable[[], object]) -> float:
    """Time of one call."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
    return clock() - start


def measure(rounds: int) -> dict[str, Any]:
    """Seconds an image of each way, in turns."""
    net, image = tutorial_001(), torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    tried = {batch: seconds(lambda batch=batch: by_captum(net, image, batch)) for batch in BATCHES}
    best = min(tried, key=lambda batch: tried[batch])
    ways: dict[str, Callable[[], object]] = {
        "depthwise float32": lambda: occlude(net, image, square=SQUARE),
        "captum default": lambda: by_captum(net, image, 1),
        "captum best": lambda: by_captum(net, image, best),
    }
    if AUTOMATIC != "float32":
        ways[f"depthwise {AUTOMATIC}"] = lambda: occlude(net, image, square=SQUARE, precision=AUTOMATIC)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for name, way in ways.items():
        way() if name.startswith("depthwise") else None
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    return {"captum_best_batch": best, "seconds_an_image": times}


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="images of each way")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    record: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(arguments.threads, precision_of_auto=AUTOMATIC),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("torch", "captum")}},
        "rounds": arguments.rounds,
        "places": {"depthwise": 28 * 28, "captum": (28 - SQUARE + 1) ** 2},
        **measure(arguments.rounds),
    }  # fmt: skip
    medians = {name: statistics.median(times) for name, times in record["seconds_an_image"].items()}
    record["images_a_second"] = {name: 1 / median for name, median in medians.items()}
    record["times_faster"] = {
        name: {other: medians[other] / medians[name] for other in ("captum default", "captum best")}
        for name in medians
        if name.startswith("depthwise")
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "occlusion.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for name, rate in record["images_a_second"].items():
        print(f"{name:<20}{rate:8.3f} images/s")
    for name, others in record["times_faster"].items():
        print(f"{name}: " + ", ".join(f"{factor:.2f} x {other}" for other, factor in others.items()))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
