"""What the rules allow along one side of the image: fields, sizes and bounds of one convolution or pool more.

With jump j, kernel k, and v what a unit sees by the chosen measure::

    convolution       v' = v + (k - 1) j       allowed while k j / v' >= least capacity and v' / side <= most coverage
    2-pool            v' = v (reach), v + j (receptive field);   j' = 2 j
    stride of 2       a convolution, then j' = 2 j
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple


class Axis(NamedTuple):
    """Where a network has come to along one axis.

    Attributes
    ----------
    jump
        Input pixels between neighboring units.
    seen
        What a unit sees of the image, by the chosen measure.
    side
        Units of the map.
    """

    jump: int
    seen: int
    side: int


@dataclass(frozen=True)
class AxisRules:
    """Bounds and sizes along one axis.

    Attributes
    ----------
    side, kernel
        Of the image, and of all convolutions.
    same
        Whether convolutions are padded to keep the size.
    strided
        Whether convolutions halve the map rather than pools.
    counts_pools
        Whether a pool widens what is seen: so for the receptive field, not for the reach.
    min_capacity, coverage
        Bounds; coverage is at least the first behind the last convolution, and nowhere above the second.
    keeps_pixels
        Whether every pixel of the image must be read.
    """

    side: int
    kernel: int
    same: bool
    strided: bool
    counts_pools: bool
    min_capacity: Fraction
    coverage: tuple[Fraction, Fraction]
    keeps_pixels: bool

    def start(self) -> Axis:
        """The image."""
        return Axis(1, 1, self.side)

    def convolve(self, axis: Axis) -> Axis | None:
        """One convolution more; ``None`` where it breaks a rule."""
        return self._seen(axis, axis.side if self.same else axis.side - self.kernel + 1)

    def halve(self, axis: Axis) -> Axis | None:
        """The map halved, by a pool, or by a convolution of stride 2."""
        if not self.strided:
            # A pool leaves the last row of an odd map over.  Padded convolutions before it have looked at that row from
            # its neighbor; to unpadded ones it is the only way of some pixels.
            if axis.side < 2 or (axis.side % 2 and not self.same and self.keeps_pixels):
                return None
            return Axis(2 * axis.jump, axis.seen + self.counts_pools * axis.jump, axis.side // 2)
        steps, rest = divmod(axis.side - self.kernel, 2)
        if not self.same and rest and self.keeps_pixels:
            return None
        seen = self._seen(axis, -(-axis.side // 2) if self.same else steps + 1)
        return None if seen is None else seen._replace(jump=2 * axis.jump)

    def _seen(self, axis: Axis, side: int) -> Axis | None:
        jump, seen = axis.jump, axis.seen + (self.kernel - 1) * axis.jump
        most, least = self.coverage[1], self.min_capacity
        if side < 1 or seen * most.denominator > most.numerator * self.side:
            return None
        if self.kernel * jump * least.denominator < least.numerator * seen:
            return None
        return Axis(jump, seen, side)

    def sees_enough(self, axis: Axis) -> bool:
        """Whether the network may end here."""
        least = self.coverage[0]
        return axis.seen * least.denominator >= least.numerator * self.side

    def capacity(self, axis: Axis) -> Fraction:
        """Capacity of the convolution that came to this place without a stride."""
        return min(Fraction(1), Fraction(self.kernel * axis.jump, axis.seen))

    def coverage_at(self, axis: Axis) -> Fraction:
        """Share of the image's side that is seen."""
        return Fraction(axis.seen, self.side)
