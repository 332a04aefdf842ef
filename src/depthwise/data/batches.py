"""CIFAR's pickled batches, read without running what a pickle may hold.

Python's own unpickler calls any function that a file names.  This one knows the two names that an array is pickled
with, puts records in their place, and understands only the instructions that plain data are written with.
"""

import io
import pickle
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from depthwise.errors import DataError


class _Name(NamedTuple):
    """A name that a pickle may call."""

    name: str


@dataclass
class _Pickled:
    """What stands in a pickle as a call of a name with arguments, and the state that is given to what comes."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


_NAMES = {
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("_codecs", "encode"): "bytes",  # Python 3 writes bytes so for Python 2
}
# fmt: off
_CODES = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
    pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.BINFLOAT, pickle.STRING, pickle.BINSTRING,
    pickle.SHORT_BINSTRING, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINBYTES, pickle.SHORT_BINBYTES,
    pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_LIST, pickle.APPEND,
    pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS, pickle.BINPUT, pickle.LONG_BINPUT,
    pickle.BINGET, pickle.LONG_BINGET, pickle.MEMOIZE, pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD,
)
# fmt: on


# The one written in Python: its memo is a dictionary, while that of the other takes memory for any number it is told.
class _Unpickler(pickle._Unpickler):
    stack: list[Any]

    def find_class(self, module: str, name: str) -> _Name:
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of CIFAR does")
        return _Name(_NAMES[module, name])

    def _call(self) -> None:
        arguments = self.stack.pop()
        if not isinstance(self.stack[-1], _Name):
            raise pickle.UnpicklingError("it calls plain data")
        self.stack[-1] = _Pickled(self.stack[-1].name, arguments)

    def _give_state(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Pickled):
            raise pickle.UnpicklingError("it gives a state to plain data")
        self.stack[-1].state = state

    dispatch: ClassVar[dict[int, Any]] = {
        **{code[0]: method for code, method in ((c, pickle._Unpickler.dispatch[c[0]]) for c in _CODES)},
        pickle.REDUCE[0]: _call,
        pickle.BUILD[0]: _give_state,
    }


def unpickle(content: bytes, where: str) -> dict[str, Any]:
    """The dictionary in a pickle, of plain data and arrays of bytes; strings of Python 2 become text.

    Raises
    ------
    DataError
        It holds anything else, is cut off, or is no pickle.
    """
    try:
        found = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        if not isinstance(found, dict):
            raise pickle.UnpicklingError(f"it holds a {type(found).__name__}")
        return {_text(key): _array(value) if isinstance(value, _Pickled) else value for key, value in found.items()}
    # What the instructions of a damaged pickle end in is anybody's guess.
    except Exception as error:
        reason = str(error) if isinstance(error, pickle.UnpicklingError) else "its bytes are no such pickle"
        raise DataError(f"{where}: no pickled batch of CIFAR: {reason}. Fetch the set again.") from error


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _array(pickled: _Pickled) -> NDArray[np.uint8]:
    _, shape, dtype, is_fortran, content = pickled.state
    if pickled.name != "array" or dtype.name != "dtype" or dtype.arguments[0] not in ("u1", b"u1"):
        raise pickle.UnpicklingError("it holds an array of other than bytes")
    if isinstance(content, _Pickled):
        content = content.arguments[0]
    values = content.encode("latin1") if isinstance(content, str) else content
    if prod(shape) != len(values):
        raise pickle.UnpicklingError(f"an array of {'x'.join(map(str, shape))} has {len(values)} bytes")
    array = np.frombuffer(values, np.uint8)
    return array.reshape(shape[::-1]).T if is_fortran else array.reshape(shape)
