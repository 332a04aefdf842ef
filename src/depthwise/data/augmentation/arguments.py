"""Arguments of the transforms, checked and stored in one form."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real
from typing import Literal, TypeAlias

from depthwise.errors import TrainingError

Range: TypeAlias = float | tuple[float, float]
"""How far to go either way, or (lowest, highest); stored as the latter."""
Fill: TypeAlias = Literal["reflect", "edge"] | float
"""What stands outside of an image: it mirrored at its outermost pixels, those pixels repeated, or a value."""


@dataclass(frozen=True)
class Bounds:
    """Numbers that are allowed: from `least` to `most`, greater than `above` and less than `below`.

    Examples
    --------
    >>> 0 in Bounds(least=0, most=1), 0 in Bounds(above=0), float("nan") in Bounds()
    (True, False, False)
    >>> print(Bounds(above=-90, below=90))
    above -90 and below 90
    """

    least: float = -inf
    most: float = inf
    above: float = -inf
    below: float = inf

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool) or not isfinite(value):
            return False
        number = float(value)
        return self.least <= number <= self.most and self.above < number < self.below

    def __str__(self) -> str:
        limits = {"at least": self.least, "at most": self.most, "above": self.above, "below": self.below}
        return " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if isfinite(limit))


def set_number(record: object, name: str, bounds: Bounds) -> None:
    """Store an argument of a frozen record as a number.

    Raises
    ------
    TrainingError
        It is none, or beyond the bounds.
    """
    value = getattr(record, name)
    if value not in bounds:
        raise TrainingError(f"{type(record).__name__}: {name} is {value!r} but must be a number, {bounds}.")
    object.__setattr__(record, name, float(value))


def set_range(record: object, name: str, bounds: Bounds, center: float | None = 0) -> None:
    """Store an argument of a frozen record as (lowest, highest).

    Parameters
    ----------
    record, name, bounds
        As of `set_number`.
    center
        What a single number is counted from, ``None`` if only a pair makes sense.

    Raises
    ------
    TrainingError
        It is neither a number nor a pair in order, or beyond the bounds.
    """
    value = getattr(record, name)
    pair = (center - value, center + value) if center is not None and value in Bounds() else value
    try:
        low, high = pair
    except (TypeError, ValueError):
        low = high = None
    if low not in bounds or high not in bounds or low > high:
        number = "" if center is None else f"a number, how far to go from {center:g} either way, or "
        limits = f", {bounds}" if str(bounds) else ""
        raise TrainingError(
            f"{type(record).__name__}: {name} is {value!r} but must be {number}a pair (lowest, highest){limits}."
        )
    object.__setattr__(record, name, (float(low), float(high)))


def set_fill(record: object, fill: object, *words: str) -> None:
    """Store the fill of a frozen record as one of the words, or as a number.

    Raises
    ------
    TrainingError
        It is neither.
    """
    if isinstance(fill, str) and fill in words:
        return
    if fill not in Bounds():
        listed = ", ".join(map(repr, words))
        raise TrainingError(f"{type(record).__name__}: fill is {fill!r} but must be {listed} or a number.")
    object.__setattr__(record, "fill", float(fill))  # type: ignore[arg-type]
