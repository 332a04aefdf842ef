"""Modules that others wrote are run; what goes wrong in them is told in our words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from depthwise.errors import DataError, DepthwiseError, TargetError
from depthwise.layers.shapes import format_shape
from depthwise.trace.tracing import is_out_of_memory
from depthwise.trace.watching import ONE_INPUT

OF_IMAGES = (RuntimeError, ValueError, IndexError, AssertionError)
"""What PyTorch and the modules made with it raise where images do not fit; anything else is a fault of the module."""


def run_module(module: nn.Module, images: Tensor) -> Any:
    """Output of a module for a batch; errors of ours, from hooks, and that memory has run out, pass unchanged.

    Raises
    ------
    DataError
        The images do not go through the network.
    TargetError
        The module cannot be called with a batch of images alone, or fails otherwise.

    Examples
    --------
    >>> run_module(nn.Bilinear(2, 2, 1), torch.zeros(1, 2))
    Traceback (most recent call last):
    depthwise.errors.TargetError: Bilinear cannot be run: TypeError: Bilinear.forward() missing 1 required positional \
argument: 'input2'. Give a module that takes a batch of images and nothing else.
    """
    try:
        return module(images)
    except DepthwiseError:
        raise
    except Exception as problem:
        if is_out_of_memory(problem):
            raise
        if not isinstance(problem, OF_IMAGES):
            raise TargetError(f"{type(module).__name__} cannot be run: {_named(problem)}. {ONE_INPUT}") from problem
        reason = _first_line(problem) if isinstance(problem, RuntimeError) else _named(problem)
        raise DataError(
            f"images: of {format_shape(tuple(images.shape[1:]))} do not go through the network ({reason}). "
            "Give images of the size and channels that it was trained on."
        ) from problem


def differentiate(module: nn.Module, total: Tensor, by: Tensor) -> Tensor:
    """Gradient of a sum that a module computed; zeros where it does not hang on `by`.

    Raises
    ------
    TargetError
        An operation of the module cannot be differentiated.
    """
    try:
        (gradient,) = torch.autograd.grad(total, by, allow_unused=True, materialize_grads=True)
    except Exception as problem:
        if is_out_of_memory(problem):
            raise
        raise TargetError(
            f"{type(module).__name__} passes no gradients back to the images: {_named(problem)}. "
            "Cover parts of the images instead: occlusion needs no gradients."
        ) from problem
    return gradient


def _named(problem: Exception) -> str:
    return f"{type(problem).__name__}: {_first_line(problem)}".removesuffix(": ")


def _first_line(problem: Exception) -> str:
    return next(iter(str(problem).strip().splitlines()), "")
