"""Samples with their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from torch import nn

from depthwise.displays.asking import put_channels_first, read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.pictures import draw_grid
from depthwise.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 8
"""Pictures in a row at most."""


class ImagesDisplay(Display):
    """A grid of images, each below its label; grey ones on one scale.

    Parameters
    ----------
    images
        Shape ``(n_images, channels, height, width)``, ``(n_images, height, width, 1, 3 or 4)`` or
        ``(n_images, height, width)``.  Of two or of more than four channels the mean is shown.
    labels
        One for each image.

    Attributes
    ----------
    images_ : list of matplotlib.image.AxesImage
        What was drawn, after :meth:`plot`.

    Raises
    ------
    DataError
        There are no images, or other than one label for each.
    """

    def __init__(self, images: ArrayLike, labels: ArrayLike | None = None) -> None:
        self.images = put_channels_first(images)
        self.labels = None if labels is None else [str(label) for label in np.asarray(labels).tolist()]
        if self.labels is not None and len(self.labels) != len(self.images):
            raise DataError(f"labels: holds {len(self.labels)} for {len(self.images)} images. Give one for each.")

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None) -> Self:
        """Images with what a fitted estimator predicts for them; with `y`, mistakes say both."""
        read_module(net)
        images = read_pictures(net, X)
        if isinstance(net, nn.Module):
            return cls(images, y)
        found = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in net.predict(X).tolist()]
        if y is None:
            return cls(images, found)
        if len(y) != len(images):
            raise DataError(f"labels: holds {len(y)} for {len(images)} images. Give one for each.")
        true = [str(value) for value in np.asarray(y).tolist()]
        return cls(images, [b if a == b else f"{b}, not {a}" for a, b in zip(found, true, strict=True)])

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the grid, into ``ax`` if it is given, and return the display."""
        self.figure_, axes, self.images_ = draw_grid(ax, self.images, self.labels or (), COLUMNS)
        self.axes_ = list(axes.flat)
        return self
