"""The loop: one epoch of training, and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from depthwise.modules import fold
from depthwise.training.batches import Batch
from depthwise.training.device import autocast
from depthwise.training.losses import Loss, Penalty
from depthwise.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from depthwise.data.augmentation import Augmentation

Batches = Iterable[Batch]
Hooks = Sequence[Callable[[], None]]


@dataclass(frozen=True)
class Objective:
    """What is computed for a batch.

    Attributes
    ----------
    loss
        Of outputs and targets.
    precision
        ``"float32"`` or ``"bfloat16"``.
    penalty
        On large weights; part of the train and the valid loss.
    """

    loss: Loss
    precision: str
    penalty: Penalty | None = None


@dataclass(frozen=True)
class Step:
    """What happens in every step of training besides forward and backward pass.

    Attributes
    ----------
    optimizer
        Of the module's parameters.
    augmentation
        Changes the images first.
    on_gradients, on_end
        Called before and after the optimizer changes the parameters.
    ranks
        Processes that share every batch.
    """

    optimizer: Optimizer
    augmentation: Augmentation | None = None
    on_gradients: Hooks = field(default=())
    on_end: Hooks = field(default=())
    ranks: Ranks = ALONE


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of images.

    Attributes
    ----------
    loss
        Mean over the images, penalty included.
    right
        Number of right answers, where there are right ones.
    outputs
        Of all images, on the processor, where they were asked for.
    """

    loss: float
    right: int | None
    outputs: Tensor | None = None


def compute_output(module: nn.Module, images: Tensor, precision: str) -> Tensor:
    """The network's output, in float32 again: losses and probabilities need its digits."""
    with autocast(precision, images.device):
        output: Tensor = module(images.float())
    return output.float()


def train_epoch(
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    step: Step,
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
    step
        Optimizer, augmentation, hooks.
    on_batch
        Called with the number of images after each batch.
    """
    module.train()
    optimizer, penalty = step.optimizer, objective.penalty
    asks_again = isinstance(optimizer, torch.optim.LBFGS)  # several times a step, at other weights
    total: Any = 0.0
    n_images = 0
    for batch in batches:

        def compute_gradients(batch: Batch = batch) -> Tensor:
            optimizer.zero_grad(set_to_none=True)
            loss = _backward(module, batch, objective, step)
            if penalty:
                loss = loss + penalty.value()
                penalty.add_gradient()
            for hook in step.on_gradients:
                hook()
            return loss

        if asks_again:
            loss: Any = optimizer.step(compute_gradients)  # type: ignore[arg-type]  # a loss need not be a float
        else:
            loss = compute_gradients()
            optimizer.step()
        for hook in step.on_end:
            hook()
        # The sum stays on the device: asking for its value here would wait for every batch.
        total = total + loss * len(batch.images)
        n_images += len(batch.images)
        if on_batch is not None:
            on_batch(len(batch.images))
    total, count = step.ranks.add_up(total, n_images)
    return total / count


def _backward(module: nn.Module, batch: Batch, objective: Objective, step: Step) -> Tensor:
    """The gradients of a batch, of which this process may have a share only, and its mean loss."""
    if len(batch.images):
        loss = batch_loss(module, batch, objective, step.augmentation)
        loss.backward()
    else:
        loss = torch.zeros((), device=batch.images.device)
    return step.ranks.average(module, loss.detach(), len(batch.images))


def batch_loss(module: nn.Module, batch: Batch, objective: Objective, augmentation: Augmentation | None) -> Tensor:
    """Mean loss of a batch, its images changed first; two targets each where they are mixed."""
    images, targets, weights = batch
    if augmentation is None:
        return objective.loss.of(compute_output(module, images, objective.precision), targets, weights)
    seen = augmentation(images)
    output = compute_output(module, seen.images, objective.precision)
    if seen.partners is None:
        return objective.loss.of(output, targets, weights)
    return objective.loss.of_mixed(output, targets, weights, seen.partners, seen.share)


@torch.no_grad()  # not inference_mode: what a module keeps of a pass could not be learned from
def evaluate(
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    *,
    counts: bool,
    keeps_outputs: bool = False,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Look at all images: the mean loss, right answers where classes are to be counted, outputs if they are kept.

    Several processes look at a share each, and the main one gets all outputs.
    """
    module = fold(module.eval())
    total: Tensor | float = 0.0
    right: Tensor | int = 0
    outputs: list[Tensor] = []
    n_images = 0
    for images, targets, weights in batches:
        output = compute_output(module, images, objective.precision)
        total = total + objective.loss.of(output, targets, weights) * len(images)
        if counts:
            right = right + count_right(output, targets)
        if keeps_outputs:
            outputs.append(output.cpu())  # what a recorded graph gives is written over by its next run
        n_images += len(images)
    if objective.penalty:
        total = total + objective.penalty.value() * n_images
    if keeps_outputs:
        outputs = ranks.gather(outputs)
    loss, n_right, count = ranks.add_up(total, right, n_images)
    return Evaluation(loss / count, int(n_right) if counts else None, torch.cat(outputs) if outputs else None)


def count_right(output: Tensor, targets: Tensor) -> Tensor:
    """Number of images whose class, or all of whose labels, the output tells."""
    if targets.ndim == 2:
        return ((output > 0) == (targets > 0)).all(1).sum()
    if output.shape[1] == 1:
        return ((output[:, 0] > 0) == (targets > 0)).sum()
    return (output.argmax(1) == targets).sum()


@torch.no_grad()
def predict_outputs(module: nn.Module, batches: Batches, precision: str) -> Tensor:
    """The network's outputs for all images, on the processor."""
    module = fold(module.eval())
    return torch.cat([compute_output(module, batch.images, precision) for batch in batches]).cpu()
