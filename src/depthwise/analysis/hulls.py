"""What all units of a map see along one axis, exactly, phases of enlarged maps included; knows no operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple

View = tuple[int, int]
"""First and last pixel of the image, not clipped to it."""


MOST_PHASES = 1 << 8
"""Factors of upsampling multiply: eight doublings without a reduction between them."""


class Hull(NamedTuple):
    """Views of the units of a map: they repeat, moved along, after so many units.

    Where nothing is enlarged one view tells all: unit o sees unit 0's, moved by o jumps.  Behind an upsampling or a
    transposed convolution neighboring units see the same pixels or see with another number of taps, so one view is
    kept for each phase.

    Attributes
    ----------
    views
        Those of the first units, one a phase; ``None`` where a unit reads nothing (between the kernels of a transposed
        convolution whose stride exceeds them).
    shift
        Pixels by which the views of the next as many units are moved.

    Examples
    --------
    >>> pixel = Hull(((0, 0),), 1)
    >>> pooled = pixel.windowed(2, 2, 0)
    >>> pooled, pooled.moved(1, 2, lambda unit: [unit // 2])
    (Hull(views=((0, 1),), shift=2), Hull(views=((0, 1), (0, 1)), shift=2))
    """

    views: tuple[View | None, ...]
    shift: int

    @property
    def size(self) -> int:
        """Pixels that a unit sees, in the phase that sees most; 0 where all units read nothing."""
        return max((end - start + 1 for start, end in filter(None, self.views)), default=0)

    @property
    def center(self) -> float | None:
        """Middle of unit 0's view, as the mean over the phases tells it; ``None`` where all units read nothing."""
        seen = [(unit, view) for unit, view in enumerate(self.views) if view is not None]
        if not seen:
            return None
        moved = self.shift * sum(unit for unit, _ in seen) / len(self.views)
        return (sum(start + end for _, (start, end) in seen) / 2 - moved) / len(seen)

    def at(self, unit: int) -> View | None:
        """View of any unit, also of one beyond the border of the map."""
        rounds, phase = divmod(unit, len(self.views))
        view = self.views[phase]
        return None if view is None else (view[0] + rounds * self.shift, view[1] + rounds * self.shift)

    def windowed(self, span: int, stride: int, before: int) -> Hull:
        """Views behind a window of so many taps side by side, `before` of them in front of unit 0."""
        if len(self.views) == 1 and self.views[0] is not None:
            start, end = self.views[0]
            first = start - before * self.shift
            return Hull(((first, end + (span - 1 - before) * self.shift),), self.shift * stride)
        return self.moved(stride, 1, lambda unit: range(unit * stride - before, unit * stride - before + span))

    def moved(self, steps: int, units: int, reads: Callable[[int], Iterable[int]], side: int = 1) -> Hull:
        """Views behind an operation that moves on by `steps` units of its input in so many of its output.

        ``reads`` tells which units of its input a unit reads.  Beyond `MOST_PHASES` (a map that is resized by an odd
        factor) one phase is kept for each of the `side` units of the map.
        """
        entered = units * len(self.views)
        period = entered // gcd(steps, entered)
        if period <= MOST_PHASES:
            shift = self.shift * (period * steps // entered)
        else:
            period = max(side, 1)
            shift = round(Fraction(self.shift * period * steps, entered))
        return Hull(tuple(join_views(map(self.at, reads(unit))) for unit in range(period)), shift)

    def joined(self, other: Hull, side: int) -> Hull:
        """Views of both ways into a map of so many units."""
        if self == other:
            return self
        if self.shift * len(other.views) == other.shift * len(self.views):
            period = lcm(len(self.views), len(other.views))
            views = tuple(join_views((self.at(unit), other.at(unit))) for unit in range(period))
            return Hull(views, self.shift * period // len(self.views))
        return self._overlaid(other, side)

    def _overlaid(self, other: Hull, side: int) -> Hull:
        """Two ways of unequal jumps drift apart: the views that hold every unit's, at the larger jump."""
        slow, fast = sorted((self, other), key=lambda hull: Fraction(hull.shift, len(hull.views)))
        period = len(fast.views)

        def moved_back(unit: int) -> list[View]:
            by = unit // period * fast.shift
            return [(view[0] - by, view[1] - by) for view in (slow.at(unit), fast.at(unit)) if view is not None]

        phases = [[view for unit in range(phase, side, period) for view in moved_back(unit)] for phase in range(period)]
        return Hull(tuple(map(join_views, phases)), fast.shift)


def join_views(views: Iterable[View | None]) -> View | None:
    """Smallest view that holds all."""
    seen = [view for view in views if view is not None]
    return (min(start for start, _ in seen), max(end for _, end in seen)) if seen else None
