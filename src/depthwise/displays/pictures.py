"""Images as matplotlib draws them, and the grids that they stand in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLOR = (3, 4)
"""Channels that are colors; the last of four is opacity."""
SIGNED = "RdBu_r"
"""Red above zero and blue below, told apart by color-blind readers too."""
MAGNITUDE = "cividis"
"""Made to look alike to readers of any color vision (Nuñez, Anderton and Renslow, PLoS ONE 2018)."""
OUTLINE = "#D55E00"
"""Vermillion of Okabe and Ito's palette, seen on dark and on light images: frames what is seen of an image."""
STRONGEST = 0.85
"""Opacity of the largest value of a map that lies on an image."""
INCHES = 2.1
"""Side of one picture."""
TITLE_SIZE = 9
"""Points of the text above a picture."""
LINE_INCHES = 0.16
"""Height of a line of a title."""
SPACE = 0.12
"""Between pictures in axes of the caller, as a share of a picture."""


def to_pictures(images: NDArray[Any]) -> NDArray[np.float32]:
    """Images of shape ``(n, channels, height, width)`` as grey ``(n, height, width)`` or color ``(..., 3 or 4)``.

    Values stay as given, but that colors, which have to lie between 0 and 1, share one scale: bytes are divided by 255;
    other values beyond 0 and 1 are put between the least and the largest of all images.  Of two or of more than four
    channels the mean is shown.

    >>> to_pictures(np.full((1, 3, 2, 2), 255, np.uint8)).max()
    np.float32(1.0)
    """
    if images.shape[1] not in COLOR:
        grey: NDArray[np.float32] = images.mean(1, dtype=np.float32)
        return grey
    colors: NDArray[np.float32] = images.astype(np.float32).transpose(0, 2, 3, 1)
    if images.dtype == np.uint8:
        return colors / np.float32(255)
    low, high = float(colors.min()), float(colors.max())
    if low >= 0 and high <= 1:
        return colors
    scaled: NDArray[np.float32] = ((colors - low) / ((high - low) or 1.0)).astype(np.float32)
    return scaled


def draw_picture(ax: Axes, picture: NDArray[np.float32], limits: tuple[float, float]) -> None:
    """Draw an image; grey ones between two values that all images share."""
    low, high = limits
    ax.imshow(picture, cmap="gray", vmin=low, vmax=high if high > low else low + 1, interpolation="nearest")


def to_grey(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures without colors, to lie below a map that has some."""
    return pictures if pictures.ndim == 3 else pictures[..., :3].mean(-1)


def value_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """Least and largest value."""
    return float(values.min()), float(values.max())


def draw_grid(
    ax: Axes | None, images: NDArray[Any], titles: Sequence[str] = (), most_columns: int | None = None
) -> tuple[Figure, NDArray[Any], list[AxesImage]]:
    """Draw images side by side on one scale, in a grid about as high as wide; returns axes and drawn images too.

    Parameters
    ----------
    ax
        Axes to draw within; ``None`` for a new figure.
    images
        Shape ``(n_images, channels, height, width)``.
    titles
        One for each image, or none.
    most_columns
        Images in a row at most.
    """
    pictures = to_pictures(images)
    count, limits = len(pictures), value_range(pictures)
    columns = min(ceil(sqrt(count)), most_columns or count)
    figure, axes = make_grid(ax, ceil(count / columns), columns, images.shape[2:], titles)
    for panel, picture in zip(axes.flat, pictures, strict=False):
        draw_picture(panel, picture, limits)
    for panel, title in zip(axes.flat, titles, strict=False):
        panel.set_title(title, fontsize=TITLE_SIZE, parse_math=False)
    for panel in axes.flat[count:]:
        panel.set_axis_off()
    return figure, axes, [artist for panel in axes.flat for artist in panel.get_images()]


def make_grid(
    ax: Axes | None, rows: int, columns: int, shape: tuple[int, ...], titles: Iterable[str] = ()
) -> tuple[Figure, NDArray[Any]]:
    """Axes without ticks for pictures of one shape: a new figure outside pyplot, or within the caller's axes.

    The longest of the titles decides how much room there is above each picture.
    """
    height, width = shape
    tall = INCHES * min(max(height / width, 0.4), 2.5)
    if ax is None:
        from matplotlib.figure import Figure

        lines = max((title.count("\n") + 1 for title in titles), default=1)
        high = rows * (tall + LINE_INCHES * lines + 0.1) + 0.3
        figure = Figure(figsize=(columns * INCHES + 1.0, high), layout="constrained")  # a color bar beside them
        axes = figure.subplots(rows, columns, squeeze=False)
    else:
        ax.set_axis_off()
        figure = ax.figure  # type: ignore[assignment]
        wide, high = 1 / (columns + SPACE * (columns - 1)), 1 / (rows + 2 * SPACE * (rows - 1))
        axes = np.array(
            [
                [
                    ax.inset_axes((
                        column * wide * (1 + SPACE), 1 - high - row * high * (1 + 2 * SPACE), wide, high
                    ))
                    for column in range(columns)
                ]
                for row in range(rows)
            ]
        )  # fmt: skip
    for each in axes.ravel():
        each.set(xticks=[], yticks=[])
    return figure, axes
