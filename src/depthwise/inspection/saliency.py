"""Which pixels move the score: gradients of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.errors import DataError
from depthwise.inspection.asking import Array, asked, batch_length, demand_choice, read_fill, to_array
from depthwise.inspection.probabilities import read_probabilities
from depthwise.inspection.running import differentiate, run_module

Method = Literal["gradient", "smoothgrad", "integrated_gradients"]
METHODS = ("gradient", "smoothgrad", "integrated_gradients")

NOISE = 0.15
"""Standard deviation of SmoothGrad's noise as a share of an image's range: 10 to 20 % in Smilkov et al., 2017."""
SAMPLES = 50
"""Noisy images of SmoothGrad: more than 50 changed little there."""
STEPS = 50
"""Points of the integral: 20 to 300 suffice after Sundararajan et al., 2017."""


@dataclass(frozen=True, eq=False)
class Saliency:
    """How the output moves with each value of an image.

    Attributes
    ----------
    method
        ``"gradient"``, ``"smoothgrad"`` or ``"integrated_gradients"``.
    images
        What was looked at, shape ``(n_images, channels, height, width)``.
    targets
        Column of the output that was explained, for each image.
    outputs, probabilities
        The network's outputs, shape ``(n_images, n_outputs)``, and the probabilities that they tell: the softmax, of a
        single output the sigmoid, or the outputs themselves where the network ends in one of them.
    values
        Gradients, or integrated gradients, with their signs; of the shape of `images`.
    """

    method: Method
    images: Array
    targets: NDArray[np.int64]
    outputs: Array
    probabilities: Array
    values: Array

    @property
    def signed(self) -> bool:
        """Whether the maps have signs: integrated gradients share out the output."""
        return self.method == "integrated_gradients"

    @property
    def maps(self) -> Array:
        """One value a pixel, shape ``(n_images, height, width)``.

        Of gradients the largest magnitude over the channels (Simonyan et al., 2014), of integrated gradients the sum.
        """
        one: Array = self.values.sum(1) if self.signed else np.abs(self.values).max(1)
        return one


def compute_saliency(
    module: nn.Module,
    images: ArrayLike | Tensor,
    targets: ArrayLike | Tensor | None = None,
    *,
    method: Method = "gradient",
    baseline: ArrayLike | None = None,
    samples: int = SAMPLES,
    noise: float = NOISE,
    steps: int = STEPS,
    random_state: int = 0,
    max_bytes: int | None = None,
) -> Saliency:
    """Gradient of one output with respect to the image, in float32 and evaluation mode.

    ``"gradient"``: df/dx.  ``"smoothgrad"``: its mean over noisy copies of the image.  ``"integrated_gradients"``:
    (x - b) times its mean along the straight way from a baseline b to the image, by Gauss-Legendre's rule; they sum to
    f(x) - f(b).  The module is left as it was.

    Parameters
    ----------
    module
        Any network of one input that gives one value a class.
    images
        Shape ``(n_images, channels, height, width)``.
    targets
        Column of the output to explain, one for each image or for all; by default the largest output of each.
    method
        Which of the three.
    baseline
        One value, or one a channel; by default the mean of the training images as a standardizing network keeps it,
        for other modules 0.
    samples, noise, random_state
        Of SmoothGrad: number of noisy images, standard deviation as a share of each image's range, seed.
    steps
        Points of the integral.
    max_bytes
        Memory that the maps of a batch may take; by default 64 MiB on the processor and 2 GiB on an accelerator.

    Raises
    ------
    DataError
        An argument is out of range, or the images do not go through the network.
    TargetError
        The network does not give one finite value a class.

    References
    ----------
    Simonyan et al.: Deep Inside Convolutional Networks, ICLR workshop 2014.  Smilkov et al.: SmoothGrad, 2017.
    Sundararajan et al.: Axiomatic Attribution for Deep Networks, ICML 2017.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> found = compute_saliency(net, torch.ones(1, 1, 2, 2), 1)
    >>> np.allclose(found.values.ravel(), net[1].weight[1].detach())
    True
    """
    demand_choice("method", method, METHODS)
    _check(samples, noise, steps)
    with asked(module, images, targets, max_bytes) as (tensor, outputs, chosen):
        start = read_fill(module, tensor, baseline).view(1, -1, 1, 1)
        step = batch_length(module, tensor, max_bytes, gradients=True)
        if method == "gradient":
            values = compute_gradients(module, tensor, chosen, step)
        elif method == "smoothgrad":
            # The same noise for every image: its map does not hang on what else is in the batch.
            waves = torch.randn((samples, *tensor.shape[1:]), generator=torch.Generator().manual_seed(random_state))
            waves = noise * waves.to(tensor)
            width = (tensor.amax((1, 2, 3)) - tensor.amin((1, 2, 3))).view(-1, 1, 1, 1)

            def noisy(picture: Tensor, copy: Tensor) -> Tensor:
                return tensor[picture] + width[picture] * waves[copy]

            values = _sum_gradients(module, noisy, tensor, chosen, tensor.new_full((samples,), 1 / samples), step)
        else:
            points, shares = (
                torch.from_numpy(found).to(tensor) / 2 for found in np.polynomial.legendre.leggauss(steps)
            )

            def between(picture: Tensor, copy: Tensor) -> Tensor:
                return start + (0.5 + points[copy].view(-1, 1, 1, 1)) * (tensor[picture] - start)

            values = (tensor - start) * _sum_gradients(module, between, tensor, chosen, shares, step)
        probabilities = read_probabilities(module, tensor, outputs)
    arrays = (to_array(each) for each in (outputs, probabilities, values))
    return Saliency(method, to_array(tensor), chosen.cpu().numpy(), *arrays)


def compute_gradients(module: nn.Module, images: Tensor, targets: Tensor, step: int) -> Tensor:
    """Gradient of each image's own output; gradients that parameters carry are left alone."""
    found = []
    with torch.enable_grad():
        for part, wanted in zip(images.split(step), targets.split(step), strict=True):
            leaf = part.detach().clone().requires_grad_()
            outputs = run_module(module, leaf * 1.0)  # the first layer may work in place, which a leaf forbids
            total = outputs.reshape(len(part), -1).float().gather(1, wanted[:, None]).sum()
            if not total.requires_grad:  # nothing of the image reaches the output
                found.append(torch.zeros_like(part))
                continue
            found.append(differentiate(module, total, leaf).detach())
    return torch.nan_to_num(torch.cat(found), posinf=0.0, neginf=0.0)


def _sum_gradients(
    module: nn.Module,
    make: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    targets: Tensor,
    weights: Tensor,
    step: int,
) -> Tensor:
    """Weighted sum over copies of each image; ``make(picture, copy)`` gives those of indices."""
    total = torch.zeros_like(images)
    for places in torch.arange(len(images) * len(weights), device=images.device).split(step):
        picture, copy = places // len(weights), places % len(weights)
        gradients = compute_gradients(module, make(picture, copy), targets[picture], step)
        total.index_add_(0, picture, gradients * weights[copy].view(-1, 1, 1, 1))
    return total


def _check(samples: int, noise: float, steps: int) -> None:
    for name, value in (("samples", samples), ("steps", steps)):
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise DataError(f"{name} is {value!r} but must be a whole number of 1 or more.")
    if not noise >= 0:
        raise DataError(f"noise is {noise!r} but must be 0 or more.")
