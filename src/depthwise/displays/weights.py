"""Learned kernels as tiles on one scale."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from depthwise.displays.asking import read_module
from depthwise.displays.display import Display
from depthwise.inspection import LayerWeights, read_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 1
"""Pixels between tiles."""


class WeightsDisplay(Display):
    """Kernels of one convolution, all in one picture and on one color scale around zero.

    Parameters
    ----------
    weights
        What :func:`depthwise.inspection.read_weights` returns.

    Attributes
    ----------
    image_ : array
        The tiles put side by side; ``nan`` between them.
    """

    def __init__(self, weights: LayerWeights) -> None:
        self.weights = weights

    @classmethod
    def from_estimator(cls, net: Any, layer: Any = None) -> Self:
        """Read the kernels of a fitted estimator or a module; of its first convolution by default.

        ``layer`` is its name, path or index, an entry of ``net.layers_``, or the submodule.
        """
        return cls(read_weights(read_module(net), layer))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the tiles, into ``ax`` if it is given, and return the display."""
        tiles = self.weights.tiles
        self.image_ = arrange(tiles)
        rows, columns = self.image_.shape[:2]
        ax = self._start(ax, figsize=(6, max(2.0, 6 * rows / columns)))
        limit = float(np.abs(tiles).max()) or 1.0
        if tiles.ndim == 4:
            ax.imshow(np.nan_to_num(0.5 + self.image_ / (2 * limit), nan=1.0), interpolation="nearest")
        else:
            drawn = ax.imshow(self.image_, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            ax.figure.colorbar(drawn, ax=ax, label="weight", shrink=0.8)
        out_channels, in_channels, *size = self.weights.kernels.shape
        sides = " x ".join(map(str, size))
        over = f"{in_channels} channel{'s' * (in_channels > 1)}"
        ax.set_title(f"{self.weights.layer}: {out_channels} kernels of {sides} over {over}", parse_math=False)
        ax.set_axis_off()
        return self


def arrange(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put tiles side by side in a grid that is as square as can be.

    >>> arrange(np.ones((5, 2, 2), np.float32)).shape
    (5, 8)
    """
    count, height, width = tiles.shape[:3]
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    grid = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, *tiles.shape[3:]), np.nan, np.float32)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        grid[top : top + height, left : left + width] = tile
    return grid
