"""What a unit sees, drawn on an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from depthwise.analysis.regions import Rectangle
from depthwise.displays.asking import put_channels_first, read_module
from depthwise.displays.display import Display
from depthwise.displays.judging import judge, read_analysis
from depthwise.displays.pictures import OUTLINE, draw_picture, to_pictures, value_range
from depthwise.errors import DataError
from depthwise.inspection import EffectiveField, UnitField, find_unit_field, measure_effective_field
from depthwise.inspection.choosing import find_layer
from depthwise.inspection.effective_field import OUTSIDE
from depthwise.rules import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTOUR = "#56B4E9"
"""Sky blue of Okabe and Ito's palette, seen on dark and on light images."""
INCHES = 5.0
CODES = ("CAP", "COV", "SHP")
"""Beginnings of the codes of the rules that judge what a layer sees."""
FINE = 8
"""Points along the side of a pixel where a contour is drawn."""


class ReceptiveFieldDisplay(Display):
    """The rectangle of an image that a unit sees; the part that lies in the padding is hatched.

    Parameters
    ----------
    field
        What :func:`depthwise.inspection.find_unit_field` returns.
    effective
        What :func:`depthwise.effective_field` returns for the same unit; its contour encloses the pixels whose gradient
        is at least 1 - 95.45 % of the largest.
    findings
        What the rules say of the layer's field.

    Attributes
    ----------
    inside_, outside_ : matplotlib.patches.Rectangle or None
        The rectangle within the image, and the whole one where it goes beyond, after :meth:`plot`.
    contour_ : matplotlib.contour.QuadContourSet or None
        Of the effective field.

    Raises
    ------
    DataError
        The effective field was measured on images of another size, or for another unit.

    References
    ----------
    Luo, Li, Urtasun, Zemel: Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, NIPS
    2016.

    Examples
    --------
    >>> from torch import nn
    >>> display = ReceptiveFieldDisplay.from_estimator(
    ...     nn.Sequential(nn.Conv2d(1, 4, 5, padding=2)), np.zeros((1, 1, 9, 9)), unit=(0, 4)
    ... )
    >>> print(display.plot().axes_[0].get_title())
    0, unit (0, 4)
    sees 3 x 5 pixels of 5 x 5, hatched: padding
    """

    def __init__(
        self, field: UnitField, effective: EffectiveField | None = None, findings: Findings | None = None
    ) -> None:
        size = field.image.shape[1:]
        if effective is not None and (effective.gradients.shape != size or effective.unit != field.unit):
            raise DataError(
                f"effective: is of unit {effective.unit} on {effective.gradients.shape} pixels, but the field is of "
                f"unit {field.unit} on {size}. Measure it for the same unit."
            )
        self.field = field
        self.effective = effective
        self.findings = findings or Findings(())

    @classmethod
    def from_estimator(
        cls,
        net: Any,
        X: Any,
        layer: object = None,
        unit: tuple[int, ...] | None = None,
        *,
        effective: bool | EffectiveField = False,
    ) -> Self:
        """Find what a unit of a fitted estimator, or of a module, sees of the first image.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images; the first one is drawn.
        layer
            Name of a row of the table, or entry of ``net.layers_``; the last map by default.
        unit
            Position ``(y, x)`` in its map; the middle one by default.
        effective
            Whether to measure the effective field as well; or what was measured before.
        """
        module, images = read_module(net), put_channels_first(X)
        analysis = read_analysis(net, images.shape[1:])
        field = find_unit_field(analysis, images[0], layer, unit)
        if effective is True:
            part = find_layer(module, field.layer).part
            path = next(path for path, other in module.named_modules() if other is part)
            effective = measure_effective_field(module, images.shape[1:], path, field.unit)
        told = judge(net, CODES, images.shape[1:])
        return cls(field, effective or None, Findings(tuple(each for each in told if field.layer in each.layers)))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the image and the field, into ``ax`` if it is given, and return the display."""
        pictures = to_pictures(self.field.image[None])
        height, width = self.field.image.shape[1:]
        whole = self.field.unclipped or ((0, height - 1), (0, width - 1))
        (top, bottom), (left, right) = (
            (min(low, 0), max(high, side - 1)) for (low, high), side in zip(whole, (height, width), strict=True)
        )
        tall = min(max((bottom - top + 1) / (right - left + 1), 0.3), 3.0)
        own, ax = ax, self._start(ax, figsize=(INCHES, INCHES * tall + 0.7))
        draw_picture(ax, pictures[0], value_range(pictures))
        self.inside_, self.outside_, self.contour_ = None, None, None
        if self.field.unclipped not in (None, self.field.clipped):
            # Below the image, which covers all of it but what lies outside.
            self.outside_ = _draw_rectangle(ax, whole, -1, hatch="///", edgecolor=OUTLINE, facecolor="white")
        if self.field.clipped is not None:
            _draw_rectangle(ax, self.field.clipped, 2, linewidth=4.5, edgecolor="black", fill=False)
            self.inside_ = _draw_rectangle(ax, self.field.clipped, 3, linewidth=2.5, edgecolor=OUTLINE, fill=False)
        if self.effective is not None:
            x, y, within = _along_pixels(self.effective.gradients >= OUTSIDE)
            self.contour_ = ax.contour(
                x, y, within, levels=[0.5], colors=CONTOUR, linewidths=2.5, linestyles="--", zorder=5
            )
        margin = 0.5 + 0.02 * max(bottom - top, right - left)
        ax.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin))
        ax.set_title(self._title(), fontsize=10, parse_math=False)
        self._write_findings(own)
        return self

    def _title(self) -> str:
        field = self.field
        unit = f", unit {field.unit}" if field.unit else ""
        if field.clipped is None or field.unclipped is None:
            return f"{field.layer}{unit}: reads nothing but padding"
        seen, full = (_sides(rectangle) for rectangle in (field.clipped, field.unclipped))
        lines = [f"{field.layer}{unit}", f"sees {seen} pixels" + (f" of {full}, hatched: padding" * (seen != full))]
        if self.effective is not None:
            lines.append(f"effective field (dashed): {self.effective.area} pixels")
        return "\n".join(lines)


def _draw_rectangle(ax: Axes, rectangle: Rectangle, level: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle as Patch

    (top, bottom), (left, right) = rectangle
    return ax.add_patch(Patch((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1, zorder=level, **style))


def _along_pixels(within: NDArray[np.bool_]) -> tuple[Any, Any, Any]:
    """A mask so fine that its contour runs along the edges of the pixels; closed at the border of the image."""
    fine = np.pad(np.repeat(np.repeat(within, FINE, 0), FINE, 1), 1).astype(float)
    rows, columns = ((np.arange(side) - 0.5) / FINE - 0.5 for side in fine.shape)
    return columns, rows, fine


def _sides(rectangle: Rectangle) -> str:
    return " x ".join(str(last - first + 1) for first, last in rectangle)
