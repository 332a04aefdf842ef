"""Layers that keep the size of a map: norms, activations, dropout."""

from __future__ import annotations

from dataclasses import dataclass, field

from depthwise.layers import ops
from depthwise.layers.layer import Layer, activation_step
from depthwise.layers.ops import Lowered


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Batch normalization: center and scale each channel by the statistics of the batch.

    y = gamma (x - mean) / sqrt(var + eps) + beta; 2 c learned values and 2 c running statistics.

    Parameters
    ----------
    momentum
        Share of the newest batch in the running statistics, as in PyTorch (Keras writes 1 minus it).
    eps
        Added to the variance.

    References
    ----------
    Ioffe and Szegedy: Batch Normalization, ICML 2015.

    Examples
    --------
    >>> BatchNorm()
    BatchNorm()
    """

    momentum: float = field(default=0.1, kw_only=True)
    eps: float = field(default=1e-5, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("momentum", lambda value: 0 <= value <= 1, "must be a number from 0 to 1")
        self.check_number("eps", lambda value: value > 0, "must be a number above 0")

    @property
    def op(self) -> ops.Norm:
        """The one operation of the layer."""
        return ops.Norm(function="batch", momentum=self.momentum, eps=self.eps)

    def lower(self) -> Lowered:
        return (("", self.op),)


@dataclass(frozen=True, repr=False)
class GroupNorm(Layer):
    """Group normalization: center and scale groups of channels by the statistics of each image.

    Parameters
    ----------
    groups
        Number of groups; must divide the channels.
    eps
        Added to the variance.

    References
    ----------
    Wu and He: Group Normalization, ECCV 2018.

    Examples
    --------
    >>> GroupNorm(8)
    GroupNorm(8)
    """

    groups: int
    eps: float = field(default=1e-5, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_count("groups")
        self.check_number("eps", lambda value: value > 0, "must be a number above 0")

    @property
    def op(self) -> ops.Norm:
        """The one operation of the layer."""
        return ops.Norm(function="group", groups=self.groups, eps=self.eps)

    def lower(self) -> Lowered:
        return (("", self.op),)


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """A function of each value, by its name in ``torch.nn.functional``.

    Examples
    --------
    >>> Activation("relu")
    Activation('relu')
    """

    activation: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_activation()
        self.check("activation", self.activation is not None, "must be a function; leave the layer out for none")

    def lower(self) -> Lowered:
        ((_, op),) = activation_step(self.activation)
        return (("", op),)


@dataclass(frozen=True, repr=False)
class LeakyReLU(Layer):
    """max(x, negative_slope x): a rectifier whose gradient is never zero.

    Parameters
    ----------
    negative_slope
        Slope below zero: 0.01 as in PyTorch; Keras takes 0.3.

    Examples
    --------
    >>> LeakyReLU(0.3)
    LeakyReLU(negative_slope=0.3)
    """

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("negative_slope", lambda value: value >= 0, "must be a number of 0 or more")

    def lower(self) -> Lowered:
        return (("", ops.Activation(function="leaky_relu", slope=self.negative_slope)),)


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Zero each value with probability p while training, and scale the others by 1 / (1 - p).

    Examples
    --------
    >>> Dropout()
    Dropout()
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("p", lambda value: 0 <= value < 1, "must be a number from 0 to less than 1")

    def lower(self) -> Lowered:
        return (("", ops.Dropout(p=self.p)),)


@dataclass(frozen=True, repr=False)
class SpatialDropout2D(Dropout):
    """Zero each whole channel with probability p while training, and scale the others by 1 / (1 - p).

    References
    ----------
    Tompson et al.: Efficient Object Localization Using Convolutional Networks, CVPR 2015.

    Examples
    --------
    >>> SpatialDropout2D(0.2)
    SpatialDropout2D(p=0.2)
    """

    def lower(self) -> Lowered:
        return (("", ops.Dropout(p=self.p, whole_channels=True)),)
