"""What is asked of the designer, checked once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from math import inf
from numbers import Real

from depthwise.analysis import MIN_CAPACITY
from depthwise.designer.axes import AxisRules
from depthwise.errors import DesignError, LayerError
from depthwise.layers import BatchNorm, Conv2D, GroupNorm
from depthwise.layers.layer import whole
from depthwise.layers.ops import Size

FIRST_WIDTHS = (8, 16, 24, 32, 48, 64)
"""Channels of the first convolution: what published networks begin with, from MobileNets' 8 at a quarter of their width
(Howard et al., 2017) to VGG's and ResNet's 64."""

MOST_WIDTH = 512
"""Channels double at each downsampling up to here.  Simonyan, Zisserman, ICLR 2015; He et al., CVPR 2016."""

COVERAGE = (0.9, 1.0)
"""What the last convolution shall reach of the image, at least and at most.  At most 100 %: Cao 2015; the lower bound
is ours, so that the whole image has a say."""

PADDINGS = ("same", "valid")
DOWNSAMPLINGS = ("pool", "stride", None)
BLOCKS = ("plain", "residual", "separable")
MEASURES = ("reach", "receptive_field")
LARGEST_DENOMINATOR = 10**6
"""A bound given as a float is read as the fraction that was meant: 0.9 as 9/10, 1/6 as 1/6."""

Norm = str | BatchNorm | GroupNorm | None


@dataclass(frozen=True)
class Budget:
    """Bounds of what a network may cost; ``None`` is no bound.

    Parameters
    ----------
    params
        Learned values.
    macs
        Multiply-accumulates for one image (FLOPs are twice that).
    activation_bytes
        Bytes of all layers' outputs, each once, in float32, for one image.
    training_memory
        Bytes to learn from one batch with Adam in float32, as :meth:`Analysis.memory` counts them.
    batch_size
        Images of the batch that ``training_memory`` is for.

    Raises
    ------
    DesignError
        A bound is not above zero.

    Examples
    --------
    >>> Budget(params=1e6).limits
    {'params': 1000000}
    >>> Budget(macs=0)
    Traceback (most recent call last):
    depthwise.errors.DesignError: Budget: macs is 0 but must be a number above 0, or None for no bound.
    """

    params: float | None = None
    macs: float | None = None
    activation_bytes: float | None = None
    training_memory: float | None = None
    batch_size: int = 128

    def __post_init__(self) -> None:
        for name in self.names():
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if value is not None and not (number and 0 < value < inf):
                raise DesignError(f"Budget: {name} is {value!r} but must be a number above 0, or None for no bound.")
        if (whole(self.batch_size) or 0) < 1:
            raise DesignError(f"Budget: batch_size is {self.batch_size!r} but must be a whole number of 1 or more.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The costs that can be bounded."""
        return tuple(entry.name for entry in fields(cls) if entry.name != "batch_size")

    @property
    def limits(self) -> dict[str, int]:
        """The bounds that are given; costs are whole numbers, so a fraction has no say."""
        return {name: int(getattr(self, name)) for name in self.names() if getattr(self, name) is not None}


@dataclass(frozen=True)
class Problem:
    """What is asked, in canonical form; bounds are exact fractions.

    ``keeps_pixels`` is given up only to learn whether it is what stands in the way.
    """

    input_shape: tuple[int, int, int]
    n_classes: int
    budget: Budget
    kernel: Size
    padding: str
    downsampling: str | None
    block: str
    norm: Norm
    min_capacity: Fraction
    coverage: tuple[Fraction, Fraction]
    measure: str
    keeps_pixels: bool = True

    @property
    def size(self) -> Size:
        """Height and width of the image."""
        return self.input_shape[1:]

    @cached_property
    def _rules(self) -> tuple[AxisRules, ...]:
        """Rules of height and width."""
        return tuple(
            AxisRules(
                side=side,
                kernel=kernel,
                same=self.padding == "same",
                strided=self.downsampling == "stride",
                counts_pools=self.measure == "receptive_field",
                min_capacity=self.min_capacity,
                coverage=self.coverage,
                keeps_pixels=self.keeps_pixels,
            )
            for side, kernel in zip(self.size, self.kernel, strict=True)
        )

    @cached_property
    def axes(self) -> tuple[AxisRules, ...]:
        """Rules of the axes that differ: of a square image one stands for both."""
        return tuple(dict.fromkeys(self._rules))

    @cached_property
    def places(self) -> tuple[int, ...]:
        """For height and width, which of ``axes`` it is."""
        return tuple(self.axes.index(rules) for rules in self._rules)

    def widths(self, stages: int) -> tuple[int, ...]:
        """First widths whose stages the norm can be had with."""
        groups = self.norm.groups if isinstance(self.norm, GroupNorm) else 1
        return tuple(
            first for first in FIRST_WIDTHS if all(width_at(first, stage) % groups == 0 for stage in range(stages))
        )

    @property
    def costs(self) -> tuple[str, ...]:
        """What designs are compared by; the memory of training only where it is bounded."""
        names = ("params", "macs", "activation_bytes")
        return names if self.budget.training_memory is None else (*names, "training_memory")


