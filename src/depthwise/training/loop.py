"""The loop: one epoch of training, and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from depthwise.training.device import autocast
from depthwise.training.losses import Loss, Penalty

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Objective:
    """What is computed for a batch.

    Attributes
    ----------
    loss
        ``loss(output, target)``, the mean over a batch.
    precision
        ``"float32"`` or ``"bfloat16"``.
    penalty
        On large weights; part of the train and the valid loss.
    """

    loss: Loss
    precision: str
    penalty: Penalty | None = None


def compute_output(module: nn.Module, images: Tensor, precision: str) -> Tensor:
    """The network's output, in float32 again: losses and probabilities need its digits."""
    with autocast(precision, images.device):
        output: Tensor = module(images.float())
    return output.float()


def train_epoch(
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    optimizer: Optimizer,
    on_batch: Callable[[int], None] | None = None,
) -> float:
    """Make one step of the optimizer for each batch; return the mean loss over the images.

    Parameters
    ----------
    module
        Trained in place.
    batches
        Images and targets.
    objective
        Loss, precision, penalty.
    optimizer
        Of the module's parameters.
    on_batch
        Called with the number of images after each batch.
    """
    module.train()
    total: Tensor | float = 0.0
    n_images = 0
    for X, y in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = objective.loss(compute_output(module, X, objective.precision), y)
        loss.backward()
        loss = loss.detach()
        if objective.penalty:
            loss = loss + objective.penalty.value()
            objective.penalty.add_gradient()
        optimizer.step()
        # The sum stays on the device: asking for its value here would wait for every batch.
        total = total + loss * len(X)
        n_images += len(X)
        if on_batch is not None:
            on_batch(len(X))
    return float(total) / n_images


@torch.inference_mode()
def evaluate(module: nn.Module, batches: Batches, objective: Objective, *, counts: bool) -> tuple[float, int | None]:
    """Mean loss over the images, penalty included, and the number of right answers where classes are to be counted."""
    module.eval()
    total: Tensor | float = 0.0
    right: Tensor | int = 0
    n_images = 0
    for X, y in batches:
        output = compute_output(module, X, objective.precision)
        total = total + objective.loss(output, y) * len(X)
        if counts:
            right = right + (output.argmax(1) == y).sum()
        n_images += len(X)
    if objective.penalty:
        total = total + objective.penalty.value() * n_images
    return float(total) / n_images, int(right) if counts else None


@torch.inference_mode()
def predict_outputs(module: nn.Module, batches: Batches, precision: str) -> Tensor:
    """The network's outputs for all images, on the processor."""
    module.eval()
    return torch.cat([compute_output(module, X, precision) for X, _ in batches]).cpu()
