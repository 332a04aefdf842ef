"""The base of every layer record, and the checks of their arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from inspect import get_annotations
from math import isfinite
from numbers import Real
from typing import Any, ClassVar, Literal, Self

from depthwise.errors import LayerError, did_you_mean
from depthwise.layers.ops import Activation as ActivationOp
from depthwise.layers.ops import Lowered, Sides, Size

PADDINGS = ("valid", "same")
ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hardswish",
    "tanh", "sigmoid", "softplus", "softmax", "log_softmax",
)  # fmt: skip
"""Names that ``activation=`` takes, as in ``torch.nn.functional``; ``None`` is no activation."""

NO_ACTIVATION = ("linear", "identity", "none")

FOREIGN_ARGUMENTS = {
    "filters": "out_channels", "num_filters": "out_channels", "filter_size": "kernel_size", "pool_size": "kernel_size",
    "ds": "kernel_size", "strides": "stride", "pad": "padding", "nonlinearity": "activation", "num_units": "units",
    "rate": "p", "dilation_rate": "dilation", "depth_multiplier": "multiplier", "use_bias": "bias",
    "incoming": "inputs",
    "incomings": "inputs", "alpha": "negative_slope", "size": "scale",
}  # fmt: skip
"""What Keras, Lasagne and netz call our arguments."""

Pair = int | tuple[int, int]
"""One number for both axes, or (height, width).  Equal numbers are kept as one."""
Padding = str | Pair


@dataclass(frozen=True, repr=False)
class Layer:
    """One layer of a network, as declared: a frozen record.

    Parameters
    ----------
    name
        Own name; without one the layer is called after its kind and place in the list: ``conv2d1``.
    inputs
        Names of the layers above whose outputs it reads; without them it reads the layer before it.
    """

    name: str | None = field(default=None, kw_only=True)
    inputs: tuple[str, ...] | None = field(default=None, kw_only=True)

    joins: ClassVar[bool] = False

    def __new__(cls, *args: Any, **arguments: Any) -> Self:
        taken = {entry.name for entry in fields(cls)}
        for argument in arguments:
            if argument not in taken:
                known = [entry.name for entry in cls.entries()]
                foreign = [FOREIGN_ARGUMENTS[argument]] if FOREIGN_ARGUMENTS.get(argument) in known else []
                meant = [f" Did you mean {name}?" for name in foreign or get_close_matches(argument, known, 1)]
                listed = ", ".join(known)
                raise LayerError(f"{cls.__name__} has no argument {argument!r}.{''.join(meant)} It has: {listed}.")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.name is not None:
            ok = isinstance(self.name, str) and self.name.isidentifier() and "__" not in self.name
            self.check("name", ok, "must be a Python name without a double underscore")
        if isinstance(self.inputs, str):
            self.set("inputs", (self.inputs,))
        if self.inputs is not None:
            listed = isinstance(self.inputs, (tuple, list)) and len(self.inputs) > 0
            ok = listed and all(isinstance(name, str) for name in self.inputs)
            self.check("inputs", ok, "must be names of layers above")
            self.check("inputs", len(self.inputs) == 1 or self.joins, "must be one name; only Add and Concat read more")
            self.set("inputs", tuple(self.inputs))

    @property
    def kind(self) -> str:
        """Class name in lower case; with the place in the list it makes the automatic name."""
        return type(self).__name__.lower()

    @property
    def branches(self) -> tuple[tuple[str, tuple[Layer, ...]], ...]:
        """Ways through the layer that are lists, with what they add to its name; an empty way is the identity."""
        return ()

    @classmethod
    def entries(cls) -> list[Field[Any]]:
        """Fields of the record as people write them: positional ones first, then its own, then those it shares."""
        depth = {name: place for place, kind in reversed([*enumerate(cls.__mro__)]) for name in get_annotations(kind)}
        return sorted(fields(cls), key=lambda entry: (entry.kw_only, depth[entry.name]))

    def lower(self) -> Lowered:
        """Primitive operations of the layer, in order."""
        raise NotImplementedError

    def __repr__(self) -> str:
        parts: list[str] = []
        for entry in self.entries():
            value = getattr(self, entry.name)
            if entry.default is MISSING:
                parts.append(repr(value))
            elif value != entry.default:
                parts.append(f"{entry.name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def set(self, argument: str, value: object) -> None:
        """Store the canonical form of an argument while the record is being made."""
        object.__setattr__(self, argument, value)

    def check(self, argument: str, ok: bool, demand: str, words: Iterable[str] = ()) -> None:
        """Refuse an argument with the house's form of error, and offer the nearest of the words that there are."""
        if not ok:
            where = type(self).__name__ if self.name is None else f"layer {self.name!r} ({type(self).__name__})"
            value = getattr(self, argument)
            raise LayerError(f"{where}: {argument} is {value!r} but {demand}.{did_you_mean(value, words)}")

    def check_count(self, *arguments: str, least: int = 1) -> None:
        """Demand whole numbers, and store them as ``int``."""
        for argument in arguments:
            number = whole(getattr(self, argument))
            self.check(argument, number is not None and number >= least, f"must be a whole number of {least} or more")
            self.set(argument, number)

    def check_pair(self, argument: str, least: int = 1) -> None:
        """Demand one whole number or (height, width), and store it canonically."""
        value = getattr(self, argument)
        sides = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
        numbers = [whole(side) for side in sides]
        ok = len(numbers) == 2 and all(number is not None and number >= least for number in numbers)
        self.check(argument, ok, f"must be a whole number of {least} or more, or two of them as (height, width)")
        self.set(argument, numbers[0] if numbers[0] == numbers[1] else tuple(numbers))

    def check_padding(self, argument: str = "padding") -> None:
        """Demand ``"valid"``, ``"same"`` or pixels, and store no padding as ``"valid"``."""
        padding = getattr(self, argument)
        if isinstance(padding, str):
            self.check(argument, padding in PADDINGS, 'must be "valid", "same" or a number of pixels', PADDINGS)
            return
        self.check_pair(argument, least=0)
        if getattr(self, argument) == 0:
            self.set(argument, "valid")

    def check_activation(self, argument: str = "activation") -> None:
        """Demand a known activation, and store no activation as ``None``."""
        activation = getattr(self, argument)
        if activation in NO_ACTIVATION:
            self.set(argument, None)
        elif activation is not None:
            demand = f"must be None or one of {', '.join(ACTIVATIONS)}"
            self.check(argument, activation in ACTIVATIONS, demand, ACTIVATIONS)

    def check_flag(self, *arguments: str) -> None:
        """Demand ``True`` or ``False``."""
        for argument in arguments:
            self.check(argument, isinstance(getattr(self, argument), bool), "must be True or False")

    def check_number(self, argument: str, ok: Callable[[float], bool], demand: str) -> None:
        """Demand a real number in a range, and store it as ``float``."""
        number = _real(getattr(self, argument))
        self.check(argument, number is not None and ok(number), demand)
        self.set(argument, number)


def whole(value: object) -> int | None:
    """Whole number as ``int``, numpy's too; ``None`` where it is none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def both_axes(value: Pair) -> Size:
    """Height and width of an argument.

    >>> both_axes(3), both_axes((3, 5))
    ((3, 3), (3, 5))
    """
    return (value, value) if isinstance(value, int) else value


def both_sides(padding: Padding) -> Sides | Literal["same"]:
    """Padding before and after, per axis; ``"same"`` stays open.

    >>> both_sides("valid"), both_sides((1, 2))
    (((0, 0), (0, 0)), ((1, 1), (2, 2)))
    """
    if isinstance(padding, str):
        return "same" if padding == "same" else ((0, 0), (0, 0))
    return tuple((p, p) for p in both_axes(padding))


def activation_step(activation: str | None) -> Lowered:
    """Last step of a layer that has an activation."""
    return () if activation is None else (("activation", ActivationOp(function=activation)),)
