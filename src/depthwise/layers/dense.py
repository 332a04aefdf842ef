"""The ends of a network: input, flatten, dense layers, output."""

from __future__ import annotations

from dataclasses import dataclass, field

from depthwise.layers import ops
from depthwise.layers.layer import Layer, activation_step, whole
from depthwise.layers.ops import Lowered


@dataclass(frozen=True, repr=False)
class Input(Layer):
    """The images; implied where a list does not begin with it.

    Parameters
    ----------
    shape
        ``(channels, height, width)``, or ``(features,)``; a leading ``None`` for the batch is dropped.  Without a shape
        the data decide.

    Examples
    --------
    >>> Input((None, 1, 28, 28))
    Input(shape=(1, 28, 28))
    """

    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("inputs", self.inputs is None, "must be left out: nothing comes before the input")
        if self.shape is None:
            return
        listed = isinstance(self.shape, (tuple, list))
        self.check("shape", listed, "must be (channels, height, width) or (features,)")
        sides: tuple[object, ...] = tuple(self.shape)
        sides = sides[1:] if sides and sides[0] is None else sides
        numbers = tuple(map(whole, sides))
        ok = len(numbers) > 0 and all(number is not None and number > 0 for number in numbers)
        self.check("shape", ok, "must be whole numbers of 1 or more: (channels, height, width) or (features,)")
        self.set("shape", numbers)

    def lower(self) -> Lowered:
        return (("", ops.Input(shape=self.shape)),)


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """All values of a map in one row, channel by channel; implied before a dense layer.

    Examples
    --------
    >>> Flatten()
    Flatten()
    """

    def lower(self) -> Lowered:
        return (("", ops.Flatten()),)


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """Every unit is a weighted sum of all inputs: (n + 1) units parameters.

    Parameters
    ----------
    units
        Number of outputs.
    activation
        One of :data:`~depthwise.layers.layer.ACTIVATIONS`, or ``None``.
    bias
        Whether a learned constant is added to each unit.

    Examples
    --------
    >>> Dense(64), Dense(10, activation=None)
    (Dense(64), Dense(10, activation=None))
    """

    units: int
    activation: str | None = "relu"
    bias: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_count("units")
        self.check_flag("bias")
        self.check_activation()

    def lower(self) -> Lowered:
        op = ops.Dense(out_features=self.units, bias=self.bias)
        return (("flatten", ops.Flatten()), ("", op), *activation_step(self.activation))


@dataclass(frozen=True, repr=False)
class Output(Layer):
    """The last layer: a dense layer without activation, as wide as there are classes or targets.

    Parameters
    ----------
    units
        Number of outputs; ``None`` leaves it to the data.

    Examples
    --------
    >>> Output(), Output(10)
    (Output(), Output(units=10))
    """

    units: int | None = None
    bias: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units is not None:
            self.check_count("units")
        self.check_flag("bias")

    def lower(self) -> Lowered:
        return (("flatten", ops.Flatten()), ("", ops.Dense(out_features=self.units, bias=self.bias)))
