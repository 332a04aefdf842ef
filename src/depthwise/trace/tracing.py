"""Any module of PyTorch and the shape of its images -> Graph."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from operator import is_
from typing import Any

import torch
from torch import nn

from depthwise.errors import SizeError, TargetError
from depthwise.graph import Graph
from depthwise.layers.shapes import checked_shape
from depthwise.trace.answering import Answering
from depthwise.trace.layout import Traced
from depthwise.trace.recorder import Recorder
from depthwise.trace.sums import end
from depthwise.trace.unknown import NeedsValuesError


def trace_module(module: nn.Module, input_shape: Iterable[int] | None = None, inputs: Any = None) -> Graph:
    """Record what a module does to an image, without doing it.

    Every function is answered with an empty tensor of the right shape, so that it takes milliseconds and no memory.  A
    module that chooses its way by values is run once on a random image instead; its graph says ``observed``.
    The module is left as it was.

    Parameters
    ----------
    module
        The network.
    input_shape
        ``(channels, height, width)`` of an image, or ``(features,)``.
    inputs
        Shapes without the batch, or example tensors with it, of a module of several inputs.

    Returns
    -------
    Graph
        Its nodes are named after the submodules: ``layer1.0.conv1``; functions after the submodule that calls them:
        ``layer1.0.add``; the second call of a submodule ends in ``#2``.

    Raises
    ------
    SizeError
        An operation does not fit to what it reads.
    TargetError
        The module cannot be called with such images.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 10))
    >>> [(node.name, node.kind) for node in trace_module(net, (1, 28, 28)).nodes]
    [('input0', 'input'), ('0', 'conv2d'), ('1', 'relu'), ('2', 'flatten'), ('3', 'dense')]
    """
    shapes, examples = _given(module, input_shape, inputs)
    module = _unwrapped(module)
    if isinstance(module, torch.jit.ScriptModule):
        return _scripted(module, shapes, examples)
    if any(isinstance(part, nn.modules.lazy.LazyModuleMixin) for part in module.modules()):
        module = _initialized(module, shapes, examples)
    try:
        return _recorded(module, shapes, examples, observed=False)
    except NeedsValuesError:
        return _recorded(module, shapes, examples, observed=True)


def _scripted(module: nn.Module, shapes: list[tuple[int, ...]], examples: list[Any]) -> Graph:
    from depthwise.trace.scripted import trace_script

    flags = [(part, part.training) for part in module.modules()]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        module.eval()
        try:
            return trace_script(module, shapes, _images(shapes, examples, "cpu", torch.float32))
        finally:
            for part, flag in flags:
                part.training = flag


def _given(module: nn.Module, input_shape: Any, inputs: Any) -> tuple[list[tuple[int, ...]], list[Any]]:
    """Shapes of all inputs, and their example tensors where there are any."""
    if inputs is None and input_shape is None:
        raise TargetError(
            f"{type(module).__name__} is a module of PyTorch, and the shape of its images is not known. "
            "Give input_shape=(channels, height, width), or inputs=((3, 224, 224), ...) for several inputs."
        )
    if inputs is None:
        listed: Any = (input_shape,)
    else:
        listed = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
        if listed and not any(isinstance(entry, (tuple, list, torch.Tensor)) for entry in listed):
            listed = (tuple(listed),)
    shapes = [checked_shape(entry.shape[1:] if isinstance(entry, torch.Tensor) else entry) for entry in listed]
    return shapes, [entry if isinstance(entry, torch.Tensor) else None for entry in listed]


def _unwrapped(module: nn.Module) -> nn.Module:
    """The network within wrappers for compilation and parallel training."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _initialized(module: nn.Module, shapes: list[tuple[int, ...]], examples: list[Any]) -> nn.Module:
    """A copy of a module with lazy parameters, which one run on an empty image has given their shapes."""
    module = copy.deepcopy(module)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            module(*_images(shapes, examples, "cpu", torch.float32))
        except Exception as problem:
            with suppress(NeedsValuesError):
                _recorded(module, shapes, examples, observed=False)  # tells which layer does not fit
            raise TargetError(
                f"{type(module).__name__} cannot be run: {type(problem).__name__}: {problem}"
            ) from problem
    return module


def _images(shapes: list[tuple[int, ...]], examples: list[Any], device: Any, dtype: torch.dtype) -> list[torch.Tensor]:
    images = []
    for shape, example in zip(shapes, examples, strict=True):
        if example is not None:
            images.append(example[:1].to(device))
        else:
            make = torch.empty if str(device) == "meta" else torch.rand
            images.append(make((1, *shape), device=device, dtype=dtype))
    return images


