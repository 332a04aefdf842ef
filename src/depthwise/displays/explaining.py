"""An image, a map of it, and both together: what occlusion, saliency and class activation share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from depthwise.displays.display import Display
from depthwise.displays.pictures import (
    MAGNITUDE,
    SIGNED,
    STRONGEST,
    draw_picture,
    make_grid,
    to_grey,
    to_pictures,
    value_range,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE_SIZE = 9


class ExplanationDisplay(Display):
    """A row an image: the image, its map, and the map on the image.  All maps have one scale.

    Attributes
    ----------
    images_, maps_ : list of matplotlib.image.AxesImage
        What was drawn in the first and in the second column, after :meth:`plot`.
    overlays_ : list of matplotlib.image.AxesImage
        Maps on top of images, the more opaque the larger, after :meth:`plot`.
    """

    images_: list[Any]
    maps_: list[Any]
    overlays_: list[Any]

    def _draw(
        self,
        ax: Axes | None,
        images: NDArray[Any],
        maps: NDArray[np.float32],
        lines: list[str],
        *,
        titles: tuple[str, str],
        signed: bool,
    ) -> Self:
        pictures = to_pictures(images)
        grey, limits = to_grey(pictures), value_range(pictures)
        largest = float(np.abs(maps).max()) or 1.0
        scale: dict[str, Any] = {
            "cmap": SIGNED if signed else MAGNITUDE,
            "vmin": -largest if signed else 0.0,
            "vmax": largest,
        }
        self.figure_, axes = make_grid(ax, len(images), 3, images.shape[2:])
        self.axes_ = list(axes.ravel())
        self.images_, self.maps_, self.overlays_ = [], [], []
        for row, picture, below, found, line in zip(axes, pictures, grey, maps, lines, strict=True):
            draw_picture(row[0], picture, limits)
            self.images_ += row[0].get_images()
            self.maps_.append(row[1].imshow(found, interpolation="nearest", **scale))
            draw_picture(row[2], below, value_range(grey))
            opacity = STRONGEST * np.abs(found).clip(0, largest) / largest
            self.overlays_.append(row[2].imshow(found, alpha=opacity, interpolation="nearest", **scale))
            row[0].set_title(line, fontsize=TITLE_SIZE)
        for place, title in enumerate((titles[0], "superimposed"), 1):
            axes[0, place].set_title(title, fontsize=TITLE_SIZE)
        bar = axes[:, 2] if ax is None else ax
        self.figure_.colorbar(self.maps_[0], ax=bar, label=titles[1], shrink=max(0.25, 0.8 / len(images)), aspect=20)
        return self
