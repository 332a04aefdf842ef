"""Shapes and sizes: how they are written, and what is said where they do not fit.

Shapes are ``(channels, *size)`` or ``(features,)``, without the batch; a size is a tuple with height before width (one
or three entries for 1-D and 3-D).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Never

from depthwise.errors import SizeError

Size = tuple[int, ...]
Shape = tuple[int | None, ...]
"""``None`` stands for a width that only the data will tell: that of ``Output()``."""
Sides = tuple[tuple[int, int], ...]
"""Padding per axis: (before, after)."""


CHANNELS = (1, 3, 4)
"""Grey, color, color with transparency."""


def are_channels_last(image_shape: Sequence[int | None]) -> bool:
    """Whether the last one of three axes, and only it, is as long as channels are.

    Examples
    --------
    >>> are_channels_last((28, 28, 3)), are_channels_last((3, 28, 28)), are_channels_last((3, 28, 3))
    (True, False, False)
    """
    match image_shape:
        case (first, _, last):
            return last in CHANNELS and first not in CHANNELS
    return False


def checked_shape(given: object) -> tuple[int, ...]:
    """Shape of an image as somebody gave it, of any kind of whole numbers.

    >>> checked_shape([1, 28, 28])
    (1, 28, 28)
    """
    try:
        shape = tuple(map(index, given))  # type: ignore[call-overload]
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise SizeError(
            f"input_shape is {given!r} but must be whole numbers of 1 or more: (channels, height, width) or (features,)"
        )
    return shape


def format_shape(shape: Shape) -> str:
    """Write a shape as people do.

    >>> format_shape((1, 28, 28)), format_shape((64,)), format_shape((None,))
    ('1x28x28', '64', '?')
    """
    return "x".join("?" if side is None else str(side) for side in shape)


def how_to_fit(given: Shape, wanted: Shape) -> str:
    """What to do with images of another shape than the network's.

    >>> how_to_fit((3, 28, 28), (1, 28, 28)), how_to_fit((8, 8), (3, 16, 16)), how_to_fit((64,), (1, 28, 28))
    ('Convert them to grey (1 channel)', 'Resize them and convert them to color (3 channels)', \
'Give them the shape 1x28x28')
    """
    if len(given) == 2 and len(wanted) == 3:
        given = (1, *given)
    if len(given) != len(wanted) or len(wanted) == 1:
        return f"Give them the shape {format_shape(wanted)}"
    steps = ["resize them"] if given[1:] != wanted[1:] else []
    if given[0] != wanted[0]:
        kinds = {1: "convert them to grey (1 channel)", 3: "convert them to color (3 channels)"}
        steps.append(kinds.get(wanted[0] or 0, f"give them {wanted[0]} channels"))
    return " and ".join(steps).capitalize()


def same_padding(size: Size, span: Size, stride: Size) -> Sides:
    """Padding with which a window gives ceil(n / s) positions, the smaller half first.

    >>> same_padding((16, 16), (3, 3), (2, 2))
    ((0, 1), (0, 1))

    References
    ----------
    Keras and TensorFlow, ``padding="same"``.
    """
    totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, span, stride, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def known(side: int | None) -> int:
    """A side that must not be left to the data."""
    if side is None:
        raise SizeError("it follows an output layer of unknown width", "Let Output() be the last layer")
    return side


def map_size(shape: Shape, rank: int) -> Size:
    """Size of a map that must have ``rank`` axes."""
    if len(shape) != rank + 1 or rank == 0:
        axes = {1: "a length", 2: "height and width", 3: "depth, height and width"}.get(rank, "height and width")
        hint = "Put it before the first flatten, dense or global pooling layer"
        if rank and len(shape) == rank + 2:
            hint = f"If its first number counts images, leave the batch out: {format_shape(shape[1:])}"
        elif 1 < rank == len(shape):
            hint = f"If these are {axes}, put the channels first: write {format_shape((1, *shape))}"
        raise SizeError(f"needs a map with {axes} but gets {format_shape(shape)}", hint)
    return tuple(map(known, shape[1:]))


def also(plain: Size, full: Size, cause: str) -> str:
    """``(5x5 with dilation)`` behind 3x3."""
    return "" if plain == full else f" ({format_shape(full)} with {cause})"


def clash(shapes: tuple[Shape, ...], verb: str, what: str) -> Never:
    """Refuse to join maps."""
    listed = " and ".join(map(format_shape, shapes))
    raise SizeError(f"maps of {listed} cannot be {verb}: their {what} differ", "Make them equal")
