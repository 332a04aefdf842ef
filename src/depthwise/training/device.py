"""Where to compute, and in which precision."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from depthwise.errors import TrainingError

BF16_CAPABILITY = (8, 0)
"""Compute capability from which NVIDIA's processors multiply bfloat16 natively (Ampere; CUDA C++ Programming Guide)."""

WORTHWHILE_GAIN = 1.2
"""How much faster bfloat16 must be: below, its digits are worth more than its speed."""
PROBE_SECONDS = 0.05
"""After which no further round of the probe begins."""
PROBE_ROUNDS = 5
EMULATED = 5
"""So many times slower than float32 is bfloat16 by emulation alone, not by a disturbance; no second round then."""

PRECISIONS = ("auto", "float32", "bfloat16")


def choose_device(device: str | torch.device) -> torch.device:
    """The device to compute on: ``"auto"`` is the first CUDA device, else the processor.

    Raises
    ------
    TrainingError
        PyTorch knows no such device, or it is not there.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as problem:
        reason = str(problem).splitlines()[0]
        raise TrainingError(f"device is {device!r}, which cannot be used ({reason}). Write device='auto'.") from None
    return chosen


def choose_precision(precision: str, device: torch.device) -> str:
    """``"bfloat16"`` or ``"float32"``; ``"auto"`` takes bfloat16 where it is faster.

    On a processor both are tried (:func:`measured_timing`); a graphics processor is known by its compute capability.

    Raises
    ------
    TrainingError
        The precision is unknown.
    """
    if precision not in PRECISIONS:
        raise TrainingError(f"precision is {precision!r} but must be one of {', '.join(map(repr, PRECISIONS))}.")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= BF16_CAPABILITY
    else:
        native = device.type == "cpu" and measured_timing().gain >= WORTHWHILE_GAIN
    return "bfloat16" if native else "float32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Context in which convolutions and dense layers compute in the given precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def on_threads(count: int | None) -> Iterator[None]:
    """So many threads inside, where a number is given, and as many as before outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def tuned(device: torch.device) -> Iterator[None]:
    """Inside cuDNN tries its algorithms and takes the fastest for each shape; nothing on other devices.

    Whoever asked PyTorch for the same bits in every run gets them: which algorithm wins may differ.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark
    bound = cudnn.deterministic or torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda" and not bound:
        cudnn.benchmark = True
    try:
        yield
    finally:
        cudnn.benchmark = before


@dataclass(frozen=True)
class Timing:
    """Best times of one convolution on the processor, in seconds."""

    float32: float
    bfloat16: float

    @property
    def gain(self) -> float:
        """How many times as fast bfloat16 is."""
        return self.float32 / self.bfloat16

    def __str__(self) -> str:
        return f"float32 {1e3 * self.float32:.2f} ms, bfloat16 {1e3 * self.bfloat16:.2f} ms"


_LOCK = threading.Lock()
_MEASURED: list[Timing] = []


def measured_timing() -> Timing:
    """Both precisions on this processor: measured at the first call in a process, remembered for all others."""
    with _LOCK:
        if not _MEASURED:
            _MEASURED.append(time_precisions())
        return _MEASURED[0]


@torch.no_grad()
def time_precisions(clock: Callable[[], float] = time.perf_counter) -> Timing:
    """Time a convolution of 128 to 128 channels on 28x28 units in float32 and in bfloat16, in turns.

    Names of instruction sets do not tell whether PyTorch has kernels for them, and those that do are private.

    Parameters
    ----------
    clock
        Seconds.

    Returns
    -------
    Timing
        The best of at most ``PROBE_ROUNDS`` rounds; there is only one where bfloat16 is clearly slower.
    """

    def once(dtype: torch.dtype) -> float:
        images, weight = (
            torch.full(shape, 0.5, dtype=dtype).to(memory_format=torch.channels_last)
            for shape in ((1, 128, 28, 28), (128, 128, 3, 3))
        )
        start = clock()
        F.conv2d(images, weight)
        return clock() - start

    for dtype in (torch.float32, torch.bfloat16):
        once(dtype)  # kernels are generated at first use
    begin = clock()
    rounds: list[tuple[float, float]] = []
    while not rounds or (len(rounds) < PROBE_ROUNDS and clock() - begin < PROBE_SECONDS):
        rounds.append((once(torch.float32), once(torch.bfloat16)))
        if rounds[-1][1] > EMULATED * rounds[-1][0]:
            break
    exact, rough = zip(*rounds, strict=True)
    return Timing(min(exact), max(min(rough), 1e-9))
