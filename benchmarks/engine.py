"""What each part of the engine gains, on the networks of the tutorials: predicting and training, one part at a time.

Ways take turns in one process; a gain is the median of the ratios round by round, beside the plain network.  With one
thread the time is that of the processor (what else runs on the machine counts less), with more it is that of the wall.

    python benchmarks/engine.py --rounds 5 --threads 1
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from machine import describe_machine
from torch import Tensor, nn

from depthwise import BatchNorm, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, Output
from depthwise.graph import Graph
from depthwise.modules import build, initialize_weights
from depthwise.modules.folding import fold
from depthwise.training.device import measured_timing
from depthwise.training.heap import kept_heap

RESULTS = Path(__file__).resolve().parent / "results"
DIGITS, CIFAR = (1, 28, 28), (3, 32, 32)


def padded(channels: int, times: int = 1) -> list[Conv2D]:
    """3x3 convolutions that keep the size."""
    return [Conv2D(channels, padding=1)] * times


HEAD = [Dense(64), Dropout(), Dense(64), Output(10)]
KERAS = [
    layer
    for channels, stride in ((32, 1), (32, 2), (64, 1), (64, 2))
    for layer in (Conv2D(channels, stride=stride, padding="same", activation=None), BatchNorm(), LeakyReLU(0.3))
]
NETWORKS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    # B. Bossan: Training convolutional neural networks with nolearn (2016), its first and its fifth network.
    "nolearn 0": (
        [Conv2D(96, 5), *[Conv2D(96)] * 4, MaxPool2D(), *[Conv2D(128)] * 3, MaxPool2D(), *HEAD], DIGITS,
    ),
    "nolearn 4": ([*padded(32, 7), MaxPool2D(), *padded(64, 3), MaxPool2D(), *HEAD], DIGITS),
    # Convolutional Neural Network Part 2 (blog post, 2020).
    "blog": (
        [*padded(32), *padded(64), MaxPool2D(), *padded(128), *padded(256), MaxPool2D(),
         Conv2D(512), Conv2D(1024), Conv2D(10, activation=None), Flatten()], DIGITS,
    ),
    # Notebook on CIFAR-10 with Keras, its third network.
    "keras": ([*KERAS, Flatten(), Dense(128, None), BatchNorm(), LeakyReLU(0.3), Dropout(), Output(10)], CIFAR),
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """One variant: a step on a batch, and what surrounds it."""

    step: Callable[[], object]
    around: Callable[[], AbstractContextManager[object]] = nullcontext


def made(layers: list[Any], shape: tuple[int, ...], *, gemm: bool) -> nn.Module:
    """A network as an estimator starts it."""
    network = build(Graph.from_layers(layers).at(shape), gemm=gemm)
    initialize_weights(network, "he", seed=0)
    return network.to(memory_format=torch.channels_last)


def images_of(shape: tuple[int, ...], count: int) -> Tensor:
    """Random images."""
    images = torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=torch.channels_last)


def predicting(layers: list[Any], shape: tuple[int, ...], batch: int) -> dict[str, Way]:
    """Ways to predict a batch."""
    plain, gemm = (made(layers, shape, gemm=gemm).eval() for gemm in (False, True))
    images = images_of(shape, batch)
    folded, fused, everything = fold(plain, fuse=False), fold(plain), fold(gemm)
    ways = {
        "plain": Way(lambda: plain(images)),
        "norms folded": Way(lambda: folded(images)),
        "norms folded, activations fused": Way(lambda: fused(images)),
        "kept heap": Way(lambda: plain(images), kept_heap),
    }
    if _differs(plain, gemm):
        ways["matrix product"] = Way(lambda: gemm(images))
    return {**ways, "everything": Way(lambda: everything(images), kept_heap)}


def training(layers: list[Any], shape: tuple[int, ...], batch: int) -> dict[str, Way]:
    """Ways to learn from a batch."""
    plain, gemm = (made(layers, shape, gemm=gemm).train() for gemm in (False, True))
    images, targets = images_of(shape, batch), torch.arange(batch) % 10

    def learn(network: nn.Module) -> Callable[[], None]:
        optimizer = torch.optim.Adam(network.parameters(), fused=True)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(images), targets).backward()
            optimizer.step()

        return step

    first, second = learn(plain), learn(gemm)
    ways = {"plain": Way(first), "kept heap": Way(first, kept_heap)}
    if _differs(plain, gemm):
        ways |= {"matrix product": Way(second), "everything": Way(second, kept_heap)}
    return ways


def _differs(plain: nn.Module, gemm: nn.Module) -> bool:
    return [type(part) for part in plain.modules()] != [type(part) for part in gemm.modules()]


def measure(ways: dict[str, Way], rounds: int, steps: int, batch: int) -> dict[str, Any]:
    """Seconds a batch in every round, images a second, and the gain beside the first way."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with way.around():
                way.step()
                start = clock()
                for _ in range(steps):
                    way.step()
                seconds[name].append((clock() - start) / steps)
    plain = seconds["plain"]
    return {
        name: {
            "seconds_a_batch": times,
            "images_a_second": batch / statistics.median(times),
            "gain": statistics.median(before / now for before, now in zip(plain, times, strict=True)),
        }
        for name, times in seconds.items()
    }


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
    parser.add_argument("--steps", type=int, default=2, help="measured batches a turn, after one that is not")
    parser.add_argument("--batch", type=int, default=128, help="images a batch")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    record: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(asked.threads, probe=str(measured_timing())),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "libc": platform.libc_ver()},
        "rounds": asked.rounds, "steps": asked.steps, "batch": asked.batch, "precision": "float32",
        "networks": {},
    }  # fmt: skip
    for name in asked.networks:
        with torch.inference_mode():
            predicted = measure(predicting(*NETWORKS[name], asked.batch), asked.rounds, asked.steps, asked.batch)
        trained = measure(training(*NETWORKS[name], asked.batch), asked.rounds, asked.steps, asked.batch)
        record["networks"][name] = {"predict": predicted, "train": trained}
        for task, found in record["networks"][name].items():
            for way, entry in found.items():
                rate, gain = entry["images_a_second"], entry["gain"]
                print(f"{name:<10}{task:<8}{way:<34}{rate:9.1f} images/s{gain:7.2f} x", flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"engine_{asked.threads}_threads.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
