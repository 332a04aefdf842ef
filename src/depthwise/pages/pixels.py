"""Arrays -> pictures inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthwise.displays.pictures import to_pictures

SMALL = 64
"""Pictures up to this side are kept to the pixel (PNG); larger ones are photographs (JPEG)."""
LARGEST = 192
"""Side to which larger pictures are made smaller."""
QUALITY = 70


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes
    ----------
    source
        The file itself, as a ``data:`` address.
    alt
        What a reader who cannot see it has to know.
    width, height
        In pixels.
    """

    source: str
    alt: str
    width: int
    height: int

    @property
    def pixelated(self) -> bool:
        """Whether it is so small that its pixels are to be seen."""
        return max(self.width, self.height) < LARGEST


def to_picture(values: NDArray[Any], alt: str, largest: int = LARGEST, *, exact: bool = False) -> Picture:
    """Picture of values between 0 and 1, shape ``(height, width)`` or ``(height, width, 3 or 4)``.

    An `exact` one is no photograph: unless it has to be made smaller it is kept to the pixel.

    >>> to_picture(np.eye(8), "diagonal").source[:22]
    'data:image/png;base64,'
    """
    pixels = (np.nan_to_num(values[..., :3] if values.ndim == 3 else values).clip(0, 1) * 255).round().astype(np.uint8)
    image = Image.fromarray(pixels)
    kept = max(image.size) <= (largest if exact else SMALL)
    image.thumbnail((largest, largest))
    stream = BytesIO()
    kind = "png" if kept else "jpeg"
    image.save(stream, kind, optimize=True, **({"quality": QUALITY} if kind == "jpeg" else {}))
    text = base64.b64encode(stream.getvalue()).decode()
    return Picture(f"data:image/{kind};base64,{text}", alt, *image.size)


def scale_images(images: NDArray[Any]) -> NDArray[np.float32]:
    """Images as grey or color pictures between 0 and 1, all on one scale.

    >>> scale_images(np.array([[[[5.0, 10.0]]], [[[7.5, 10.0]]]])).tolist()
    [[[0.0, 1.0]], [[0.5, 1.0]]]
    """
    pictures = to_pictures(images)
    low, high = float(pictures.min()), float(pictures.max())
    if images.dtype == np.uint8 and pictures.ndim == 3:
        low, high = 0.0, 255.0
    if pictures.ndim == 4:
        return pictures
    scaled: NDArray[np.float32] = (pictures - low) / ((high - low) or 1.0)
    return scaled


def paint(artist: Any) -> NDArray[np.float64]:
    """The colors that a display gives to its values, shape ``(height, width, 4)``; opacity 0 where there are none."""
    colors: NDArray[np.float64] = artist.to_rgba(artist.get_array()).astype(np.float64)
    return colors


def lay_over(artist: Any, below: NDArray[Any]) -> NDArray[np.float64]:
    """A display's half-transparent map on a grey picture."""
    opacity = np.asarray(artist.get_alpha())[..., None]
    grey = below if below.ndim == 2 else below[..., :3].mean(-1)
    on_top: NDArray[np.float64] = opacity * paint(artist)[..., :3] + (1 - opacity) * grey[..., None]
    return on_top
