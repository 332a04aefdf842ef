"""What training makes small: losses by name, and the penalty on large weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthwise.errors import TrainingError, did_you_mean

LossFunction = Callable[[Tensor, Tensor], Tensor]
Smoothed = Callable[[Tensor, Tensor, float], Tensor]
"""``loss(output, target, label_smoothing)``, one value an image."""


@dataclass(frozen=True)
class Loss:
    """A loss, as the mean over a batch and image by image.

    Attributes
    ----------
    mean
        ``mean(output, target)``, a number.
    each
        ``each(output, target)``, shape ``(n_images,)``; ``None`` for a function that tells only the mean.
    """

    mean: LossFunction
    each: LossFunction | None = None

    def of(self, output: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        """Mean over the images, each with its weight; weights are 1 on the average over all images."""
        if weights is None:
            return self.mean(output, target)
        return (self._demand_each()(output, target) * weights).mean()

    def of_mixed(
        self, output: Tensor, target: Tensor, weights: Tensor | None, partners: Tensor, share: float | Tensor
    ) -> Tensor:
        """Mean over images that show two each: their own, with its share, and that of their partner."""
        pairs = (
            (target, weights, share),
            (target[partners], None if weights is None else weights[partners], 1 - share),
        )
        if not isinstance(share, Tensor) or share.ndim == 0:
            return torch.stack([part * self.of(output, y, w) for y, w, part in pairs]).sum()
        each = self._demand_each()
        return torch.stack([each(output, y) * part * (1 if w is None else w) for y, w, part in pairs]).sum(0).mean()

    def _demand_each(self) -> LossFunction:
        if self.each is None:
            raise TrainingError(
                "loss: a function that gives one mean for all images cannot weight them. "
                "Name a loss, or give a module with a `reduction`, such as torch.nn.CrossEntropyLoss()."
            )
        return self.each


def _cross_entropy(output: Tensor, target: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(output, target, reduction="none", label_smoothing=smoothing)


def _binary_cross_entropy(output: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Of one logit for two classes, or of one logit a label."""
    wanted = target.view_as(output).to(output.dtype)
    if smoothing:
        wanted = wanted * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(output, wanted, reduction="none").mean(1)


