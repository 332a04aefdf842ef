"""What the compact form and the pattern share: a place in a text, bounds, and errors that mark the place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from depthwise.errors import DepthwiseError, NotationError
from depthwise.layers import Layer

MOST_LAYERS = 1000
"""Longest list that a text may stand for, layers inside residual blocks counted: repeats could ask for billions."""
MOST_NESTED = 20
"""Deepest brackets."""
MOST_DIGITS = 9

SPACE = re.compile(r"\s*")
WHOLE = re.compile(r"[0-9]+")
REAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")

SHOWN = 100  # characters of the text in an error


class Scanner:
    """A text that is read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    @property
    def at_end(self) -> bool:
        """Whether only blanks are left."""
        self.skip()
        return self.place == len(self.text)

    def skip(self) -> int:
        """Pass over blanks, and tell where that leads."""
        self.take(SPACE)
        return self.place

    def take(self, wanted: str | re.Pattern[str]) -> str:
        """Read what is wanted, the empty text where it does not stand here."""
        if isinstance(wanted, str):
            found = wanted if self.text.startswith(wanted, self.place) else ""
        else:
            match = wanted.match(self.text, self.place)
            found = match.group() if match else ""
        self.place += len(found)
        return found

    def count(self) -> int | None:
        """Read a whole number, ``None`` where none stands here."""
        start = self.place
        digits = self.take(WHOLE)
        if len(digits) > MOST_DIGITS:
            self.fail(f"the number has {len(digits)} digits but may have {MOST_DIGITS}. Write a smaller one.", start)
        return int(digits) if digits else None

    def times(self) -> int | None:
        """Read how often something is repeated, after blanks."""
        self.skip()
        return self.count()

    def real(self) -> float | None:
        """Read a number with or without a point, ``None`` where none stands here."""
        digits = self.take(REAL)
        return float(digits) if digits else None

    def token(self, start: int, ends: str) -> str:
        """What stands from there to the next blank or one of these characters."""
        match = re.compile(rf"[^\s{re.escape(ends)}]*").match(self.text, start)
        found = match.group() if match else ""
        return found if len(found) <= SHOWN else found[:SHOWN] + "..."

    def repeat(self, layers: list[Layer], times: int, start: int) -> list[Layer]:
        """The layers so many times, if that is not too many."""
        if count_layers(layers) * times > MOST_LAYERS:
            self.fail(f"the list has more than {MOST_LAYERS} layers. Repeat less.", start)
        return layers * times

    def nest(self, nesting: int) -> int:
        """One level of brackets more, if that is not too many."""
        if nesting == MOST_NESTED:
            self.fail(f"brackets stand in more than {MOST_NESTED} others. Nest less.", self.place - 1)
        return nesting + 1

    def make(self, build: Callable[[], Layer], start: int) -> Layer:
        """Build a layer; what it refuses becomes an error of this text."""
        try:
            return build()
        except DepthwiseError as problem:
            self.fail(str(problem), start)

    def fail(self, message: str, place: int | None = None) -> NoReturn:
        """Raise an error that shows the text and marks the place under it."""
        place = self.place if place is None else place
        whole = repr(self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 3] + "...")
        start = max(0, place - SHOWN // 2)
        # A line break or a tab in the text would move the mark away from its place.
        line = "".join(char if char.isprintable() else " " for char in self.text[start : start + SHOWN])
        before, after = "..." if start else "", "..." if start + SHOWN < len(self.text) else ""
        mark = " " * (len(before) + place - start) + "^"
        raise NotationError(
            f"cannot read {whole} at character {place + 1}:\n    {before}{line}{after}\n    {mark}\n{message}"
        )


def count_layers(layers: list[Layer] | tuple[Layer, ...]) -> int:
    """Number of layers, those inside residual blocks included.

    >>> from depthwise.layers import Dense, Residual
    >>> count_layers([Dense(8), Residual([Dense(8), Dense(8)])])
    4
    """
    return sum(1 + sum(count_layers(branch) for _, branch in layer.branches) for layer in layers)
