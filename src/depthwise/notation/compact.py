"""The compact form of the literature: ``1x28x28-32C3-MP2-64C3s2p1-BN-64N-D0.5-10N``.

Layers stand in order with ``-`` between them; blanks may stand around them.  Capitals name the layer, a number before
them is its width, numbers behind them are its kernel, small letters its options, ``+`` its norm and ``:`` its
activation::

    1x28x28   input of 1 channel, 28 px high and 28 wide; 784 of 784 values; IN of a shape that the data tell
    32C3      convolution, 32 channels, 3x3 kernel          DW3      depthwise convolution
    64S3      separable convolution, 64 channels            16T4s2   transposed convolution, 16 channels
    MP2       max pooling                                   AP2      average pooling
    GAP       global average pooling                        GMP      global max pooling
    UP2       upsampling by 2; UP2b bilinear                ZP1      zero padding; ZPt1b2l0r1 by side
    BN        batch norm; m0.01 momentum, e0.001 eps        GN8      group norm, 8 groups; e0.001 eps
    A:gelu    activation                                    LR0.01   leaky ReLU, slope 0.01
    D0.5      dropout                                       SD0.5    spatial dropout
    F         flatten                                       64N      dense, 64 units
    10N       as the last layer: output, 10 units           N        as the last layer: output, width from the data
    R(a-b)    residual block, the identity beside it        R(a-b|c) the same with shortcut c
    [a-b]*3   repeated 3 times; brackets may stand in brackets

    C3x5      kernel 3 high and 5 wide; likewise every pair: s2x1, MP2x1, UP1x2, ZP0x1
    s2        stride; of a pool without it: its kernel      d2       dilation
    p1        padding, 1 px                                 ps       padding "same", output side ceil(n / stride)
    g4        groups (C, T)                                 m2       filters for each channel (DW)
    o1        output padding (T)                            c        a last, partial window counts (MP, AP)
    nb        no bias (C, DW, S, T, N)
    CB        with batch norm before its activation; also DWB, SB, TB
    +GN8      with this norm before its activation: +GN8, +BNm0.01
    :tanh     activation of C, DW, S, T, N, R; ReLU without it, :none is none

A number that is left out is the layer's own: ``32Cps`` is 3x3, ``MP`` 2x2, ``D`` 0.5.  Options may stand in any order,
each once.  ``10N`` is an output only as the very last layer of the whole list and with no activation written:
``10N:relu`` and ``10N:none`` are dense layers, and so is each ``N`` in brackets or a residual block.  Own names and
wiring (``name=``, ``inputs=``, and with it Add and Concat) cannot be said; TOML files carry them.
"""

from __future__ import annotations

import re
from typing import Any

from depthwise.errors import NotationError, did_you_mean
from depthwise.layers import Dense, Input, Layer, Output, Residual, ZeroPad2D
from depthwise.layers.layer import ACTIVATIONS, NO_ACTIVATION
from depthwise.notation.scanner import MOST_LAYERS, Scanner, count_layers
from depthwise.notation.words import COUNTS, FLAGS, NORMED, NORMS, REALS, SIDES, WORDS, Word

ENDS = "-()[]|"
CAPITALS = re.compile(r"[A-Z]+")
SMALL = re.compile(r"(?=[a-z])")
SHAPE = re.compile(rf"[0-9]+(x[0-9]+)*(?=[\s{re.escape(ENDS)}]|$)")
NAME = re.compile(r"[A-Za-z0-9_]*")


def read_compact(text: str) -> tuple[Layer, ...]:
    """Read the compact form.

    Raises
    ------
    NotationError
        The text is no layer list; the message marks the place.

    Examples
    --------
    >>> read_compact("8C5-[R(8CBps:none)]*2-N")
    (Conv2D(8, kernel_size=5), Residual((Conv2D(8, padding='same', activation=None, norm='batch'),)), \
Residual((Conv2D(8, padding='same', activation=None, norm='batch'),)), Output())
    """
    reader = _Reader(text)
    if reader.at_end:
        reader.fail("there is no layer. Write some with '-' between them, as in 32C3-MP2-10N.")
    layers = reader.sequence(0)
    if not reader.at_end:
        reader.fail(f"{reader.rest!r} is left over. Write '-' between layers, and close only brackets that are open.")
    return tuple(layers)