def _hinge(output: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Crammer and Singer's, divided by the number of classes; the plain one for one output."""
    if output.shape[1] == 1:
        return (1 - output[:, 0] * (2 * target - 1)).clamp(min=0)
    return F.multi_margin_loss(output, target, reduction="none")


def _regression(loss: Callable[..., Tensor]) -> Smoothed:
    return lambda output, target, smoothing: _per_image(loss(output, target, reduction="none"))


def _per_image(values: Tensor) -> Tensor:
    return values if values.ndim == 1 else values.flatten(1).mean(1)


CLASSIFICATION_LOSSES: dict[str, Smoothed] = {
    "cross_entropy": _cross_entropy,
    "bce": _binary_cross_entropy,
    "hinge": _hinge,
}
REGRESSION_LOSSES: dict[str, Smoothed] = {
    "squared_error": _regression(F.mse_loss),
    "absolute_error": _regression(F.l1_loss),
    "huber": _regression(F.huber_loss),
}
"""The first of each is the default."""

SMOOTHED = ("cross_entropy", "bce")
"""Losses whose targets are probabilities."""


def choose_loss(
    loss: str | LossFunction | None,
    known: dict[str, Smoothed],
    n_outputs: int | None = None,
    label_smoothing: float = 0,
    *,
    one_label: bool = False,
) -> Loss:
    """The loss of a name, or a callable made one: ``loss(output, target)``, the mean over the images.

    Parameters
    ----------
    loss
        A name, a callable, or ``None``: the first of `known`, or ``"bce"`` for the one output of two classes.
    known
        Losses by name.
    n_outputs
        Width of the network's output, where it is known.
    label_smoothing
        Share of every target that is spread evenly over all classes (Szegedy et al.: Rethinking the Inception
        Architecture for Computer Vision, CVPR 2016).
    one_label
        Whether targets are classes, one an image, and not rows of labels.

    Raises
    ------
    TrainingError
        The name is unknown, or does not go with the output, the targets or the smoothing.

    Examples
    --------
    >>> choose_loss("squared", REGRESSION_LOSSES)
    Traceback (most recent call last):
    depthwise.errors.TrainingError: loss is 'squared' but must be one of 'squared_error', 'absolute_error', 'huber', \
or a function of (output, target). Did you mean 'squared_error'?
    """
    if isinstance(loss, type):
        raise TrainingError(f"loss is the class {loss.__name__}. Write {loss.__name__}().")
    if callable(loss):
        _demand_no_smoothing("a function", label_smoothing)
        return Loss(_giving_a_number(loss), _each_of(loss))
    one_logit = n_outputs == 1 and "bce" in known
    name = loss or ("bce" if one_logit else next(iter(known)))
    if name not in known:
        listed = ", ".join(map(repr, known))
        raise TrainingError(
            f"loss is {loss!r} but must be one of {listed}, or a function of (output, target)."
            f"{did_you_mean(loss, known)}"
        )
    if one_logit and name == "cross_entropy":
        raise TrainingError(
            "loss is 'cross_entropy', which needs an output for each of the 2 classes, but the network has 1. "
            "Write Output(2), or loss='bce'."
        )
    if name == "bce" and one_label and not one_logit:
        other = "Output(1) or loss='cross_entropy'" if n_outputs == 2 else "loss='cross_entropy'"
        raise TrainingError(
            "loss is 'bce', which needs 1 output where an image is of one of 2 classes, but the network has "
            f"{n_outputs}. Write {other}, or give rows of 0 and 1 where an image has several labels."
        )
    if name not in SMOOTHED:
        _demand_no_smoothing(repr(name), label_smoothing)
    each = known[name]
    return Loss(
        lambda output, target: each(output, target, label_smoothing).mean(),
        lambda output, target: each(output, target, label_smoothing),
    )


def _demand_no_smoothing(loss: str, label_smoothing: float) -> None:
    if label_smoothing:
        raise TrainingError(
            f"label_smoothing is {label_smoothing:g} but the loss is {loss}. "
            f"Write 0, or one of the losses {', '.join(map(repr, SMOOTHED))}."
        )


def _giving_a_number(loss: LossFunction) -> LossFunction:
    """The function, and an error where it gives what cannot be made small."""
    placed = _placed(loss)

    def of_batch(output: Tensor, target: Tensor) -> Tensor:
        value = placed(output.device)(output, target)
        if not isinstance(value, Tensor) or value.ndim or (output.requires_grad and not value.requires_grad):
            given = (
                f"a {type(value).__name__}" if not isinstance(value, Tensor)
                else f"a tensor of shape {tuple(value.shape)}" if value.ndim
                else "a tensor without gradient"
            )  # fmt: skip
            raise TrainingError(
                f"loss: {getattr(loss, '__name__', type(loss).__name__)} gives {given}, but training needs a single "
                "number that PyTorch computed from the output. Return for example losses.mean()."
            )
        return value

    return of_batch


def _each_of(loss: Any) -> LossFunction | None:
    """PyTorch's modules tell the loss of each image if they are not to reduce it, scaled to their mean here."""
    if not isinstance(loss, nn.Module) or getattr(loss, "reduction", None) != "mean":
        return None
    single: Any = copy.deepcopy(loss)
    single.reduction = "none"
    placed = _placed(single)

    def of_images(output: Tensor, target: Tensor) -> Tensor:
        module = placed(output.device)
        values: Tensor = module(output, target)
        if isinstance(module, nn.NLLLoss | nn.CrossEntropyLoss) and not target.is_floating_point():
            # Their mean is over the weights of the targets' classes, where ignored targets have none.
            uniform = -torch.ones_like(output)
            counts = F.nll_loss(uniform, target, module.weight, ignore_index=module.ignore_index, reduction="none")
            values = values / counts.mean()
        return _per_image(values)

    return of_images


def _placed(loss: Any) -> Callable[[torch.device], Any]:
    """The loss by device: itself, or a copy there of a module that has tensors elsewhere."""
    copies: dict[torch.device, nn.Module] = {}

    def on(device: torch.device) -> Any:
        tensors = (*loss.parameters(), *loss.buffers()) if isinstance(loss, nn.Module) else ()
        if all(tensor.device == device for tensor in tensors):
            return loss
        if device not in copies:
            copies[device] = copy.deepcopy(loss).to(device)
        return copies[device]

    return on


def penalized_weights(module: nn.Module) -> list[nn.Parameter]:
    """Kernels and matrices: what penalties and weight decay act on; biases and norms have one axis and are left out."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim > 1]


class Penalty:
    """l1 Σ|w| + l2 Σw² over the weights, without biases and norms.

    The gradient is known, so it is added to ``.grad`` after the backward pass, all weights in one operation.

    Parameters
    ----------
    module
        Whose weights count.
    l1, l2
        Coefficients.
    """

    def __init__(self, module: nn.Module, l1: float, l2: float) -> None:
        self.weights: list[Tensor] = list(penalized_weights(module))
        self.l1, self.l2 = l1, l2

    def __bool__(self) -> bool:
        return bool((self.l1 or self.l2) and self.weights)

    def value(self) -> Tensor:
        """The penalty of the weights as they are, on their device."""
        with torch.no_grad():
            # A coefficient of zero costs nothing.
            terms = [c * _sum(self.weights, power) for c, power in ((self.l1, 1), (self.l2, 2)) if c]
        return torch.stack(terms).sum() if len(terms) > 1 else terms[0]

    def add_gradient(self) -> None:
        """Add l1 sign(w) + 2 l2 w to the gradients."""
        # A frozen branch has weights without gradients; the penalty alone does not move them.
        pairs = [(weight, weight.grad) for weight in self.weights if weight.grad is not None]
        weights, gradients = [weight for weight, _ in pairs], [gradient for _, gradient in pairs]
        with torch.no_grad():
            if self.l2:
                torch._foreach_add_(gradients, weights, alpha=2 * self.l2)
            if self.l1:
                torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=self.l1)


def _sum(weights: list[Tensor], power: int) -> Tensor:
    """Σ|w|^power."""
    norms = torch.stack(torch._foreach_norm(weights, power))
    return norms.sum() if power == 1 else norms.dot(norms)
