"""An image, a map of it, and both together: what occlusion, saliency and class activation share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from depthwise.displays.asking import name_outputs, read_classes, read_module, read_pictures, title_classes
from depthwise.displays.display import Display
from depthwise.displays.pictures import (
    MAGNITUDE,
    SIGNED,
    STRONGEST,
    TITLE_SIZE,
    draw_picture,
    make_grid,
    to_grey,
    to_pictures,
    value_range,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ExplanationDisplay(Display):
    """A row an image: the image, its map, and the map on the image.  All maps have one scale.

    Parameters
    ----------
    found
        What the display's own function of :mod:`depthwise.inspection` returns.
    names
        Names of the classes.

    Attributes
    ----------
    images_, maps_ : list of matplotlib.image.AxesImage
        What was drawn in the first and in the second column, after :meth:`plot`.
    overlays_ : list of matplotlib.image.AxesImage
        Maps on top of images, the more opaque the larger, after :meth:`plot`.
    """

    compute: ClassVar[Callable[..., Any]]
    """From a module, images and classes to what is shown."""
    images_: list[Any]
    maps_: list[Any]
    overlays_: list[Any]

    def __init__(self, found: Any, names: list[str] | None = None) -> None:
        self.found = found
        self.names = names

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """Explain what a fitted estimator, or a module, says of images.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images.
        y
            Classes to explain, one for each image or for all (of a module or a regressor: columns of the output); by
            default the predicted ones.  Where two classes share one output, the second is explained.
        **options
            Further arguments of the function that is named above.
        """
        module, images = read_module(net), read_pictures(net, X)
        classes, names = read_classes(net, y, len(images)), name_outputs(net)
        if names is not None and len(names) == 1:
            classes = None  # the only output explains both classes; what speaks against one speaks for the other
        return cls(cls.compute(module, images, classes, **{**cls._options(net), **options}), names)

    @classmethod
    def _options(cls, net: Any) -> dict[str, Any]:
        """Arguments that the network decides."""
        return {}

    def _titles(self) -> tuple[str, str, bool]:
        """Title of the maps, label of their scale, and whether they have signs."""
        raise NotImplementedError

    def _lines(self) -> list[str]:
        """What stands above each image."""
        return title_classes(self.found, self.names)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a row an image, into ``ax`` if it is given, and return the display."""
        images, maps, lines = self.found.images, self.found.maps, self._lines()
        title, label, signed = self._titles()
        pictures = to_pictures(images)
        grey, limits = to_grey(pictures), value_range(pictures)
        largest = float(np.abs(maps).max()) or 1.0
        scale: dict[str, Any] = {
            "cmap": SIGNED if signed else MAGNITUDE,
            "vmin": -largest if signed else 0.0,
            "vmax": largest,
        }
        self.figure_, axes = make_grid(ax, len(images), 3, images.shape[2:], lines)
        self.axes_ = list(axes.ravel())
        self.images_, self.maps_, self.overlays_ = [], [], []
        for row, picture, below, found, line in zip(axes, pictures, grey, maps, lines, strict=True):
            draw_picture(row[0], picture, limits)
            self.images_ += row[0].get_images()
            self.maps_.append(row[1].imshow(found, interpolation="nearest", **scale))
            draw_picture(row[2], below, value_range(grey))
            opacity = STRONGEST * np.abs(found).clip(0, largest) / largest
            self.overlays_.append(row[2].imshow(found, alpha=opacity, interpolation="nearest", **scale))
            row[0].set_title(line, fontsize=TITLE_SIZE, parse_math=False)
        for place, text in enumerate((title, "superimposed"), 1):
            axes[0, place].set_title(text, fontsize=TITLE_SIZE, parse_math=False)
        bar = axes[:, 2] if ax is None else ax
        self.figure_.colorbar(self.maps_[0], ax=bar, label=label, shrink=max(0.25, 0.8 / len(images)), aspect=20)
        return self