class _Reader(Scanner):
    """Reads the compact form, one method for each rule of its grammar."""

    @property
    def rest(self) -> str:
        """What stands here, up to the end of the layer."""
        return self.token(self.place, ENDS) or self.text[self.place : self.place + 1]

    def sequence(self, nesting: int) -> list[Layer]:
        """Layers with ``-`` between them."""
        layers: list[Layer] = []
        total = 0
        while True:
            start = self.skip()
            more = self.item(nesting, first=nesting == 0 and not layers)
            total += count_layers(more)
            if total > MOST_LAYERS:
                self.fail(f"the list has more than {MOST_LAYERS} layers. Write less.", start)
            layers += more
            self.skip()
            if not self.take("-"):
                return layers

    def item(self, nesting: int, first: bool) -> list[Layer]:
        """One layer, or a group that is repeated."""
        start = self.place
        if self.take("["):
            layers = self.sequence(self.nest(nesting))
            self.close("]", start)
            self.skip()
            place = self.place
            times = self.times() if self.take("*") else None
            if not times:
                self.fail("brackets need '*' and a number of 1 or more behind them. Write [64C3]*2.", place)
            return self.repeat(layers, times, start)
        if self.take("R("):
            return [self.residual(nesting, start)]
        layer = self.shape(start) if self.take(SHAPE) else self.layer()
        if isinstance(layer, Input) and not first:
            self.fail(
                "an input stands behind other layers or in brackets. Write it once, at the very beginning.", start
            )
        return [layer]

    def close(self, bracket: str, start: int) -> None:
        """Read the bracket that closes a group."""
        self.skip()
        if self.take(bracket):
            return
        if self.at_end:
            self.fail(f"this bracket is not closed. Write {bracket!r} behind its last layer.", start)
        self.fail(f"{self.rest!r} is left over. Write '-' between layers and {bracket!r} behind the last one.")

    def residual(self, nesting: int, start: int) -> Layer:
        """What stands behind ``R(``."""
        inside = self.nest(nesting)
        layers = tuple(self.sequence(inside))
        shortcut = tuple(self.sequence(inside)) if self.take("|") else None
        self.close(")", start)
        arguments = self.activation()
        return self.make(lambda: Residual(layers, shortcut, **arguments), start)

    def shape(self, start: int) -> Layer:
        """An input: sides with ``x`` between them."""
        self.place = start
        sides = [self.count()]
        while self.take("x"):
            sides.append(self.count())
        return self.make(lambda: Input(tuple(side or 0 for side in sides)), start)

    def layer(self) -> Layer:
        """A layer named by capitals, with all that belongs to it."""
        start = self.place
        width = self.count()
        written = self.take(CAPITALS)
        letters = NORMED.get(written, written)
        word = WORDS.get(letters)
        if word is None:
            self.fail(_unknown(self.token(start, ENDS)), start)
        arguments: dict[str, Any] = {} if letters == written else {"norm": "batch"}
        if width is not None:
            if word.before is None:
                self.fail(f"{written} takes no number before it. Write it as in {word.example}.", start)
            arguments[word.before] = width
        arguments |= self.details(written, word)
        if "norm" in word.arguments and self.take("+"):
            if "norm" in arguments:
                self.fail(f"{written} has a norm already. Write {letters} with '+', or {written} without.", start)
            arguments["norm"] = self.norm()
        if "activation" in word.arguments:
            arguments |= self.activation()
        if word.kind is Dense and "activation" not in arguments and self.at_end:
            return self.make(lambda: Output(**arguments), start)
        self.demand(word, written, arguments, start)
        return self.make(lambda: word.kind(**arguments), start)

    def demand(self, word: Word, written: str, arguments: dict[str, Any], start: int) -> None:
        """Refuse a layer that lacks an argument it cannot do without."""
        for argument in word.required:
            if argument not in arguments:
                self.fail(f"{written} needs its {argument}. Write it as in {word.example}.", start)

    def norm(self) -> Layer:
        """What stands behind ``+``."""
        start = self.place
        letters = self.take(CAPITALS)
        if letters not in NORMS:
            self.fail(f"{self.token(start, ENDS)!r} is no norm. Write +BN or +GN8.", start)
        word = WORDS[letters]
        arguments = self.details(letters, word)
        self.demand(word, letters, arguments, start)
        return self.make(lambda: word.kind(**arguments), start)

    def activation(self) -> dict[str, Any]:
        """What stands behind ``:``, as an argument; no argument where there is no ``:``."""
        if not self.take(":"):
            return {}
        start = self.place
        name = self.take(NAME).lower()
        if name in NO_ACTIVATION:
            return {"activation": None}
        if name not in ACTIVATIONS:
            meant = did_you_mean(name, ACTIVATIONS)
            self.fail(f"{name!r} is no activation.{meant} Write none or one of {', '.join(ACTIVATIONS)}.", start)
        return {"activation": name}

    def details(self, written: str, word: Word) -> dict[str, Any]:
        """The numbers and options behind the capitals, as arguments."""
        arguments: dict[str, Any] = {}
        start = self.place
        if word.after is not None and (value := self.value(word.after)) is not None:
            arguments[word.after] = value
        while True:
            place = self.place
            # The longest first: "nb" is not "n" and "b".
            option = next(filter(self.take, sorted(word.options, key=len, reverse=True)), None)
            if option is None:
                break
            argument = word.options[option]
            if argument in arguments:
                self.fail(f"{option!r} stands twice. Write it once.", place)
            arguments[argument] = FLAGS[argument] if argument in FLAGS else self.value(argument)
            if arguments[argument] is None:
                self.fail(f"{option!r} ({argument}) needs a number behind it. Write {option}2.", place)
        if SMALL.match(self.text, self.place):
            known = ", ".join(f"{option} ({argument})" for option, argument in word.options.items()) or "no options"
            self.fail(f"{self.rest!r} says nothing to {written}. It takes: {known}.")
        return self.sides_joined(arguments, start) if word.kind is ZeroPad2D else arguments

    def sides_joined(self, arguments: dict[str, Any], start: int) -> dict[str, Any]:
        """The four sides of a zero padding as its one argument."""
        if not arguments.keys() & SIDES.values():
            return arguments
        if "padding" in arguments:
            self.fail(
                "ZP has one padding for all sides and some by side. Write one or the other: ZP1 or ZPt1b2.", start
            )
        top, bottom, left, right = (arguments.get(side, 0) for side in SIDES.values())
        return {"padding": ((top, bottom), (left, right))}

    def value(self, argument: str) -> object:
        """The number or numbers of an argument, ``None`` where none stand here."""
        if argument in REALS:
            return self.real()
        if argument == "padding" and self.take("s"):
            if self.count() is not None:
                self.fail("'ps' is padding \"same\" and takes no number. Write s2ps for stride 2 as well.")
            return "same"
        first = self.count()
        if argument in COUNTS or first is None or not self.take("x"):
            return first
        second = self.count()
        if second is None:
            self.fail("'x' needs a number behind it. Write height and width as in 3x5.")
        return (first, second)


def _unknown(token: str) -> str:
    letters = ", ".join(sorted([*WORDS, *NORMED, "R(...)"]))
    listed = f"Write one such as 32C3, MP2 or 64N; all letters: {letters}."
    return f"{token!r} is no layer.{_meant(token)} {listed}" if token else f"a layer is missing. {listed}"


def _meant(token: str) -> str:
    guess = token.upper()
    if guess == token:
        return ""
    try:
        read_compact(guess)
    except NotationError:
        return ""
    return f" Did you mean {guess!r}?"
