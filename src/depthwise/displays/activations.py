"""What a layer makes of an image, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from depthwise.displays.asking import read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.pictures import MAGNITUDE, SIGNED, TITLE_SIZE, draw_picture, make_grid, to_pictures, value_range
from depthwise.displays.weights import arrange
from depthwise.inspection import Activations, read_activations

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ActivationsDisplay(Display):
    """A row an image: the image, and all channels of one layer side by side; all rows on one color scale.

    Parameters
    ----------
    activations
        What :func:`depthwise.inspection.read_activations` returns.

    Attributes
    ----------
    tiles_ : list of array
        The channels of each image put side by side, ``nan`` between them.
    maps_ : list of matplotlib.image.AxesImage
        The drawings of them, after :meth:`plot`.
    """

    def __init__(self, activations: Activations) -> None:
        self.activations = activations

    @classmethod
    def from_estimator(cls, net: Any, X: Any, layer: object = None, **options: Any) -> Self:
        """Send images through a fitted estimator or a module up to a layer; its first convolution by default.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images.
        layer
            Name, index, entry of ``net.layers_``, or submodule.
        **options
            ``max_bytes`` of :func:`depthwise.inspection.read_activations`.
        """
        return cls(read_activations(read_module(net), read_pictures(net, X), layer, **options))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw images and channels, into ``ax`` if it is given, and return the display."""
        found = self.activations
        pictures = to_pictures(found.images)
        self.tiles_ = [arrange(_as_maps(values)) for values in found.values]
        low, high = value_range(found.values)
        signed = low < 0
        largest = max(abs(low), abs(high)) or 1.0
        scale: dict[str, Any] = {
            "cmap": SIGNED if signed else MAGNITUDE,
            "vmin": -largest if signed else 0,
            "vmax": largest,
        }
        self.figure_, axes = make_grid(ax, len(pictures), 2, found.images.shape[2:])
        if ax is None:
            width, height = self.figure_.get_size_inches()
            self.figure_.set_size_inches(width * 1.5, height * 1.5)
        self.axes_ = list(axes.ravel())
        self.images_, self.maps_ = [], []
        for row, picture, tiles in zip(axes, pictures, self.tiles_, strict=True):
            draw_picture(row[0], picture, value_range(pictures))
            self.images_ += row[0].get_images()
            self.maps_.append(row[1].imshow(tiles, interpolation="nearest", **scale))
            row[1].set_axis_off()
        count, *size = found.values.shape[1:]
        shape = " x ".join(map(str, size))
        axes[0, 0].set_title("image", fontsize=TITLE_SIZE)
        axes[0, 1].set_title(
            f"{found.layer}: {count} channels of {shape}" if size else f"{found.layer}: {count} units",
            fontsize=TITLE_SIZE,
            parse_math=False,
        )
        bar = axes[:, 1] if ax is None else ax
        self.figure_.colorbar(
            self.maps_[0], ax=bar, label="activation", shrink=max(0.3, 0.8 / len(pictures)), aspect=20
        )
        return self


def _as_maps(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channels of one image as pictures; a unit of a dense layer is one pixel, a row of values a flat picture."""
    if values.ndim == 3:
        return values
    return values.reshape(len(values), 1, -1)
