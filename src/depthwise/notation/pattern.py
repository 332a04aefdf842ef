"""The textbook's pattern, read only: ``INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC``.

It leaves the numbers open; they are filled in as the textbook advises::

    INPUT        the images; INPUT [32x32x3] gives their height x width x channels
    CONV         3x3 convolution, padding "same", 32 channels, twice as many behind each POOL; CONV 64 has 64
    POOL         2x2 max pooling; also MAXPOOL, AVGPOOL
    GAP          global average pooling
    FC           dense layer of 64 units, FC 128 has 128; as the last layer: output, width from the data
    RELU         activation of the CONV or FC before it; so are TANH, GELU and the other activations by their names;
                 a CONV or FC without one is linear; SOFTMAX behind the last FC is dropped: the output gives logits
    BN           batch norm; between a CONV and its RELU it is the norm of that layer; also NORM, BATCHNORM
    DROPOUT      dropout of 0.5
    FLATTEN      flatten
    [ ... ]*3    repeated 3 times, also x 3; so is a single word: CONV x 2; 0 leaves it out
    ?            what stands before it may be left out; it is kept, unless repeated 0 times

Capitals and small letters are the same, and so are FC and DENSE.

References
----------
CS231n, Convolutional Networks, "Layer patterns": ``INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from depthwise.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    Layer,
    MaxPool2D,
    Output,
)
from depthwise.layers.layer import ACTIVATIONS
from depthwise.notation.scanner import MOST_LAYERS, Scanner

FIRST_CHANNELS = 32
UNITS = 64

SYNONYMS = {"dense": "fc", "norm": "bn", "batchnorm": "bn", "maxpool": "pool"}
PLAIN: dict[str, Layer] = {
    "pool": MaxPool2D(),
    "avgpool": AvgPool2D(),
    "gap": GlobalAvgPool2D(),
    "dropout": Dropout(),
    "flatten": Flatten(),
}
WORDS = ("INPUT", "CONV", "POOL", "AVGPOOL", "GAP", "FC", "RELU", "BN", "DROPOUT", "FLATTEN")

NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
TIMES = re.compile(r"\*|[xX](?=\s*[0-9])")
ENDS = "[]*?>-"


@dataclass(frozen=True)
class _Step:
    """One word of the pattern, where it stands, and the number behind it."""

    word: str
    start: int
    width: int | None = None
    shape: tuple[int, ...] | None = None


def read_pattern(text: str) -> tuple[Layer, ...]:
    """Read the textbook's pattern.

    Raises
    ------
    NotationError
        The text is no pattern; the message marks the place.

    Examples
    --------
    >>> read_pattern("INPUT [32x32x3] -> [CONV -> RELU -> POOL?]*2 -> FC")
    (Input(shape=(3, 32, 32)), Conv2D(32, padding='same'), MaxPool2D(), Conv2D(64, padding='same'), MaxPool2D(), \
Output())
    """
    reader = _Reader(text)
    steps = reader.sequence(0)
    if not reader.at_end:
        reader.fail(f"{reader.rest!r} is left over. Write '->' between layers, and close only brackets that are open.")
    layers = _Composer(reader).compose(steps)
    if not layers:
        reader.fail("there is no layer but the input. Write some behind it, as in INPUT -> CONV -> RELU -> FC.", 0)
    return tuple(layers)


class _Reader(Scanner):
    """Reads the pattern's brackets and repeats, one method for each rule."""

    @property
    def rest(self) -> str:
        """What stands here, up to the end of the word."""
        return self.token(self.place, ENDS) or self.text[self.place : self.place + 1]

    def sequence(self, nesting: int) -> list[_Step]:
        """Words and groups with ``->`` between them."""
        steps: list[_Step] = []
        while True:
            start = self.skip()
            steps += self.item(nesting)
            if len(steps) > MOST_LAYERS:
                self.fail(f"the list has more than {MOST_LAYERS} layers. Write less.", start)
            self.skip()
            if not self.take("->"):
                return steps

    def item(self, nesting: int) -> list[_Step]:
        """A word or a group, optional or repeated."""
        start = self.place
        if self.take("["):
            steps = self.sequence(self.nest(nesting))
            self.skip()
            if not self.take("]"):
                if self.at_end:
                    self.fail("this bracket is not closed. Write ']' behind its last layer.", start)
                self.fail(f"{self.rest!r} is left over. Write '->' between layers and ']' behind the last one.")
        else:
            steps = [self.word()]
        self.skip()
        self.take("?")
        self.skip()
        if not self.take(TIMES):
            return steps
        times = self.times()
        if times is None:
            self.fail("a number is missing. Write how often: [CONV -> RELU]*2.")
        if len(steps) * times > MOST_LAYERS:
            self.fail(f"the list has more than {MOST_LAYERS} layers. Repeat less.", start)
        return steps * times

    def word(self) -> _Step:
        """One word, with the number or the image size behind it."""
        start = self.place
        name = self.take(NAME).lower()
        word = SYNONYMS.get(name, name)
        if word not in (*PLAIN, "input", "conv", "fc", "bn", *ACTIVATIONS):
            token = self.token(start, ENDS)
            problem = f"{token!r} is no layer" if token else "a layer is missing"
            self.fail(f"{problem}. Write one of {', '.join(WORDS)}, or another activation.", start)
        self.skip()
        if word == "input":
            return _Step(word, start, shape=self.shape())
        return _Step(word, start, self.count() if word in ("conv", "fc") else None)

    def shape(self) -> tuple[int, ...] | None:
        """``[height x width x channels]`` as the layer keeps it: channels first."""
        start = self.place
        if not self.take("["):
            return None
        sides: list[int | None] = []
        while not sides or self.take(re.compile("[xX]")):
            self.skip()
            sides.append(self.count())
            self.skip()
        whole = [side for side in sides if side]
        if not self.take("]") or len(whole) != 3 or len(sides) != 3:
            self.fail("the size of the images is height x width x channels. Write it as in INPUT [32x32x3].", start)
        height, width, channels = whole
        return (channels, height, width)


