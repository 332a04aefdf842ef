"""The images that excite a channel most, and what the channel sees of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.analysis.regions import Region, find_region
from depthwise.errors import DataError, TargetError
from depthwise.graph import SizedGraph
from depthwise.inspection.asking import Array, batch_length, demand_module, refused, to_array, to_tensor, undisturbed
from depthwise.inspection.choosing import find_first_map, find_layer, hooked
from depthwise.inspection.unit_field import crop_image
from depthwise.modules import Network
from depthwise.trace import trace_module


@dataclass(frozen=True, eq=False)
class Exciting:
    """Images in which a channel is largest, the largest first.

    Attributes
    ----------
    layer, channel
        Name of the layer, and place of the channel in its output.
    rows
        Places of the images among those that were given, shape ``(n_images,)``.
    values
        Largest value of the channel in each of them.
    units
        Where in the map that is, ``(y, x)`` each; ``()`` in a layer without maps.
    images
        Shape ``(n_images, channels, height, width)``.
    regions
        What that unit sees of its image; ``None`` where the layer is not found in the trace of a module.
    """

    layer: str
    channel: int
    rows: NDArray[np.int64]
    values: Array
    units: tuple[tuple[int, ...], ...]
    images: Array
    regions: tuple[Region | None, ...]

    @property
    def crops(self) -> tuple[Array, ...]:
        """The part of each image that the channel sees there; the whole image where that is not known."""
        pairs = zip(self.images, self.regions, strict=True)
        return tuple(image if region is None else crop_image(image, region.clipped) for image, region in pairs)


def find_exciting(
    module: nn.Module,
    images: ArrayLike | Tensor,
    channel: int,
    layer: object = None,
    *,
    n_images: int = 9,
    max_bytes: int | None = None,
) -> Exciting:
    """The images in which a channel is largest, in evaluation mode; the module is left as it was.

    Only the largest value of each image is kept, never the maps of more than one batch.

    Parameters
    ----------
    module
        Any network of one input.
    images
        Shape ``(n_images, channels, height, width)``.
    channel
        Place of the channel, or of the unit of a dense layer.
    layer
        As for :func:`~depthwise.inspection.read_activations`; the first convolution by default.
    n_images
        How many to return, at most.
    max_bytes
        Memory that the maps of a batch may take.

    Raises
    ------
    TargetError
        There is no such layer, or it gives no tensor.
    DataError
        There is no such channel, or the images do not go through the network.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(98, 2))
    >>> found = find_exciting(net, torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 9, 9), 0, "0", n_images=2)
    >>> len(found.rows), found.crops[0].shape
    (2, (1, 3, 3))
    """
    module = demand_module(module)
    if n_images < 1:
        raise DataError(f"n_images is {n_images} but must be 1 or more.")
    tensor = to_tensor(module, images)
    chosen = find_first_map(module) if layer is None else find_layer(module, layer)
    values: list[Tensor] = []
    places: list[Tensor] = []
    size: list[tuple[int, ...]] = []

    def keep(part: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim < 2:
            raise TargetError(f"layer {chosen.name!r}: gives no maps or units. Name another.")
        if not 0 <= channel < output.shape[1]:
            raise DataError(
                f"channel is {channel} but layer {chosen.name!r} has {output.shape[1]} (0 to {output.shape[1] - 1})."
            )
        size[:] = [tuple(output.shape[2:])]
        largest = output[:, channel].reshape(len(output), -1).max(1)
        values.append(largest.values)
        places.append(largest.indices)

    with undisturbed(module), torch.no_grad():
        try:
            step = batch_length(module, tensor, max_bytes)
            with hooked([chosen.part], keep):
                for part in tensor.split(step):
                    module(part)
        except RuntimeError as problem:
            raise refused(tensor, problem) from problem
        if not values:
            raise TargetError(f"layer {chosen.name!r}: does not run when images go through the network. Name another.")
        largest = torch.cat(values)[: len(tensor)]
        order = largest.argsort(descending=True, stable=True)[:n_images]
        at = torch.cat(places)[order].tolist()
        units = tuple(tuple(int(side) for side in np.unravel_index(place, size[0])) if size[0] else () for place in at)
        regions = _regions(module, chosen.part, tuple(tensor.shape[1:]), units)
    return Exciting(
        chosen.name, channel, order.cpu().numpy(), to_array(largest[order]), units, to_array(tensor[order]), regions
    )


def _regions(
    module: nn.Module, part: nn.Module, shape: tuple[int, ...], units: tuple[tuple[int, ...], ...]
) -> tuple[Region | None, ...]:
    """What units see; nodes of a graph are called as the submodules that compute them."""
    path = next(path for path, other in module.named_modules() if other is part)
    graph: SizedGraph = module.sized if isinstance(module, Network) else trace_module(module, shape).at()
    if len(shape) != 3 or path not in {node.name for node in graph.nodes}:
        return (None,) * len(units)
    return tuple(find_region(graph, path, unit) for unit in units)
