"""Train published networks, and one of ours, and write down what came out.

001: the first network of the nolearn tutorial "Training convolutional neural networks" (B. Bossan, 2016), 45,000 images
to train on and 15,000 to validate on; ends at 98.0 % of validation accuracy or after ten epochs.
003: the network of "Convolutional Neural Network Part 2: Neural Architecture" (H. Himanshu, 2020), without the ReLU
behind its last convolution; one epoch on all 60,000 images, accuracy on the 10,000 test images.
004: take 2 of the notebook "Convolution" of a Keras series (2020) on CIFAR-10: 10 epochs of batches of 32, 5 of 256 and
5 of 1024.
deep: a network of ours on CIFAR-10, with augmentation, in twenty epochs.

DEPTHWISE_DATA=../shared/data python benchmarks/accuracy.py --net 003
"""

import argparse
import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sklearn
import torch
from machine import describe_machine

import depthwise as dw
from depthwise.data import ImageSet
from depthwise.data.augmentation import RandomCrop, RandomFlip
from depthwise.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPool2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Output,
)
from depthwise.training import EpochRecord, NeuralNetClassifier

REPO = Path(__file__).resolve().parents[1]
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


def tutorial_004() -> NeuralNetClassifier:
    """Take 2 of the Keras notebook, and its batch sizes."""

    def block(channels: int, stride: int) -> list[Any]:
        return [Conv2D(channels, stride=stride, padding="same", activation=None), BatchNorm(), LeakyReLU(0.3)]

    maps = [layer for channels, stride in ((32, 1), (32, 2), (64, 1), (64, 2)) for layer in block(channels, stride)]
    head = [Dense(128, activation=None), BatchNorm(), LeakyReLU(0.3), Dropout(), Output()]
    return NeuralNetClassifier(
        [*maps, *head],
        batch_size=[(10, 32), (5, 256), (5, 1024)],
        optimizer="adam",
        learning_rate=5e-4,
        validation=None,
        random_state=0,
    )


def deep() -> NeuralNetClassifier:
    """Six convolutions, each second one in front of a pool, whose norm and activation then see a quarter of the map."""

    def conv(channels: int) -> list[Layer]:
        return [Conv2D(channels, padding="same", norm="batch", bias=False)]

    def shrink(channels: int) -> list[Layer]:
        conv = Conv2D(channels, padding="same", activation=None, bias=False)
        return [conv, MaxPool2D(), BatchNorm(), Activation("relu")]

    stages = [*shrink(32), *conv(64), *shrink(128), *conv(128), *shrink(256), *conv(256)]
    layers = [*stages, GlobalMaxPool2D(), Output()]
    return NeuralNetClassifier(
        layers,
        max_epochs=20,
        batch_size=128,
        optimizer="nesterov",
        learning_rate=0.1,
        schedule="one_cycle",
        weight_decay=5e-4,
        label_smoothing=0.1,
        augment=[RandomFlip(), RandomCrop(2)],
        validation=None,
        random_state=0,
    )


NETS = {"001": tutorial_001, "003": tutorial_003, "004": tutorial_004, "deep": deep}
DATA = {"001": dw.datasets.mnist, "003": dw.datasets.mnist, "004": dw.datasets.cifar10, "deep": dw.datasets.cifar10}


def measure(name: str, resume: Path | None) -> dict[str, Any]:
    """Train one network, or go on with it; everything that is needed to judge or repeat it."""
    train: ImageSet = DATA[name]("train")
    test: ImageSet = DATA[name]("test")
    net = NETS[name]()
    net.fit(train.X, train.y, resume=resume and resume / name)
    seconds = sum(record.seconds for record in net.history_)
    params = net.get_params(deep=False)
    settings = {
        key: value if isinstance(value, (int, float, str, list, type(None))) and key != "augment" else repr(value)
        for key, value in params.items()
        if key not in ("layers", "callbacks")
    }
    return {
        "benchmark": f"accuracy, net {name}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(
            torch.get_num_threads(),
            instructions=torch.backends.cpu.get_cpu_capability(),
            device=str(net.device_),
            precision=net.precision_,
        ),
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
    parser.add_argument("--net", choices=NETS, help="one of them; all without it")
    parser.add_argument("--resume", type=Path, help="folder to keep the state in, and to go on from")
    arguments = parser.parse_args()
    for name in [arguments.net] if arguments.net else NETS:
        write(name, measure(name, arguments.resume))


def write(name: str, record: dict[str, Any]) -> None:
    """Write a record to benchmarks/results and say what came out."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"accuracy_{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    accuracy = f"valid accuracy {record['valid_accuracy']}, test accuracy {record['test_accuracy']}"
    print(f"{accuracy}, {record['fit_seconds']} s; written to {path}", file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
