"""Layer lists as TOML files, which carry every list: own names, wiring, nested residual blocks, the input's shape.

::

    version = 1

    [[layers]]
    kind = "conv2d"
    out_channels = 32
    kernel_size = [3, 5]

    [[layers]]
    kind = "residual"

    [[layers.layers]]
    kind = "depthwiseconv2d"
    padding = "same"
    activation = "none"

Each table is a layer: its kind is the class name in small letters, the rest are the class's arguments.  ``None`` as an
activation is ``"none"``; arguments that are left out keep their defaults.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any

from depthwise.errors import DepthwiseError, NotationError, did_you_mean
from depthwise.layers import LAYERS, Layer, as_layers
from depthwise.notation.scanner import MOST_NESTED

VERSION = 1
"""Of the form of the file; a reader refuses what it does not know."""
KINDS = {kind.__name__.lower(): kind for kind in LAYERS}
LISTS = ("layers", "shortcut")
"""Arguments that are lists of layers themselves."""


def read_toml(text: str) -> tuple[Layer, ...]:
    """Read a layer list from the text of a TOML file.

    Raises
    ------
    NotationError
        The text is no TOML, or an entry of it is no layer; the message names the entry.

    Examples
    --------
    >>> read_toml('''
    ... [[layers]]
    ... kind = "conv2d"
    ... out_channels = 32
    ... ''')
    (Conv2D(32),)
    >>> read_toml('layers = [{ kind = "conv" }]')
    Traceback (most recent call last):
    depthwise.errors.NotationError: cannot read the TOML text at layers[0]: 'conv' is no kind of layer. Did you mean \
'conv2d'? Kinds: input, conv2d, depthwiseconv2d, separableconv2d, conv2dtranspose, maxpool2d, avgpool2d, \
globalavgpool2d, globalmaxpool2d, upsample2d, zeropad2d, batchnorm, groupnorm, activation, leakyrelu, dropout, \
spatialdropout2d, flatten, dense, output, add, concat, residual.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as problem:
        raise NotationError(
            f"cannot read the TOML text: {problem}. Mend it there; write_toml shows the form."
        ) from None
    except RecursionError:
        raise NotationError("cannot read the TOML text: it is nested too deeply. Nest less.") from None
    if document.get("version", VERSION) != VERSION:
        raise NotationError(
            f"cannot read the TOML text: its version is {document['version']!r} but must be {VERSION}. "
            "Read it with a newer depthwise, or write it anew with write_toml."
        )
    for key in document:
        if key not in ("version", "layers"):
            raise NotationError(f"cannot read the TOML text: {key!r} is no key. Write [[layers]] for each layer.")
    return _layers(document.get("layers"), "layers", 0)


def _layers(tables: object, where: str, nesting: int) -> tuple[Layer, ...]:
    if not isinstance(tables, list) or not tables:
        header = re.sub(r"\[[0-9]+\]", "", where)
        raise NotationError(f"cannot read the TOML text: {where} holds no layer. Write [[{header}]] for each one.")
    return tuple(_layer(table, f"{where}[{place}]", nesting) for place, table in enumerate(tables))


def _layer(table: object, where: str, nesting: int) -> Layer:
    if not isinstance(table, dict) or "kind" not in table:
        raise NotationError(f'cannot read the TOML text at {where}: it has no kind. Write kind = "conv2d" or another.')
    if nesting > MOST_NESTED:
        raise NotationError(
            f"cannot read the TOML text at {where}: it stands in more than {MOST_NESTED} others. Nest less."
        )
    arguments = {argument: value for argument, value in table.items() if argument != "kind"}
    name = table["kind"]
    kind = KINDS.get(name.lower()) if isinstance(name, str) else None
    if kind is None:
        meant = did_you_mean(str(name).lower(), KINDS)
        listed = ", ".join(KINDS)
        raise NotationError(
            f"cannot read the TOML text at {where}: {name!r} is no kind of layer.{meant} Kinds: {listed}."
        )
    for argument, value in arguments.items():
        if argument in LISTS:
            arguments[argument] = _layers(value, f"{where}.{argument}", nesting + 1)
        elif argument == "norm" and isinstance(value, dict):
            arguments[argument] = _layer(value, f"{where}.{argument}", nesting + 1)
    for entry in fields(kind):
        if entry.default is MISSING and entry.name not in arguments:
            raise NotationError(
                f"cannot read the TOML text at {where}: {kind.__name__} needs {entry.name}. Write {entry.name} = ..."
            )
    try:
        return kind(**arguments)
    except DepthwiseError as problem:
        raise NotationError(f"cannot read the TOML text at {where}: {problem}") from None


def write_toml(layers: Iterable[object]) -> str:
    r"""Write a layer list as the text of a TOML file, from which :func:`read_toml` makes the same list.

    Raises
    ------
    NotationError
        A layer is of a class that depthwise does not know.

    Examples
    --------
    >>> from depthwise.layers import Conv2D
    >>> print(write_toml([Conv2D(32, activation=None)]), end="")
    version = 1
    <BLANKLINE>
    [[layers]]
    kind = "conv2d"
    out_channels = 32
    activation = "none"
    """
    return f"version = {VERSION}\n" + "".join(_table(layer, "layers") for layer in as_layers(layers))


def _table(layer: Layer, path: str) -> str:
    written = _arguments(layer)
    lines = "".join(f"{name} = {_value(value)}\n" for name, value in written.items() if name not in LISTS)
    inner = "".join(_table(entry, f"{path}.{name}") for name in LISTS for entry in written.get(name, ()))
    return f"\n[[{path}]]\n{lines}{inner}"


def _arguments(layer: Layer) -> dict[str, Any]:
    """Kind and arguments, the defaults left out."""
    if KINDS.get(layer.kind) is not type(layer):
        raise NotationError(f"a {type(layer).__name__} is no layer of depthwise, so a file cannot name it.")
    values = {entry.name: (getattr(layer, entry.name), entry.default) for entry in layer.entries()}
    return {"kind": layer.kind} | {name: value for name, (value, default) in values.items() if value != default}


def _value(value: object) -> str:
    match value:
        case None:
            return '"none"'
        case bool():
            return str(value).lower()
        case str():
            # TOML's strings are JSON's, except that it refuses a bare delete character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Layer():
            return f"{{ {', '.join(f'{name} = {_value(part)}' for name, part in _arguments(value).items())} }}"
    return repr(value)