def _recorded(module: nn.Module, shapes: list[tuple[int, ...]], examples: list[Any], observed: bool) -> Graph:
    parts = list(module.named_modules())
    recorder = Recorder(parts)
    first = next((value for _, value in recorder.parameters.values()), None)
    dtype = first.dtype if first is not None and first.is_floating_point() else torch.float32
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(as_it_was(parts, observed))
        device = first.device if observed and first is not None else "cpu" if observed else "meta"
        images = _images(shapes, examples, device, dtype)
        for place, (image, shape) in enumerate(zip(images, shapes, strict=True)):
            recorder.add_input(image, shape, place)
        follow(parts, recorder)
        answering = Answering(recorder, observed)
        try:
            with answering:
                output = module(*images)
        except SizeError:
            raise
        except TypeError as problem:
            raise _arguments(module, problem, len(images)) from problem
        except Exception as problem:
            where = recorder.failed
            raise TargetError(
                f"{type(module).__name__} cannot be traced: {'layer ' + repr(where) + ': ' if where else ''}"
                f"{type(problem).__name__}: {problem}"
            ) from problem
    found = first_traced(recorder, output)
    if found is None:
        raise _lost(module, output)
    return recorder.graph(end(recorder, found), observed)


def _lost(module: nn.Module, output: Any) -> TargetError:
    if any(isinstance(part, torch.Tensor) for part in (output, *_parts(output))):
        return TargetError(
            f"{type(module).__name__} returns {type(output).__name__}, which no function of PyTorch was seen to make "
            "of the image: numpy(), tolist() and torch.vmap cannot be followed. Write what they do with PyTorch's "
            "functions of whole batches, or give a module that returns what it makes of the image."
        )
    return TargetError(
        f"{type(module).__name__} returns {type(output).__name__}, in which no tensor was made of the image. "
        "Give a module that returns its output tensor."
    )


def _arguments(module: nn.Module, problem: TypeError, given: int) -> TargetError:
    text = str(problem)
    if "positional argument" not in text and "missing" not in text:
        return TargetError(f"{type(module).__name__} cannot be traced: TypeError: {text}")
    return TargetError(
        f"{text}; it was called with {given} input{'s' * (given != 1)}. Give all of them: "
        "inputs=((3, 224, 224), (3, 224, 224)) as shapes without the batch, or as example tensors with it."
    )


def first_traced(recorder: Recorder, output: Any) -> Traced | None:
    """The first tensor among outputs that the image went into."""
    if isinstance(output, torch.Tensor):
        return recorder.traced(output)
    return next((found for part in _parts(output) if (found := first_traced(recorder, part)) is not None), None)


def _parts(output: Any) -> Iterable[Any]:
    """What a module's output holds: entries of a tuple, values of a dictionary, attributes of a record."""
    if isinstance(output, torch.Tensor):
        return ()
    if isinstance(output, (tuple, list)):
        return output
    if hasattr(output, "values"):
        return output.values()
    return vars(output).values() if hasattr(output, "__dict__") else ()


@contextmanager
def as_it_was(named: list[tuple[str, nn.Module]], observed: bool) -> Iterator[None]:
    """In evaluation and uncompiled; afterwards flags, attributes, buffers and random state are as before."""
    parts = [part for _, part in named]
    tables = ("_parameters", "_buffers", "_modules")
    before = [(part, dict(part.__dict__), [dict(part.__dict__[table]) for table in tables]) for part in parts]
    values = (
        [(value, value.detach().clone()) for value in (*parts[0].buffers(), *parts[0].parameters())] if observed else []
    )
    state = torch.get_rng_state()
    for part in parts:
        part.__dict__["training"] = False
        part.__dict__.pop("_compiled_call_impl", None)
        for name, child in part._modules.items():
            inner = None if child is None else getattr(child, "_orig_mod", None)
            if inner is not None:
                part._modules[name] = inner
    try:
        yield
    finally:
        for part, attributes, contents in before:
            for table, content in zip(tables, contents, strict=True):
                if _differs(part.__dict__[table], content):
                    attributes[table].clear()
                    attributes[table].update(content)
            part.__dict__.clear()
            part.__dict__.update(attributes)
        for value, kept in values:
            if value.device.type != "meta" and not torch.equal(value, kept):
                value.detach().copy_(kept)
        torch.set_rng_state(state)


def _differs(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return now.keys() != before.keys() or not all(map(is_, now.values(), before.values()))


def follow(parts: list[tuple[str, nn.Module]], recorder: Recorder) -> None:
    """Let every part tell the recorder when the forward pass is in it, until ``as_it_was`` ends.

    A forward method of the instance's own costs a tenth of what two hooks cost, and sees direct calls too.
    """
    for path, part in parts[1:]:
        part.__dict__["forward"] = _followed(path, part, recorder)


def _followed(path: str, part: nn.Module, recorder: Recorder) -> Any:
    forward, place, nodes, leaf = part.forward, recorder.place, recorder.nodes, not part._modules

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
