"""The parts of a module while it is watched: in evaluation, telling where the pass is; afterwards as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any

import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function

from depthwise.trace.recorder import Recorder

TABLES = ("_parameters", "_buffers", "_modules")


@contextmanager
def as_it_was(named: list[tuple[str, nn.Module]], observed: bool) -> Iterator[None]:
    """In evaluation and uncompiled; afterwards flags, attributes, buffers and random state are as before."""
    parts = [part for _, part in named]
    before = [(part, dict(part.__dict__), _contents(part)) for part in parts]
    # A script keeps its flag outside Python; a frozen one has none.
    flags = [(part, part.training) for part in parts if _is_script(part) and hasattr(part, "training")]
    values = (
        [(value, value.detach().clone()) for value in (*parts[0].buffers(), *parts[0].parameters())] if observed else []
    )
    state = torch.get_rng_state()
    try:
        _evaluate(parts, flags)
        yield
    finally:
        for part, attributes, contents in before:
            for table, content in contents.items():
                if _differs(part.__dict__[table], content):
                    attributes[table].clear()
                    attributes[table].update(content)
            part.__dict__.clear()
            part.__dict__.update(attributes)
        for script, flag in flags:
            script.training = flag
        for value, kept in values:
            if value.device.type != "meta" and not torch.equal(value, kept):
                value.detach().copy_(kept)
        torch.set_rng_state(state)


def _is_script(part: nn.Module) -> bool:
    return isinstance(part, torch.jit.ScriptModule)


def _contents(part: nn.Module) -> dict[str, dict[str, Any]]:
    """What may be set in a part; the tables of a script are views of what was compiled."""
    return {} if _is_script(part) else {table: dict(part.__dict__[table]) for table in TABLES}


def _evaluate(parts: list[nn.Module], flags: list[tuple[nn.Module, bool]]) -> None:
    for part in parts:
        if _is_script(part):
            continue
        part.__dict__["training"] = False
        part.__dict__.pop("_compiled_call_impl", None)
        for name, child in part._modules.items():
            inner = None if child is None else getattr(child, "_orig_mod", None)
            if inner is not None:
                part._modules[name] = inner
    for script, _ in flags:
        script.training = False


def _differs(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return now.keys() != before.keys() or not all(map(is_, now.values(), before.values()))


def follow(parts: list[tuple[str, nn.Module]], recorder: Recorder) -> None:
    """Let every part tell the recorder when the forward pass is in it, until ``as_it_was`` ends.

    A forward method of the instance's own costs a tenth of what two hooks cost, and sees direct calls too.
    """
    scripts = tuple(f"{path}." for path, part in parts if _is_script(part))
    for path, part in parts[1:]:
        if not path.startswith(scripts):
            part.__dict__["forward"] = _followed(path, part, recorder)


def _followed(path: str, part: nn.Module, recorder: Recorder) -> Any:
    script = _is_script(part)
    forward = _as_one(part) if script else part.forward
    place, nodes, leaf = recorder.place, recorder.nodes, script or not part._modules

    def run(*args: Any, **kwargs: Any) -> Any:
        start = len(nodes)
        place.append((path, part))
        try:
            result = forward(*args, **kwargs)
        except BaseException:
            recorder.failed = recorder.failed or path
            raise
        finally:
            place.pop()
        recorder.failed = ""  # whatever failed inside was caught there
        if leaf and len(nodes) > start:
            recorder.close(path, start)
        return result

    return run


def _as_one(part: nn.Module) -> Any:
    """A script within a module, as one function that reads its weights: nothing sees what it does inside."""
    forward, weights = part.forward, (*part.parameters(), *part.buffers())

    def script(*args: Any, _weights: Any, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not has_torch_function((*args, *kwargs.values())):  # within a function that is being answered
            return forward(*args, **kwargs)
        return handle_torch_function(script, (), *args, _weights=weights, **kwargs)

    return call