class _Composer:
    """Turns the words into layers, in order: a word may belong to the layer before it."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self.channels = FIRST_CHANNELS
        self.layers: list[Layer] = []
        self.linear = False  # whether the last layer may still get its activation

    def compose(self, steps: list[_Step]) -> list[Layer]:
        """Layers of all words."""
        words = [step.word for step in steps]
        if words[-2:] == ["fc", "softmax"]:
            steps = steps[:-1]
        for place, step in enumerate(steps):
            if step.word == "input":
                self.input(step, place)
            else:
                self.layer(step, last=place == len(steps) - 1)
        return [] if all(isinstance(layer, Input) for layer in self.layers) else self.layers

    def input(self, step: _Step, place: int) -> None:
        """The images: a layer only where their size is given."""
        if place:
            self.reader.fail("INPUT stands behind other layers. Write it once, at the very beginning.", step.start)
        if step.shape is not None:
            self.layers.append(Input(step.shape))

    def layer(self, step: _Step, last: bool) -> None:
        """Any other word."""
        before = self.layers[-1] if self.linear else None
        self.linear = step.word in ("conv", "fc")
        match step.word:
            case "conv":
                width = self.channels if step.width is None else step.width
                self.append(step, lambda: Conv2D(width, padding="same", activation=None))
            case "fc" if last:
                self.append(step, lambda: Output(step.width))
            case "fc":
                self.append(step, lambda: Dense(UNITS if step.width is None else step.width, None))
            case "bn" if isinstance(before, Conv2D) and before.norm is None:
                self.layers[-1] = replace(before, norm="batch")
                self.linear = True
            case "bn":
                self.append(step, BatchNorm)
            case word if word in ACTIVATIONS and isinstance(before, (Conv2D, Dense)):
                self.layers[-1] = replace(before, activation=word)
            case word if word in ACTIVATIONS:
                self.append(step, lambda: Activation(word))
            case word:
                self.append(step, lambda: PLAIN[word])
                self.channels *= 2 if isinstance(PLAIN[word], (MaxPool2D, AvgPool2D)) else 1

    def append(self, step: _Step, build: Callable[[], Layer]) -> None:
        """Build the layer of a word; what it refuses is an error of the text."""
        self.layers.append(self.reader.make(build, step.start))
