"""The words of the compact form: which letters stand for which layer, and for which of its arguments."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields

from depthwise.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Input,
    Layer,
    LeakyReLU,
    MaxPool2D,
    SeparableConv2D,
    SpatialDropout2D,
    Upsample2D,
    ZeroPad2D,
)


@dataclass(frozen=True)
class Word:
    """What the capitals of a layer stand for.

    Attributes
    ----------
    kind
        The layer.
    example
        A layer as it is written.
    before, after
        Arguments that the numbers before and behind the capitals give.
    options
        Arguments that small letters give.
    """

    kind: type[Layer]
    example: str
    before: str | None = None
    after: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the layer's arguments."""
        return tuple(entry.name for entry in fields(self.kind))

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the arguments that have no default."""
        return tuple(entry.name for entry in fields(self.kind) if entry.default is MISSING)


SIDES = {"t": "top", "b": "bottom", "l": "left", "r": "right"}
"""Zero padding side by side, in the order of ``ZeroPad2D(((top, bottom), (left, right)))``."""

_POOL = {"s": "stride", "p": "padding", "c": "ceil_mode"}
_CONV = {"s": "stride", "p": "padding", "d": "dilation"}
_BIAS = {"nb": "bias"}

WORDS = {
    "IN": Word(Input, "IN"),
    "C": Word(Conv2D, "32C3", "out_channels", "kernel_size", _CONV | {"g": "groups"} | _BIAS),
    "DW": Word(DepthwiseConv2D, "DW3", None, "kernel_size", _CONV | {"m": "multiplier"} | _BIAS),
    "S": Word(SeparableConv2D, "64S3", "out_channels", "kernel_size", _CONV | _BIAS),
    "T": Word(
        Conv2DTranspose, "16T4s2", "out_channels", "kernel_size", _CONV | {"o": "output_padding", "g": "groups"} | _BIAS
    ),
    "MP": Word(MaxPool2D, "MP2", None, "kernel_size", _POOL),
    "AP": Word(AvgPool2D, "AP2", None, "kernel_size", _POOL),
    "GAP": Word(GlobalAvgPool2D, "GAP"),
    "GMP": Word(GlobalMaxPool2D, "GMP"),
    "UP": Word(Upsample2D, "UP2", None, "scale", {"b": "mode"}),
    "ZP": Word(ZeroPad2D, "ZP1", None, "padding", SIDES),
    "BN": Word(BatchNorm, "BN", None, None, {"m": "momentum", "e": "eps"}),
    "GN": Word(GroupNorm, "GN8", None, "groups", {"e": "eps"}),
    "A": Word(Activation, "A:gelu"),
    "LR": Word(LeakyReLU, "LR0.01", None, "negative_slope"),
    "D": Word(Dropout, "D0.5", None, "p"),
    "SD": Word(SpatialDropout2D, "SD0.5", None, "p"),
    "F": Word(Flatten, "F"),
    "N": Word(Dense, "64N", "units", None, _BIAS),
}
"""Every layer that letters can name; residual blocks are written ``R(...)``, outputs as the last ``N``."""

LETTERS_OF = {word.kind: letters for letters, word in WORDS.items()}
NORMED = {f"{letters}B": letters for letters, word in WORDS.items() if "norm" in word.arguments}
"""Convolutions with batch norm, and the same without."""
NORMS = ("BN", "GN")

FLAGS: dict[str, object] = {"bias": False, "ceil_mode": True, "mode": "bilinear"}
"""Arguments that an option sets without a number, and to what."""
REALS = frozenset({"momentum", "eps", "negative_slope", "p"})
"""Arguments that are real numbers."""
COUNTS = frozenset({"groups", "multiplier", *SIDES.values()})
"""Arguments that are one whole number; the rest may be one for each axis."""
