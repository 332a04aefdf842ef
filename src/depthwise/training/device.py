"""Where to compute, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from depthwise.errors import TrainingError

BF16_CAPABILITY = (8, 0)
"""Compute capability from which NVIDIA's processors multiply bfloat16 natively (Ampere; CUDA C++ Programming Guide)."""

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
    """``"bfloat16"`` or ``"float32"``; ``"auto"`` takes bfloat16 where the hardware multiplies it natively.

    Elsewhere bfloat16 is emulated, and slower than float32.

    Raises
    ------
    TrainingError
        The precision is unknown.
    """
    if precision not in PRECISIONS:
        raise TrainingError(f"precision is {precision!r} but must be one of {', '.join(map(repr, PRECISIONS))}.")
    if precision != "auto":
        return precision
    return "bfloat16" if _multiplies_bfloat16(device) else "float32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Context in which convolutions and dense layers compute in the given precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= BF16_CAPABILITY
    if device.type != "cpu":
        return False
    # The names are private and may go; without them float32 is always right.
    checks = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(check() for check in checks if check is not None)
