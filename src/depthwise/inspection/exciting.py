"""The images that excite a channel most, and what the channel sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.analysis.regions import Region, find_region
from depthwise.errors import DataError, TargetError
from depthwise.graph import SizedGraph
from depthwise.inspection.asking import Array, batch_length, demand_module, to_array, to_tensor, undisturbed
from depthwise.inspection.choosing import Chosen, find_last_map, find_layer, hooked
from depthwise.inspection.running import run_module
from depthwise.inspection.unit_field import crop_image
from depthwise.modules import Network
from depthwise.trace import trace_module

CHANNELS = 4
"""Channels that are looked at where none is asked for."""


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
    channels: int | Sequence[int] | None = None,
    layer: object = None,
    *,
    n_images: int = 9,
    max_bytes: int | None = None,
) -> tuple[Exciting, ...]:
    """The images in which channels are largest, in evaluation mode; the module is left as it was.

    One pass serves all channels.  Only the largest value of each image is kept, never the maps of more than one batch.

    Parameters
    ----------
    module
        Any network of one input.
    images
        Shape ``(n_images, channels, height, width)``.
    channels
        Places of channels, or of units of a dense layer; by default the four that reach the largest values.
    layer
        As for :func:`~depthwise.inspection.read_activations`; by default the last convolution with its norm and
        activation, whose channels see most of the image.
    n_images
        How many to return for each channel, at most.
    max_bytes
        Memory that the maps of a batch may take.

    Returns
    -------
    tuple of Exciting
        One for each channel, in the order asked for.

    Raises
    ------
    TargetError
        There is no such layer, or it gives no tensor.
    DataError
        There is no such channel, or the images do not go through the network.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(98, 2))
    >>> (found,) = find_exciting(net, torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 9, 9), 0, "0", n_images=2)
    >>> len(found.rows), found.crops[0].shape
    (2, (1, 3, 3))
    """
    module = demand_module(module)
    if n_images < 1:
        raise DataError(f"n_images is {n_images} but must be 1 or more.")
    tensor = to_tensor(module, images)
    with undisturbed(module), torch.no_grad():
        chosen = find_last_map(module, tensor[:1]) if layer is None else find_layer(module, layer)
        peaks = _measure_peaks(module, tensor, chosen, batch_length(module, tensor, max_bytes))
        found = []
        for channel in _read_channels(channels, chosen.name, peaks.values):
            values = peaks.values[:, channel]
            order = values.argsort(descending=True, stable=True)[:n_images]
            units = tuple(
                tuple(int(side) for side in np.unravel_index(place, peaks.size)) if peaks.size else ()
                for place in peaks.places[order, channel].tolist()
            )
            regions = _regions(module, chosen.part, tuple(tensor.shape[1:]), units)
            found.append(
                Exciting(
                    chosen.name, channel, order.cpu().numpy(), to_array(values[order]), units, to_array(tensor[order]),
                    regions,
                )
            )  # fmt: skip
    return tuple(found)


class _Peaks(NamedTuple):
    """Largest value of each image and channel, its place in the flattened map, and the sides of the map."""

    values: Tensor
    places: Tensor
    size: tuple[int, ...]


def _measure_peaks(module: nn.Module, images: Tensor, chosen: Chosen, step: int) -> _Peaks:
    largest: list[Tensor] = []
    places: list[Tensor] = []
    size: tuple[int, ...] = ()

    def keep(part: nn.Module, inputs: object, output: object) -> None:
        nonlocal size
        if not isinstance(output, Tensor) or output.ndim < 2:
            raise TargetError(f"layer {chosen.name!r}: gives no maps or units. Name another.")
        size = tuple(output.shape[2:])
        peak = output.flatten(2).max(2) if size else output[..., None].max(2)
        largest.append(peak.values)
        places.append(peak.indices)

    with hooked([chosen.part], keep):
        for part in images.split(step):
            run_module(module, part)
    if not largest:
        raise TargetError(f"layer {chosen.name!r}: does not run when images go through the network. Name another.")
    return _Peaks(torch.cat(largest)[: len(images)], torch.cat(places)[: len(images)], size)


def _read_channels(channels: int | Sequence[int] | None, layer: str, peaks: Tensor) -> list[int]:
    count = peaks.shape[1]
    if channels is None:
        return peaks.amax(0).argsort(descending=True, stable=True)[:CHANNELS].tolist()
    wanted = [channels] if isinstance(channels, int) else list(channels)
    if not wanted:
        raise DataError("channels: holds none. Name at least one.")
    for channel in wanted:
        if not 0 <= channel < count:
            raise DataError(f"channel is {channel} but layer {layer!r} has {count} (0 to {count - 1}).")
    return wanted


def _regions(
    module: nn.Module, part: nn.Module, shape: tuple[int, ...], units: tuple[tuple[int, ...], ...]
) -> tuple[Region | None, ...]:
    """What units see; nodes of a graph are called as the submodules that compute them."""
    path = next(path for path, other in module.named_modules() if other is part)
    graph: SizedGraph = module.sized if isinstance(module, Network) else trace_module(module, shape).at()
    if len(shape) != 3 or path not in {node.name for node in graph.nodes}:
        return (None,) * len(units)
    return tuple(find_region(graph, path, unit) for unit in units)
