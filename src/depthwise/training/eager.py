"""PyTorch's optimizers without its compiler, whose import takes a second and 70 MiB."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.optim import Optimizer

BOOKKEEPING = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods of every optimizer that ask the compiler to leave them out of its graphs."""
STEP_WRAPPER = "_use_grad"
"""Name inside PyTorch of what surrounds a step: no gradients, and an end of the compiler's graph on both sides."""


@cache
def without_compiler(kind: type[Any]) -> type[Any]:
    """The same optimizer, which does not import the compiler to tell it where graphs end.

    Nothing of a step changes, and hooks are called as before.  Optimizers that are not PyTorch's own, or whose step
    PyTorch surrounds in another way, are left alone there.

    Examples
    --------
    >>> kind = without_compiler(torch.optim.Adam)
    >>> kind.__name__, issubclass(kind, torch.optim.Adam)
    ('Adam', True)
    """
    if not kind.__module__.startswith("torch.optim"):
        return kind
    methods: dict[str, Any] = {
        name: inspect.unwrap(getattr(Optimizer, name))
        for name in BOOKKEEPING
        if getattr(kind, name) is getattr(Optimizer, name)
    }
    step = _find_step(kind.step)
    if step is not None:
        methods["step"] = torch.no_grad()(step)

    def reduce(optimizer: Optimizer) -> Any:
        return _new, (kind,), optimizer.__getstate__()

    # Pickled it is PyTorch's own: this class has no place in a module to be found at.
    return type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__, "__reduce__": reduce})


def _new(kind: type[Optimizer]) -> Optimizer:
    return kind.__new__(kind)


def _find_step(method: Callable[..., Any]) -> Callable[..., Any] | None:
    """What PyTorch's wrapper surrounds; nothing if there is none."""
    found: Any = method
    while found is not None and found.__code__.co_name != STEP_WRAPPER:
        found = getattr(found, "__wrapped__", None)
    return None if found is None else inspect.unwrap(found)
