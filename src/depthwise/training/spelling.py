"""Values as text by which another process knows whether they are the same."""

from __future__ import annotations

import sys
import zlib
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from torch import Tensor, nn

from depthwise.layers import Layer
from depthwise.training.inputs import as_array

FEW = 10
"""Numbers of an array that are written out; more are told by a checksum."""


def spell(value: object) -> str:
    """The value as text: equal where values do the same, in every process; different where anything in them differs.

    Numbers, texts and containers are written out.  Functions go by their names, those without a name of their own (a
    ``lambda``, one inside another) by their code and what they hold.  Objects go by their classes and public
    attributes, modules by their tensors too; objects of the standard library by what they say of themselves.

    Examples
    --------
    >>> import torch
    >>> from depthwise.training import EarlyStopping
    >>> spell((64, "auto", {"b", "a"})), spell(torch.nn.ReLU())
    ("[64, 'auto', {'a', 'b'}]", 'torch.nn.modules.activation.ReLU(inplace=False)')
    >>> spell(EarlyStopping(patience=3))
    "EarlyStopping(min_delta=0.0, monitor='valid_loss', patience=3, restore_best=True)"
    >>> spell(lambda x: x + 1) == spell(lambda x: x + 2)
    False
    """
    return _spell(value, ())


def _spell(value: Any, outer: tuple[int, ...]) -> str:
    """The value as text, which lies in objects of these addresses."""
    if id(value) in outer:
        return "..."
    inner = (*outer, id(value))
    match value:
        case np.generic():
            return repr(value.item())
        case None | bool() | int() | float() | complex() | str() | bytes() | Layer():
            return repr(value)
        case Tensor() | np.ndarray():
            return _spell_array(value)
        case list() | tuple():
            return f"[{', '.join(_spell(each, inner) for each in value)}]"
        case set() | frozenset():
            return f"{{{', '.join(sorted(_spell(each, inner) for each in value))}}}"
        case dict():
            return _spell_pairs(value, inner, "{}")
        case partial():
            return f"partial{_spell([value.func, value.args, value.keywords], inner)}"
        case FunctionType():
            return _spell_function(value, inner)
        case type() | BuiltinFunctionType():
            return _name(value)
        case MethodType():
            return f"{_spell(value.__self__, inner)}.{value.__name__}"
        case CodeType():
            return f"code {_checksum(value.co_code)} {_spell([value.co_consts, value.co_names], inner)}"
    return _spell_object(value, inner)


def _name(value: Any) -> str:
    """Where it is defined, and its name; of what is ours the name alone, which messages show."""
    ours = value.__module__.partition(".")[0] == "depthwise"
    return value.__qualname__ if ours else f"{value.__module__}.{value.__qualname__}"


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _spell_pairs(pairs: dict[Any, Any], inner: tuple[int, ...], brackets: str) -> str:
    joint = "=" if brackets == "()" else ": "
    listed = sorted((str(name), _spell(value, inner)) for name, value in pairs.items())
    return f"{brackets[0]}{', '.join(f'{name}{joint}{text}' for name, text in listed)}{brackets[1]}"


def _spell_array(values: Tensor | np.ndarray[Any, Any]) -> str:
    array = as_array(values)
    if array.size <= FEW or array.dtype.hasobject:
        return f"{values.dtype} {array.tolist()}"
    return f"{values.dtype} {'x'.join(map(str, array.shape))} {_checksum(np.ascontiguousarray(array).tobytes())}"


def _spell_function(function: FunctionType, inner: tuple[int, ...]) -> str:
    if "<" not in function.__qualname__:
        return _name(function)
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    parts = [function.__code__, held, function.__defaults__, function.__kwdefaults__]
    return f"{_name(function)}{_spell(parts, inner)}"


def _spell_object(value: Any, inner: tuple[int, ...]) -> str:
    kind = type(value)
    foreign = kind.__module__.partition(".")[0] in sys.stdlib_module_names  # a path, a logger, a lock, a stream
    if foreign or not hasattr(value, "__dict__"):
        text = repr(value)
        return _name(kind) if " at 0x" in text or text.startswith("<") else text
    told = {name: each for name, each in vars(value).items() if not name.startswith("_") and not name.endswith("_")}
    if isinstance(value, nn.Module):
        told |= {**value.state_dict(), **dict(value.named_children())}
        del told["training"]
    return _name(kind) + _spell_pairs(told, inner, "()")
