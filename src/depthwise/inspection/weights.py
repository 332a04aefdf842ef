"""The kernels that a convolution has learned, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from depthwise.errors import TargetError, did_you_mean
from depthwise.inspection.choosing import find_layer

RGB = 3


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Kernels of one convolution.

    Attributes
    ----------
    layer
        Path of the module that holds them.
    kernels
        Array of shape ``(out_channels, in_channels, height, width)``.
    """

    layer: str
    kernels: NDArray[np.float32]

    @property
    def tiles(self) -> NDArray[np.float32]:
        """One picture a kernel: ``(n, height, width)``, or ``(n, height, width, 3)`` where the input is RGB.

        Kernels over other numbers of channels give one picture for each channel.  Values are as learned.
        """
        out_channels, in_channels, height, width = self.kernels.shape
        if in_channels == RGB:
            return self.kernels.transpose(0, 2, 3, 1)
        return self.kernels.reshape(out_channels * in_channels, height, width)


def read_weights(module: nn.Module, layer: object = None) -> LayerWeights:
    """Kernels of a convolution; by default the first one's.

    Parameters
    ----------
    module
        Any network.
    layer
        As for :func:`~depthwise.inspection.read_activations`: name, path, index, entry of ``net.layers_``, submodule.

    Raises
    ------
    TargetError
        There is no such layer, or it does not convolve images.

    Examples
    --------
    >>> read_weights(nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())).tiles.shape
    (8, 3, 3)
    """
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    convolutions = {path: part for path, part in module.named_modules() if isinstance(part, kinds)}
    if not convolutions:
        raise TargetError("the network has no convolution over images, hence no kernels to show.")
    path: Any = next(iter(convolutions)) if layer is None else getattr(layer, "name", layer)
    if not isinstance(path, str):
        path = find_layer(module, path).name
    if path not in convolutions:
        meant = did_you_mean(path, convolutions)
        raise TargetError(f"{path!r} is no convolution.{meant} There are: {', '.join(convolutions)}.")
    return LayerWeights(path, convolutions[path].weight.detach().float().cpu().numpy().copy())
