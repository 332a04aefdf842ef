"""What a channel looks for: the images that excite it most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from depthwise.displays.asking import read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.pictures import OUTLINE, TITLE_SIZE, draw_picture, make_grid, to_pictures, value_range
from depthwise.errors import DataError
from depthwise.inspection import Exciting, find_exciting
from depthwise.inspection.unit_field import crop_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLER = 0.62
"""Of these pictures there are many beside each other."""


class ExcitingImagesDisplay(Display):
    """A row a channel: the images in which it is largest, each followed by the part of it that the channel sees there.

    Parameters
    ----------
    found
        What :func:`depthwise.inspection.find_exciting` returns.

    Attributes
    ----------
    images_, crops_ : list of matplotlib.image.AxesImage
        What was drawn, channel by channel, after :meth:`plot`.
    frames_ : list of matplotlib.patches.Rectangle or None
        What the channel sees of each image; ``None`` where that is not known.

    Raises
    ------
    DataError
        There is no channel to show.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    >>> display = ExcitingImagesDisplay.from_estimator(net, torch.rand(5, 1, 8, 8), n_images=2).plot()
    >>> len(display.axes_), display.crops_[0].get_array().shape
    (8, (3, 3))
    """

    def __init__(self, found: tuple[Exciting, ...]) -> None:
        if not found:
            raise DataError("found: holds no channel. Name at least one.")
        self.found = found

    @classmethod
    def from_estimator(
        cls, net: Any, X: Any, layer: object = None, channels: Any = None, *, n_images: int = 4, **options: Any
    ) -> Self:
        """Find the images for a fitted estimator or a module; by default for the strongest channels of its last map.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images, the more the better.
        layer, channels, n_images
            As for :func:`depthwise.inspection.find_exciting`.
        **options
            Its ``max_bytes``.
        """
        module, images = read_module(net), read_pictures(net, X)
        return cls(find_exciting(module, images, channels, layer, n_images=n_images, **options))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the images, into ``ax`` if it is given, and return the display."""
        from matplotlib.patches import Rectangle

        pictures = to_pictures(np.concatenate([one.images for one in self.found]))  # on one scale
        limits, count = value_range(pictures), len(self.found[0].images)
        self.figure_, axes = make_grid(ax, len(self.found), 2 * count, self.found[0].images.shape[2:])
        if ax is None:
            width, height = self.figure_.get_size_inches()
            self.figure_.set_size_inches(SMALLER * width, SMALLER * height)
        self.axes_ = list(axes.ravel())
        self.images_, self.crops_, self.frames_ = [], [], []
        for place, picture in enumerate(pictures):
            one, rank = self.found[place // count], place % count
            whole, part = axes[place // count, 2 * rank : 2 * rank + 2]
            region = one.regions[rank]
            draw_picture(whole, picture, limits)
            whole.set_title(f"{one.values[rank]:.3g}, image {one.rows[rank]}", fontsize=TITLE_SIZE)
            frame, seen = None, picture
            if region is not None and region.clipped is not None:
                (top, bottom), (left, right) = region.clipped
                sides = right - left + 1, bottom - top + 1
                frame = Rectangle((left - 0.5, top - 0.5), *sides, fill=False, edgecolor=OUTLINE, linewidth=1.5)
                whole.add_patch(frame)
                seen = crop_image(picture[None], region.clipped)[0]
            draw_picture(part, seen, limits)
            self.images_ += whole.get_images()
            self.crops_ += part.get_images()
            self.frames_.append(frame)
        for row, one in zip(axes, self.found, strict=True):
            row[0].set_ylabel(f"channel {one.channel}", fontsize=TITLE_SIZE)
        if ax is None:
            title = f"{self.found[0].layer}: the images that excite a channel most, and what it sees of them"
            self.figure_.suptitle(title, fontsize=10, parse_math=False)
        return self
