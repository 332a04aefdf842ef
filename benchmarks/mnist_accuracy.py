"""Train two published networks on MNIST with this library, and write down what came out.

001: the first network of the nolearn tutorial "Training convolutional neural networks" (B. Bossan, 2016), 45,000 images
to train on and 15,000 to validate on; ends at 98.0 % of validation accuracy or after ten epochs.
003: the network of "Convolutional Neural Network Part 2: Neural Architecture" (H. Himanshu, 2020), without the ReLU
behind its last convolution; one epoch on all 60,000 images, accuracy on the 10,000 test images.

DEPTHWISE_DATA=../shared/data python benchmarks/mnist_accuracy.py --net 003
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sklearn
import torch

from depthwise.data import load_images
from depthwise.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D
from depthwise.training import EpochRecord, NeuralNetClassifier

REPO = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("DEPTHWISE_DATA", REPO.parent / "shared" / "data"))
RESULTS = REPO / "benchmarks" / "results"
GOAL = 0.98
"""Validation accuracy of 001: the tutorial reached it in its ninth epoch."""


def tutorial_001() -> NeuralNetClassifier:
    """The network and settings of the nolearn tutorial."""
    first = [Conv2D(96, 5), Conv2D(96), Conv2D(96), Conv2D(96), Conv2D(96), MaxPool2D()]
    second = [Conv2D(128), Conv2D(128), Conv2D(128), MaxPool2D()]
    head = [Dense(64), Dropout(), Dense(64), Dense(10, activation="softmax")]

    def at_goal(net: NeuralNetClassifier, record: EpochRecord) -> bool:
        return (record.valid_accuracy or 0) >= GOAL

    return NeuralNetClassifier(
        [*first, *second, *head],
        max_epochs=10,
        optimizer="adam",
        learning_rate=2e-4,
        l2=0.0025,
        validation=0.25,
        callbacks=[at_goal],
        random_state=0,
    )


def tutorial_003() -> NeuralNetClassifier:
    """The network and settings of the PyTorch tutorial."""
    same = [Conv2D(32, padding=1), Conv2D(64, padding=1), MaxPool2D(), Conv2D(128, padding=1), Conv2D(256, padding=1)]
    valid = [MaxPool2D(), Conv2D(512), Conv2D(1024), Conv2D(10, activation="log_softmax"), Flatten()]
    return NeuralNetClassifier(
        [*same, *valid], max_epochs=1, optimizer="sgd", learning_rate=0.01, validation=None, random_state=0
    )


NETS = {"001": tutorial_001, "003": tutorial_003}


def measure(name: str) -> dict[str, Any]:
    """Train one network; everything that is needed to judge or repeat it."""
    train, test = load_images(DATA / "mnist", split="train"), load_images(DATA / "mnist", split="test")
    net = NETS[name]()
    start = time.perf_counter()
    net.fit(train.X, train.y)
    seconds = time.perf_counter() - start
    settings = {key: value for key, value in net.get_params(deep=False).items() if key not in ("layers", "callbacks")}
    return {
        "benchmark": f"mnist_accuracy, net {name}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "device": str(net.device_),
            "precision": net.precision_,
        },
        "versions": {
            "depthwise": version("depthwise") if _is_installed() else "source",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "layers": [repr(layer) for layer in net.layers],
        "settings": settings,
        "seed": net.seed_,
        "history": net.history_.to_dict(),
        "valid_accuracy": net.history_[-1].valid_accuracy,
        "test_accuracy": net.score(test.X, test.y),
        "fit_seconds": round(seconds, 1),
        "images_per_second": round(sum(_images(net, len(train))) / seconds, 1),
    }


def _images(net: NeuralNetClassifier, n_images: int) -> list[int]:
    """Images trained on in each epoch."""
    return [n_images - round(n_images * (net.validation or 0))] * len(net.history_)


def _is_installed() -> bool:
    try:
        return bool(version("depthwise"))
    except ImportError:
        return False


def main() -> None:
    """Read the arguments, train, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, help="one of the two; both without it")
    wanted = parser.parse_args().net
    for name in [wanted] if wanted else NETS:
        write(name, measure(name))


def write(name: str, record: dict[str, Any]) -> None:
    """Write a record to benchmarks/results and say what came out."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"mnist_accuracy_{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    accuracy = f"valid accuracy {record['valid_accuracy']}, test accuracy {record['test_accuracy']}"
    print(f"{accuracy}, {record['fit_seconds']} s; written to {path}", file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
