"""Layer list -> compact form.  :mod:`depthwise.notation.compact` defines the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from decimal import Decimal

from depthwise.errors import NotationError
from depthwise.layers import Dense, Input, Layer, Output, Residual, ZeroPad2D, as_layers
from depthwise.notation.words import FLAGS, LETTERS_OF, NORMED, SIDES, WORDS, Word

BATCH_NORMED = {plain: normed for normed, plain in NORMED.items()}


def write_layers(layers: Iterable[object]) -> str:
    """Write a layer list in its compact form, from which :func:`read_layers` makes the same list.

    Raises
    ------
    NotationError
        A layer has a name of its own or ``inputs=``, which only TOML can say; an input or output stands at the wrong
        end.

    Examples
    --------
    >>> from depthwise.layers import Add, Conv2D, MaxPool2D, Output
    >>> write_layers([Conv2D(32), MaxPool2D(), Conv2D(64, stride=2, padding="same", norm="batch"), Output(10)])
    '32C3-MP2-64CB3s2ps-10N'
    >>> write_layers([Conv2D(8, 1), Conv2D(8, 1), Add(inputs=["conv2d1", "conv2d2"])])
    Traceback (most recent call last):
    depthwise.errors.NotationError: layer 'add3' has inputs=('conv2d1', 'conv2d2'), which the compact form cannot say. \
Write the list with write_toml.
    """
    read = as_layers(layers)
    return "-".join(_sequence(read, "", 0 if isinstance(read[0], Input) else 1))


def _sequence(layers: tuple[Layer, ...], prefix: str, first_place: int) -> Iterator[str]:
    for place, layer in enumerate(layers):
        where = f"{prefix}{layer.name or layer.kind + str(place + first_place)}"
        last = not prefix and place == len(layers) - 1
        _refuse_wiring(layer, where)
        if isinstance(layer, Input) and not prefix and place == 0:
            yield "IN" if layer.shape is None else "x".join(map(str, layer.shape))
        elif isinstance(layer, Output) and last:
            yield _plain(layer, WORDS["N"])
        elif isinstance(layer, (Input, Output)):
            raise NotationError(
                f"layer '{where}' stands at the wrong end: the compact form has an Input only as its first layer and "
                "an Output only as its last. Put it there, or write the list with write_toml."
            )
        elif isinstance(layer, Residual):
            yield _residual(layer, where)
        else:
            # Without its activation the last dense layer would be read as an output.
            bare = isinstance(layer, Dense) and last and layer.activation == "relu"
            yield _layer(layer, where) + (":relu" if bare else "")


def _refuse_wiring(layer: Layer, where: str) -> None:
    for argument in ("name", "inputs"):
        value = getattr(layer, argument)
        if value is not None:
            raise NotationError(
                f"layer '{where}' has {argument}={value!r}, which the compact form cannot say. "
                "Write the list with write_toml."
            )


def _residual(layer: Residual, where: str) -> str:
    ways = {f"{where}.": layer.layers, f"{where}.shortcut.": layer.shortcut or ()}
    written = ["-".join(_sequence(way, prefix, 0)) for prefix, way in ways.items() if way]
    return f"R({'|'.join(written)}){_activation(layer)}"


def _layer(layer: Layer, where: str) -> str:
    letters = LETTERS_OF.get(type(layer))
    if letters is None:
        raise NotationError(f"layer '{where}' is a {type(layer).__name__}, for which the compact form has no letters.")
    word = WORDS[letters]
    norm = getattr(layer, "norm", None)
    written = _plain(layer, word, BATCH_NORMED[letters] if norm == "batch" else letters)
    if isinstance(norm, Layer):
        _refuse_wiring(norm, f"{where}.norm")
        written += "+" + _layer(norm, f"{where}.norm")
    return written + _activation(layer)


def _plain(layer: Layer, word: Word, letters: str = "") -> str:
    """The layer without its norm and activation."""
    before = "" if word.before is None else getattr(layer, word.before)
    written = f"{'' if before is None else before}{letters or LETTERS_OF[word.kind]}"
    if isinstance(layer, ZeroPad2D) and not isinstance(layer.padding, int) and isinstance(layer.padding[0], tuple):
        sides = (side for axis in layer.padding if isinstance(axis, tuple) for side in axis)
        return written + "".join(f"{option}{side}" for option, side in zip(SIDES, sides, strict=True) if side)
    if word.after is not None:
        written += _value(getattr(layer, word.after))
    defaults = {entry.name: entry.default for entry in fields(layer)}
    for option, argument in word.options.items():
        if argument in defaults and getattr(layer, argument) != defaults[argument]:
            written += option if argument in FLAGS else option + _value(getattr(layer, argument))
    return written


def _activation(layer: Layer) -> str:
    entry = next((entry for entry in fields(layer) if entry.name == "activation"), None)
    value = getattr(layer, "activation", None)
    return "" if entry is None or value == entry.default else f":{value or 'none'}"


def _value(value: object) -> str:
    match value:
        case "same":
            return "s"
        case "valid":
            return "0"
        case float():
            # An exponent, as in 1e-05, would be read as an option and a dash.
            return format(abs(Decimal(repr(value))), "f")
        case tuple():
            return "x".join(map(str, value))
    return str(value)
