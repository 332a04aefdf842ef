"""What a user may write as a layer list, and how its layers are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from depthwise.errors import GraphError, LayerError
from depthwise.layers.dense import Input
from depthwise.layers.layer import Layer


def as_layers(layers: Iterable[object]) -> tuple[Layer, ...]:
    """Read a list of layer records; nolearn's pairs ``(Conv2D, {...})`` are layers too.

    Raises
    ------
    LayerError
        An entry is neither a layer nor such a pair, or the list is empty.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, Dense
    >>> as_layers([(Conv2D, {"out_channels": 8}), Dense(10)])
    (Conv2D(8), Dense(10))
    """
    if isinstance(layers, (str, bytes, Layer)) or not isinstance(layers, Iterable):
        example = f"[{layers!r}]" if isinstance(layers, Layer) else "[Conv2D(32), Output()]"
        raise LayerError(f"a layer list must be a list of layers, not {layers!r}. Write {example}.")
    read = tuple(_as_layer(entry, place) for place, entry in enumerate(layers))
    if not read:
        raise LayerError("a layer list is empty. Give at least one layer, such as Dense(64).")
    return read


def _as_layer(entry: object, place: int) -> Layer:
    match entry:
        case Layer():
            return entry
        case (type() as kind, dict() as arguments) if issubclass(kind, Layer):
            return kind(**arguments)
        case type() if issubclass(entry, Layer):
            raise LayerError(f"entry {place} of the list is the class {entry.__name__}. Write {entry.__name__}(...).")
    raise LayerError(
        f"entry {place} of the list is {entry!r}. Write a layer such as Conv2D(32), or a pair (Conv2D, {{...}})."
    )


def with_input(layers: Iterable[object]) -> tuple[Layer, ...]:
    """The list with its implied :class:`Input` written out.

    >>> from depthwise.layers import Dense
    >>> with_input([Dense(10)])
    (Input(), Dense(10))
    """
    read = as_layers(layers)
    if any(isinstance(layer, Input) for layer in read[1:]):
        raise GraphError("an Input stands behind other layers. A network has one Input, and it comes first.")
    return read if isinstance(read[0], Input) else (Input(), *read)


def layer_names(layers: Iterable[Layer]) -> Iterator[tuple[str, Layer]]:
    """Name of each layer of one level: its own, or its kind and place in the list, the input first.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, MaxPool2D
    >>> [name for name, _ in layer_names(with_input([Conv2D(8), MaxPool2D(), Conv2D(8, name="last")]))]
    ['input0', 'conv2d1', 'maxpool2d2', 'last']
    """
    for place, layer in enumerate(layers):
        yield layer.name or f"{layer.kind}{place}", layer
