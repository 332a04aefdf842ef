"""Images mixed with others of their batch, and the targets with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from depthwise.data.augmentation.arguments import Bounds, set_number
from depthwise.data.augmentation.pixels import demand_images, rectangles


@dataclass(frozen=True, eq=False)
class Augmented:
    """A batch as the network gets it, and whose targets count.

    Parameters
    ----------
    images
        As given to the network.
    partners
        For each image the index of the one that is mixed in, shape ``(n_images,)``; ``None`` if nothing is.
    share
        Part of an image that is its own, in 0..1: its loss is share · L(output, own target) + (1 - share) · L(output,
        partner's target).
    """

    images: Tensor
    partners: Tensor | None = None
    share: Tensor | float = 1.0


@dataclass(frozen=True)
class MixUp:
    """Average images, and their targets, two and two: x becomes λ x + (1 - λ) x', with λ from Beta(alpha, alpha).

    λ is drawn once a batch, as in the authors' program, and x' is the image before, for batches are in random order.
    Rows of features may be mixed too.

    Zhang, Cissé, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, ICLR 2018.

    Parameters
    ----------
    alpha
        1 is every λ alike (the authors on CIFAR-10), 0.2 mostly near 0 or 1 (on ImageNet).

    Raises
    ------
    TrainingError
        `alpha` is not positive.

    Examples
    --------
    >>> mixed = MixUp().mix(torch.tensor([[[[0.0]]], [[[8.0]]]]))
    >>> mixed.partners, bool(mixed.images.sum().isclose(torch.tensor(8.0)))
    (tensor([1, 0]), True)
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        set_number(self, "alpha", Bounds(above=0))

    def mix(self, images: Tensor) -> Augmented:
        """Mix each image with the one before."""
        return mix(images, self.draw_own(images))

    def draw_own(self, images: Tensor) -> Tensor:
        """λ, without axes."""
        return _draw_share(self.alpha, images)


@dataclass(frozen=True)
class CutMix:
    """Paste a rectangle of one image into another; the targets count as the pixels do.

    Its sides are sqrt(1 - λ) of the image's, with λ from Beta(alpha, alpha), and its center lies anywhere: what reaches
    beyond the image is cut off, and `share` is the part of the pixels that stays.  One rectangle is drawn for a batch,
    as in the authors' program, and the pasted image is the one before, for batches are in random order.

    Yun, Han, Oh, Chun, Choe, Yoo: CutMix: Regularization strategy to train strong classifiers with localizable
    features, ICCV 2019.

    Parameters
    ----------
    alpha
        1 is every λ alike (the authors).

    Raises
    ------
    TrainingError
        `alpha` is not positive.

    Examples
    --------
    >>> mixed = CutMix().mix(torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 6, 6))
    >>> bool(mixed.images[1].mean().isclose(mixed.share))
    True
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        set_number(self, "alpha", Bounds(above=0))

    def mix(self, images: Tensor) -> Augmented:
        """Paste into each image from the one before."""
        return mix(images, self.draw_own(images))

    def draw_own(self, images: Tensor) -> Tensor:
        """1 where a pixel stays and 0 where it is pasted, shape ``(height, width)``."""
        demand_images(self, images)
        part = (1 - _draw_share(self.alpha, images)).sqrt()
        lengths = [side * part[None] for side in images.shape[2:]]
        centers = [side * torch.rand(1, device=images.device) for side in images.shape[2:]]
        return (~rectangles(centers, lengths, images)[0, 0]).float()


Mixer = MixUp | CutMix


def mix(images: Tensor, own: Tensor) -> Augmented:
    """Each image with the one before, where `own`, one number or a map, says how much of a pixel is its own."""
    partners = torch.arange(len(images), device=images.device).roll(1)
    return Augmented(torch.lerp(images.roll(1, 0), images, own.to(images.dtype)), partners, own.mean())


def _draw_share(alpha: float, images: Tensor) -> Tensor:
    concentration = torch.full((), alpha, device=images.device, dtype=torch.float32)
    # Validating the arguments would wait for the device.
    return torch.distributions.Beta(concentration, concentration, validate_args=False).sample()
