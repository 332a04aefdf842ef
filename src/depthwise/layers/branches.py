"""Layers with more than one way through them."""

from __future__ import annotations

from dataclasses import dataclass, field

from depthwise.errors import GraphError
from depthwise.layers import ops
from depthwise.layers.dense import Input, Output
from depthwise.layers.layer import Layer, activation_step
from depthwise.layers.listing import as_layers
from depthwise.layers.ops import Lowered


@dataclass(frozen=True, repr=False)
class _Joining(Layer):
    joins = True

    def __post_init__(self) -> None:
        super().__post_init__()
        ok = self.inputs is not None and len(self.inputs) > 1
        self.check("inputs", ok, "must be the names of two or more layers above")


@dataclass(frozen=True, repr=False)
class Add(_Joining):
    """Sum of maps of one shape.

    Examples
    --------
    >>> Add(inputs=("conv2d1", "conv2d3"))
    Add(inputs=('conv2d1', 'conv2d3'))
    """

    def lower(self) -> Lowered:
        return (("", ops.Merge(function="add")),)


@dataclass(frozen=True, repr=False)
class Concat(_Joining):
    """Maps of one size, stacked along their channels.

    Examples
    --------
    >>> Concat(inputs=("conv2d1", "conv2d3"))
    Concat(inputs=('conv2d1', 'conv2d3'))
    """

    def lower(self) -> Lowered:
        return (("", ops.Merge(function="concat")),)


@dataclass(frozen=True, repr=False)
class Residual(Layer):
    """A block of layers whose output is added to what went in.

    y = activation(layers(x) + shortcut(x)); the layers inside are named ``residual3.conv2d0``.

    Parameters
    ----------
    layers
        The block.  Its last layer usually has ``activation=None``.
    shortcut
        Layers on the other way; ``None`` is the identity, which needs a block that keeps the shape.
    activation
        Activation of the sum, or ``None``.

    References
    ----------
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016.

    Examples
    --------
    >>> from depthwise.layers import Conv2D
    >>> Residual([Conv2D(64, padding="same"), Conv2D(64, padding="same", activation=None)])
    Residual((Conv2D(64, padding='same'), Conv2D(64, padding='same', activation=None)))
    """

    layers: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] | None = None
    activation: str | None = field(default="relu", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation()
        self.set("layers", as_layers(self.layers))
        if self.shortcut is not None:
            single = isinstance(self.shortcut, Layer)
            self.set("shortcut", as_layers((self.shortcut,) if single else self.shortcut))
        if any(isinstance(layer, (Input, Output)) for layer in self.layers + (self.shortcut or ())):
            raise GraphError("a Residual holds an Input or an Output. Put these at the ends of the whole list.")

    def lower(self) -> Lowered:
        return (("", ops.Merge(function="add")), *activation_step(self.activation))

    @property
    def branches(self) -> tuple[tuple[str, tuple[Layer, ...]], ...]:
        return (("", self.layers), ("shortcut", self.shortcut or ()))
