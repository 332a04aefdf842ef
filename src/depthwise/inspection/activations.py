"""What a layer makes of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from depthwise.errors import TargetError
from depthwise.inspection.asking import Array, batch_length, demand_module, to_array, to_tensor, undisturbed
from depthwise.inspection.choosing import find_first_map, find_layer, hooked
from depthwise.inspection.running import run_module


@dataclass(frozen=True, eq=False)
class Activations:
    """Outputs of one layer.

    Attributes
    ----------
    layer
        Its name.
    images
        What was looked at, shape ``(n_images, channels, height, width)``.
    values
        Shape ``(n_images, channels, height, width)`` of the layer's map, or ``(n_images, units)``.
    """

    layer: str
    images: Array
    values: Array


def read_activations(
    module: nn.Module, images: ArrayLike | Tensor, layer: object = None, *, max_bytes: int | None = None
) -> Activations:
    """Outputs of a layer for images, in evaluation mode; the module is left as it was.

    Parameters
    ----------
    module
        Any network of one input.
    images
        Shape ``(n_images, channels, height, width)``.
    layer
        Name of a declared layer (its output is behind norm and activation), path of a submodule, index, entry of
        ``net.layers_``, or the submodule itself; by default the first convolution.
    max_bytes
        Memory that the maps of a batch may take; by default 64 MiB on the processor and 2 GiB on an accelerator.

    Raises
    ------
    TargetError
        There is no such layer, or it does not run or gives no tensor.
    DataError
        The images are none, not finite, or do not go through the network.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten())
    >>> found = read_activations(net, torch.ones(2, 1, 9, 9))
    >>> found.layer, found.values.shape
    ('0', (2, 8, 7, 7))
    """
    module = demand_module(module)
    tensor = to_tensor(module, images)
    chosen = find_first_map(module) if layer is None else find_layer(module, layer)
    latest: dict[str, Tensor] = {}
    seen = []

    def keep(part: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            raise TargetError(f"layer {chosen.name!r}: gives {type(output).__name__}, no tensor. Name one inside it.")
        latest["values"] = output.detach().clone()  # a ReLU behind it may work in place

    with undisturbed(module), torch.no_grad():
        step = batch_length(module, tensor, max_bytes)
        with hooked([chosen.part], keep):
            for part in tensor.split(step):
                run_module(module, part)
                seen += [latest.pop("values")] if latest else []
    if not seen:
        raise TargetError(f"layer {chosen.name!r}: does not run when images go through the network. Name another.")
    return Activations(chosen.name, to_array(tensor), to_array(torch.cat(seen)))
