"""The forward pass without its work: every function is answered with an empty tensor of the right shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from depthwise.trace.functions import FUNCTIONS
from depthwise.trace.layout import Indices, Traced, tensor_shape
from depthwise.trace.recorder import Recorder
from depthwise.trace.unknown import NeedsValuesError, run_unknown

Rule = Callable[..., Any]

ATTRIBUTES_OF_VALUES = {"T": "T", "mT": "mT", "H": "T", "mH": "mT", "data": "detach", "real": "detach"}
"""Attributes that are tensors, and the function that they are; all others are executed."""

PASSED = frozenset([
    "size", "dim", "ndimension", "numel", "nelement", "stride", "is_contiguous", "is_floating_point",
    "is_complex", "is_signed", "element_size", "storage_offset", "get_device", "data_ptr", "is_same_size",
    "_assert", "__len__", "__hash__", "__repr__", "__format__", "type_", "_is_view", "requires_grad_",
    "register_hook", "retain_grad", "backward", "__set__", "__delete__", "is_inference", "is_neg", "is_conj",
    "_set_grad_enabled", "set_grad_enabled", "_is_zerotensor", "is_set_to", "untyped_storage", "is_pinned",
    "has_names", "get_default_dtype", "promote_types", "result_type", "broadcast_shapes",
])  # fmt: skip
"""Functions that tell something and make nothing."""

OF_VALUES = frozenset([
    "item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__",
    "nonzero", "argwhere", "unique", "unique_consecutive", "masked_select", "allclose", "equal", "is_nonzero",
    "__contains__", "bincount", "histc", "multinomial", "nonzero_static",
])  # fmt: skip
"""Functions whose answer depends on values."""

BOOLEAN = frozenset([
    "eq", "ne", "lt", "le", "gt", "ge", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "isnan",
    "isinf", "isfinite", "logical_and", "logical_or", "logical_not", "logical_xor", "greater", "greater_equal",
    "less", "less_equal", "not_equal",
])  # fmt: skip
WHOLE = frozenset(("argmax", "argmin", "argsort"))
FRESH = frozenset(("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like", "new_zeros",
                   "new_ones", "new_empty", "new_full", "new_tensor", "randint_like"))  # fmt: skip
"""Functions that take no more than a shape from a tensor."""


class Answering(TorchFunctionMode):
    """Records every call, and answers it.

    Parameters
    ----------
    recorder
        Takes the notes.
    observed
        Whether calls are executed for real, for a module that chooses its way by values.
    """

    def __init__(self, recorder: Recorder, observed: bool = False, rules: dict[str, Rule] = FUNCTIONS) -> None:
        super().__init__()
        self.recorder = recorder
        self.rules = rules
        self.observed = observed

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = function_name(func)
        if name is None:
            return func(*args, **kwargs)
        return self.call(name, func, args[:1] if func.__name__ == "__get__" else args, kwargs)

    def call(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer one function."""
        recorder = self.recorder
        tensors: list[torch.Tensor] = []
        _collect((args, kwargs) if kwargs else args, tensors)
        recorder.constants = [tensor for tensor in tensors if not recorder.knows(tensor)]
        in_place = name[-1] == "_" and name[-2] != "_"
        if len(recorder.constants) == len(tensors):
            return self._constant(func, args, kwargs, tensors, in_place)
        if name in OF_VALUES and not self.observed:
            raise NeedsValuesError(name)
        if name in FRESH and not self.observed:
            return torch.empty_like(func(*args, **kwargs), device="meta")
        plain = name[:-1] if in_place else _PLAIN.get(name, name)
        rule = self.rules.get(plain)
        answer = NotImplemented if rule is None else rule(recorder, *args, **kwargs)
        if answer is NotImplemented:
            return run_unknown(recorder, plain, func, args, kwargs, self.observed)
        real = func(*args, **kwargs) if self.observed else None
        in_place = in_place or name in IN_PLACE or kwargs.get("inplace") is True
        if in_place and isinstance(answer, Traced):
            return recorder.register(args[0], answer)
        dtype = _dtype(plain, tensors, args, kwargs)
        return self._given(answer, real, dtype, args)

    def _constant(self, func: Any, args: Any, kwargs: Any, tensors: list[torch.Tensor], in_place: bool) -> Any:
        """Work on weights alone is done, so that what it gives can be told from maps; but never on them in place."""
        recorder = self.recorder
        if in_place and not self.observed and id(args[0]) in recorder.own:
            return args[0]
        if len({tensor.device for tensor in tensors}) > 1:  # weights, and what was made beside an empty map
            args, kwargs = _converted((args, kwargs), lambda tensor: tensor.to("meta"))
        result = func(*args, **kwargs)
        recorder.derive(result, tensors)
        return result

    def _given(self, answer: Any, real: Any, dtype: torch.dtype, args: tuple[Any, ...]) -> Any:
        """Tensors for what a rule found, in the same structure."""
        if isinstance(answer, Traced):
            dtype = torch.int64 if isinstance(answer, Indices) else dtype
            tensor = torch.empty(tensor_shape(answer.dims), dtype=dtype, device="meta") if real is None else real
            return self.recorder.register(tensor, answer)
        if real is not None and not isinstance(answer, (tuple, list)):
            return real
        if isinstance(answer, (tuple, list)):
            parts = [None] * len(answer) if real is None else list(real)
            given = [self._given(part, its, dtype, args) for part, its in zip(answer, parts, strict=True)]
            return type(answer)(given)
        return answer


def function_name(func: Any) -> str | None:
    """What a function is called; ``None`` for one that only tells something."""
    name = func.__name__
    if name == "__get__":
        return ATTRIBUTES_OF_VALUES.get(func.__self__.__name__)
    return None if name in PASSED else name.partition(".")[0]


_DUNDERS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "matmul": "matmul", "pow": "pow", "mod": "remainder",
    "floordiv": "floor_divide", "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
_PLAIN = {
    **{f"__{prefix}{name}__": plain for name, plain in _DUNDERS.items() for prefix in ("", "i", "r")},
    **{f"__{name}__": name for name in ("neg", "abs", "eq", "ne", "lt", "le", "gt", "ge", "invert", "getitem")},
    "absolute": "abs", "clip": "clamp", "concat": "cat", "concatenate": "cat", "multiply": "mul", "subtract": "sub",
    "divide": "div", "true_divide": "div", "negative": "neg", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim", "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
}  # fmt: skip
"""Names of one function."""

IN_PLACE = frozenset(f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "pow", "and", "or", "xor")) | {
    "__setitem__"
}


def _collect(values: Any, found: list[torch.Tensor]) -> None:
    """Find all tensors among arguments."""
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list, dict)):
            _collect(value, found)


def _converted(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _converted(entry, change) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_converted(entry, change) for entry in value)
    return value


def _dtype(name: str, tensors: list[torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.dtype:
    if name in BOOLEAN:
        return torch.bool
    if name in WHOLE:
        return torch.int64
    if name in ("to", "type", "softmax", "log_softmax", "sum", "mean"):
        for value in (*args[1:], *kwargs.values()):
            if isinstance(value, torch.dtype):
                return value
    cast = {"float": torch.float32, "half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64,
            "long": torch.int64, "int": torch.int32, "bool": torch.bool}  # fmt: skip
    return cast.get(name, tensors[0].dtype)
