"""What one unit sees of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthwise.analysis import Analysis
from depthwise.analysis.regions import Rectangle, Region
from depthwise.errors import DataError, GraphError
from depthwise.layers.shapes import format_shape


@dataclass(frozen=True, eq=False)
class UnitField:
    """The rectangle of an image that one unit of a layer sees.

    Attributes
    ----------
    layer, unit
        Name of a row of the analysis, and the unit's position ``(y, x)`` in its map; ``()`` where it has none.
    image
        Its pixels as given, shape ``(channels, height, width)``.
    region
        Its real pixels and the same as if the image had no border; first and last pixel, both included.
    """

    layer: str
    unit: tuple[int, ...]
    image: NDArray[Any]
    region: Region

    @property
    def clipped(self) -> Rectangle | None:
        """``((top, bottom), (left, right))`` within the image; ``None`` where the unit reads nothing but padding."""
        return self.region.clipped

    @property
    def unclipped(self) -> Rectangle | None:
        """The same with what lies in the padding; may be negative or beyond the image."""
        return self.region.unclipped

    @property
    def crop(self) -> NDArray[Any]:
        """The part of the image that the unit sees, shape ``(channels, height, width)``; empty for padding alone."""
        return crop_image(self.image, self.clipped)


def find_unit_field(
    analysis: Analysis, image: ArrayLike, layer: object = None, unit: tuple[int, ...] | None = None
) -> UnitField:
    """Rectangle of an image that one unit sees.

    Parameters
    ----------
    analysis
        What :func:`depthwise.analyze` says of the network, trained or not.
    image
        Shape ``(channels, height, width)``.
    layer
        Name or index of a row, or entry of ``net.layers_``; the last map by default.
    unit
        Position ``(y, x)`` in the layer's map; the middle one by default.

    Raises
    ------
    GraphError
        There is no such layer or unit, or no layer gives a map.
    DataError
        The image has another shape than the network was analyzed for.

    Examples
    --------
    >>> from depthwise.analysis import analyze_graph
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D
    >>> analysis = analyze_graph(Graph.from_layers([Conv2D(8, padding="same")]).at((1, 28, 28)))
    >>> field = find_unit_field(analysis, np.zeros((1, 28, 28)), "conv2d1", (0, 5))
    >>> field.unclipped, field.crop.shape
    (((-1, 1), (4, 6)), (1, 2, 3))
    """
    pixels = np.array(image)
    if pixels.shape != analysis.input_shape:
        raise DataError(
            f"image: is {format_shape(pixels.shape)} but the network is made for {format_shape(analysis.input_shape)}. "
            "Give one image of that shape."
        )
    if pixels.ndim != 3:
        raise DataError(f"image: has {pixels.ndim} axes, but only one of (channels, height, width) can be looked at.")
    name: Any = getattr(layer, "name", layer)
    if name is None:
        maps = [row.name for row in analysis.layers[1:] if row.receptive_field is not None]
        if not maps:
            raise GraphError("the network has no map, hence no units that see a part of the image.")
        name = maps[-1]
    names = [row.name for row in analysis.layers]
    if isinstance(name, int) and -len(names) <= name < len(names):
        name = names[name]
    if not isinstance(name, str):
        raise GraphError(f"there is no layer {name!r}. There are: {', '.join(names)}.")
    size = tuple(side or 0 for side in analysis[name].output_shape[1:])
    place = tuple(side // 2 for side in size) if unit is None else tuple(unit)
    return UnitField(name, place, pixels, analysis.region(name, place))


def crop_image(image: NDArray[Any], rectangle: Rectangle | None) -> NDArray[Any]:
    """The pixels of a rectangle, both ends included; none where there is no rectangle."""
    if rectangle is None:
        return image[:, :0, :0]
    (top, bottom), (left, right) = rectangle
    return image[:, top : bottom + 1, left : right + 1]
