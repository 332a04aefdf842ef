"""What a network takes on a device: seconds of an answer and of a step of learning, and the most memory at one time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor, nn

from depthwise.graph import SizedGraph
from depthwise.modules import build
from depthwise.training.batches import Batch, channels_last
from depthwise.training.loop import Objective, Step, predict_outputs, train_epoch
from depthwise.training.losses import CLASSIFICATION_LOSSES, choose_loss
from depthwise.training.optimizers import make_optimizer
from depthwise.training.randomness import own_randomness, seed_noise

WARM_UP = 2
"""Steps that are not timed: kernels are chosen in the first one, the optimizer's state is made at its end."""
QUIET = "6"
"""Level at which PyTorch's profiler no longer writes to the terminal that it started and stopped."""
LOG_LEVEL = "KINETO_LOG_LEVEL"


class Bench(NamedTuple):
    """What a network is measured on.

    Attributes
    ----------
    device, precision
        As the estimator chooses them.
    batch_size
        Images of a step.
    steps
        Number of steps; their median counts.
    clock
        Tells seconds.
    """

    device: torch.device
    precision: str
    batch_size: int
    steps: int
    clock: Callable[[], float]


class Trial:
    """A new network with an optimizer, and one batch of noise that it answers for and learns from."""

    def __init__(self, graph: SizedGraph, bench: Bench) -> None:
        seed_noise(0, bench.device)
        self.bench = bench
        module: nn.Module = build(graph).to(bench.device)
        self.module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.step = Step(make_optimizer("adam", self.module, learning_rate=1e-3, momentum=0.0, weight_decay=0.0))
        images: Tensor = torch.rand(bench.batch_size, *(side or 1 for side in graph.input_shape), device=bench.device)
        targets = torch.arange(bench.batch_size, device=bench.device) % (graph.output_shape[0] or 1)
        self.batch = Batch(channels_last(images), targets)
        self.objective = Objective(choose_loss(None, CLASSIFICATION_LOSSES), bench.precision)

    def learn(self) -> None:
        """One step of training; it ends when the loss is known, so also on devices that work ahead."""
        train_epoch(self.module, [self.batch], self.objective, self.step)

    def answer(self) -> None:
        """The outputs of a batch, on the processor."""
        predict_outputs(self.module, [self.batch], self.bench.precision)


def measure_seconds(graph: SizedGraph, bench: Bench) -> tuple[float, float]:
    """Median seconds of an answer, and of a step of training, for one batch."""
    with own_randomness(bench.device):
        trial = Trial(graph, bench)
        return _time(trial.answer, bench), _time(trial.learn, bench)


def _time(work: Callable[[], None], bench: Bench) -> float:
    for _ in range(WARM_UP):
        work()
    seconds = []
    for _ in range(bench.steps):
        start = bench.clock()
        work()
        seconds.append(bench.clock() - start)
    return median(seconds)


def measure_peak(graph: SizedGraph, bench: Bench) -> int:
    """Most bytes at one time: weights, gradients, the optimizer's state, the batch, maps, and what kernels work in.

    Counted by PyTorch's allocators, from nothing on; what the libraries of a device take for themselves is left out.
    """
    with own_randomness(bench.device):
        return _peak_on_cuda(graph, bench) if bench.device.type == "cuda" else _peak_on_processor(graph, bench)


def _learn(graph: SizedGraph, bench: Bench) -> None:
    trial = Trial(graph, bench)
    for _ in range(WARM_UP):  # the optimizer's state exists from the end of the first step on
        trial.learn()


def _peak_on_cuda(graph: SizedGraph, bench: Bench) -> int:
    before = torch.cuda.memory_allocated(bench.device)
    torch.cuda.reset_peak_memory_stats(bench.device)
    _learn(graph, bench)
    return torch.cuda.max_memory_allocated(bench.device) - before


def _peak_on_processor(graph: SizedGraph, bench: Bench) -> int:
    from torch.profiler import ProfilerActivity, profile

    with TemporaryDirectory() as folder, _quiet():
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
            _learn(graph, bench)
        trace = Path(folder) / "trace.json"
        watched.export_chrome_trace(str(trace))
        events = json.loads(trace.read_bytes())["traceEvents"]
    return max(event["args"]["Total Allocated"] for event in events if event.get("name") == "[memory]")


@contextmanager
def _quiet() -> Iterator[None]:
    before = os.environ.get(LOG_LEVEL)
    os.environ.setdefault(LOG_LEVEL, QUIET)
    try:
        yield
    finally:
        if before is None:
            del os.environ[LOG_LEVEL]
