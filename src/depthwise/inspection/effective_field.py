"""What a unit really looks at: the gradient of one unit, averaged over random images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from depthwise.errors import GraphError, SizeError, did_you_mean
from depthwise.inspection.asking import undisturbed
from depthwise.inspection.choosing import hookable
from depthwise.inspection.running import differentiate, run_module
from depthwise.layers.ops import format_shape

OUTSIDE = 1 - 0.9545
"""Pixels whose gradient is at least this share of the largest count as looked at: what lies within two standard
deviations of a Gaussian, as Luo et al. count."""

IMAGES_A_BATCH = 16


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """How much each pixel of the image moves one unit.

    Attributes
    ----------
    layer, unit
        Path of the module, and the unit's position in its map.
    gradients
        Mean of |d unit / d pixel| over images and channels, shape ``(height, width)``, the largest 1.
    """

    layer: str
    unit: tuple[int, ...]
    gradients: NDArray[np.float32]

    @property
    def area(self) -> int:
        """Number of pixels that matter: a gradient of at least 1 - 95.45 % of the largest."""
        return int((self.gradients >= OUTSIDE).sum())

    @property
    def size(self) -> float:
        """Side of a square (edge of a cube) of that area."""
        return float(self.area ** (1 / self.gradients.ndim))

    @property
    def spread(self) -> tuple[float, ...]:
        """Four standard deviations of the gradients along each axis: the width that holds 95 % of a Gaussian."""
        widths = []
        for axis in range(self.gradients.ndim):
            others = tuple(other for other in range(self.gradients.ndim) if other != axis)
            profile = self.gradients.sum(others)
            places = np.arange(len(profile))
            mean = (profile * places).sum() / profile.sum()
            widths.append(float(4 * np.sqrt((profile * (places - mean) ** 2).sum() / profile.sum())))
        return tuple(widths)


def measure_effective_field(
    module: nn.Module,
    input_shape: Iterable[int],
    layer: str | None = None,
    unit: Iterable[int] | None = None,
    *,
    n_images: int = 64,
    seed: int = 0,
) -> EffectiveField:
    """Measure how much each pixel moves one unit, in evaluation mode; the module is left as it was.

    Parameters
    ----------
    module
        A network of one image, trained or not.
    input_shape
        ``(channels, height, width)``.
    layer
        Path of the submodule whose map is meant; the last one that gives a map by default.
    unit
        Position in the map; the middle one by default.
    n_images
        Number of random images to average over.
    seed
        Of these images.

    Raises
    ------
    GraphError
        There is no such layer or unit, or the layer gives no map.

    References
    ----------
    Luo, Li, Urtasun, Zemel: Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, NIPS
    2016.

    Examples
    --------
    >>> field = measure_effective_field(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)), (1, 9, 9))
    >>> field.layer, field.unit, field.gradients.shape, int((field.gradients > 0).sum())
    ('1', (2, 2), (9, 9), 25)
    """
    shape = tuple(input_shape)
    if len(shape) < 2:
        raise SizeError(f"input_shape is {shape!r}: rows of values have no fields", "Give (channels, height, width)")
    parameter = next((value for value in module.parameters() if value.is_floating_point()), torch.zeros(()))
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(shape[1:], dtype=torch.float64)
    path: str = ""
    place: tuple[int, ...] = ()
    with undisturbed(module), torch.enable_grad():
        for start in range(0, n_images, IMAGES_A_BATCH):
            count = min(IMAGES_A_BATCH, n_images - start)
            images = torch.randn((count, *shape), generator=generator).to(parameter).requires_grad_()
            path, maps = _map_of(module, images, layer)
            place = _place(path, tuple(maps.shape[2:]), unit)
            at: tuple[Any, ...] = (..., *place)
            total += differentiate(module, maps[at].sum(), images).abs().double().sum((0, 1)).cpu()
    largest = float(total.max())
    return EffectiveField(path, place, (total / (largest or 1.0)).numpy().astype(np.float32))


def _map_of(module: nn.Module, images: Tensor, layer: str | None) -> tuple[str, Tensor]:
    """Path and output of a layer, or of the last one that gives a map."""
    maps: dict[str, Tensor] = {}

    def remember(path: str) -> Any:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == images.ndim:
                maps[path] = output

        return hook

    parts = {path: part for part, path in hookable(module).items()}
    if layer is not None and layer not in parts:
        meant = did_you_mean(layer, parts)
        raise GraphError(f"the module has no layer {layer!r}.{meant} There are: {', '.join(filter(None, parts))}.")
    wanted = {path: part for path, part in parts.items() if path} if layer is None else {layer: parts[layer]}
    hooks = [part.register_forward_hook(remember(path)) for path, part in wanted.items()]
    try:
        run_module(module, images)
    finally:
        for hook in hooks:
            hook.remove()
    whole = {path: output for path, output in maps.items() if output[0, 0].numel() > 1} or maps
    if not whole:
        raise GraphError(f"layer {layer or type(module).__name__!r} gives no map. Choose one before the head.")
    return list(whole.items())[-1]


def _place(layer: str, size: tuple[int, ...], unit: Iterable[int] | None) -> tuple[int, ...]:
    place = tuple(side // 2 for side in size) if unit is None else tuple(unit)
    if len(place) != len(size) or not all(0 <= at < side for at, side in zip(place, size, strict=True)):
        raise GraphError(f"layer {layer!r} has no unit {place}: its map is {format_shape(size)}. Give a place in it.")
    return place