def width_at(first: int, stage: int) -> int:
    """Channels of a stage.

    >>> [width_at(48, stage) for stage in range(6)]
    [48, 96, 192, 384, 512, 512]
    """
    return int(min(first << stage, MOST_WIDTH))


def pose(
    input_shape: Iterable[int],
    n_classes: int,
    *,
    budget: Budget | None = None,
    kernel_size: int | tuple[int, int] = 3,
    padding: str = "same",
    downsampling: str | None = "pool",
    block: str = "plain",
    norm: Norm = None,
    min_capacity: float = MIN_CAPACITY,
    coverage: tuple[float, float] = COVERAGE,
    measure: str = "reach",
) -> Problem:
    """Check the arguments of :func:`depthwise.design`.

    Raises
    ------
    DesignError
        One of them cannot be.
    """
    _choose("padding", padding, PADDINGS)
    _choose("downsampling", downsampling, DOWNSAMPLINGS)
    _choose("block", block, BLOCKS)
    _choose("measure", measure, MEASURES)
    kernel = _kernel(kernel_size)
    if block == "residual" and (padding != "same" or any(side % 2 == 0 for side in kernel)):
        raise DesignError(
            f"block='residual' with padding={padding!r} and kernel_size={kernel_size!r}: a block must keep the size "
            "and the place of its map, or the shortcut does not fit. Use padding='same' and an odd kernel."
        )
    if budget is not None and not isinstance(budget, Budget):
        raise DesignError(f"budget is {budget!r} but must be a Budget. Write Budget(params=1e6, macs=200e6).")
    classes = whole(n_classes)
    if classes is None or classes < 1:
        raise DesignError(f"n_classes is {n_classes!r} but must be a whole number of 1 or more.")
    return Problem(
        input_shape=_shape(input_shape),
        n_classes=classes,
        budget=budget or Budget(),
        kernel=kernel,
        padding=padding,
        downsampling=downsampling,
        block=block,
        norm=_norm(norm),
        min_capacity=_capacity(min_capacity),
        coverage=_coverage(coverage),
        measure=measure,
    )


def _choose(argument: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise DesignError(f"{argument} is {value!r} but must be one of {', '.join(map(repr, known))}.")


def _shape(input_shape: Iterable[int]) -> tuple[int, int, int]:
    sides = tuple(map(whole, input_shape)) if isinstance(input_shape, (tuple, list)) else ()
    if len(sides) != 3 or any(side is None or side < 1 for side in sides):
        raise DesignError(
            f"input_shape is {input_shape!r} but must be (channels, height, width), whole numbers of 1 or more."
        )
    channels, height, width = (side or 0 for side in sides)
    return channels, height, width


def _kernel(kernel_size: object) -> Size:
    pair = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
    sides = [whole(side) for side in pair]
    if len(sides) != 2 or any(side is None or side < 2 for side in sides):
        raise DesignError(
            f"kernel_size is {kernel_size!r} but must be a whole number of 2 or more, or (height, width) of them: a "
            "kernel of one pixel sees nothing new."
        )
    return tuple(side or 0 for side in sides)


def _norm(norm: Norm) -> Norm:
    try:
        return Conv2D(FIRST_WIDTHS[0], norm=norm).norm
    except LayerError:
        raise DesignError(f'norm is {norm!r} but must be None, "batch", BatchNorm() or GroupNorm(groups).') from None


def _capacity(value: object) -> Fraction:
    number = _fraction(value)
    if number is None or not 0 <= number <= 1:
        raise DesignError(f"min_capacity is {value!r} but must be a number from 0 to 1, such as 1/6.")
    return number


def _coverage(value: object) -> tuple[Fraction, Fraction]:
    pair = value if isinstance(value, (tuple, list)) else ()
    least, most = (_fraction(each) for each in pair) if len(pair) == 2 else (None, None)
    if least is None or most is None or not 0 <= least <= most or most == 0:
        raise DesignError(
            f"coverage is {value!r} but must be the least and the most that the last convolution may reach of the "
            "image's side, such as (0.9, 1.0)."
        )
    return least, most


def _fraction(value: object) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)) or not -inf < value < inf:
        return None
    return Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
