"""Any module of PyTorch and the shape of its images -> Graph."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import nn

from depthwise.errors import DepthwiseError, TargetError
from depthwise.graph import Graph
from depthwise.layers.shapes import checked_shape
from depthwise.trace.answering import Answering
from depthwise.trace.following import as_it_was, follow
from depthwise.trace.layout import Traced
from depthwise.trace.recorder import Recorder
from depthwise.trace.sums import end
from depthwise.trace.unknown import NeedsValuesError

SEVERAL_INPUTS = (
    "Give all of them: inputs=((3, 224, 224), (3, 224, 224)) as shapes without the batch, "
    "or as example tensors with it."
)


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
    module = initialized(module, shapes, examples)
    try:
        return _recorded(module, shapes, examples, observed=False)
    except NeedsValuesError:
        return _recorded(module, shapes, examples, observed=True)


def _scripted(module: nn.Module, shapes: list[tuple[int, ...]], examples: list[Any]) -> Graph:
    from depthwise.trace.scripted import trace_script

    with torch.no_grad(), as_it_was(list(module.named_modules()), observed=True):
        images = _images(shapes, examples, "cpu", torch.float32)
        with own_errors(module, len(images)):
            return trace_script(module, shapes, images)


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


def initialized(module: nn.Module, shapes: list[tuple[int, ...]], examples: list[Any]) -> nn.Module:
    """The module; if it has lazy parameters a copy, which one run on an empty image has given their shapes."""
    if not any(isinstance(part, nn.modules.lazy.LazyModuleMixin) for part in module.modules()):
        return module
    module = copy.deepcopy(module)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            module(*_images(shapes, examples, "cpu", torch.float32))
        except Exception as problem:
            if is_out_of_memory(problem):
                raise
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
        with own_errors(module, len(images), recorder), Answering(recorder, observed):
            output = module(*images)
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


@contextmanager
def own_errors(
    module: nn.Module, n_inputs: int, recorder: Recorder | None = None, several: str = SEVERAL_INPUTS
) -> Iterator[None]:
    """Tell what a module raises as an error of ours, with the part that it was in; not that memory has run out.

    Parameters
    ----------
    module
        What is called.
    n_inputs
        With how many inputs.
    recorder
        Knows the part.
    several
        What to do about a module of other inputs.
    """
    try:
        yield
    except DepthwiseError:
        raise
    except Exception as problem:
        if is_out_of_memory(problem):
            raise
        text = str(problem)
        if isinstance(problem, TypeError) and ("positional argument" in text or "missing" in text):
            called = f"it was called with {n_inputs} input{'s' * (n_inputs != 1)}"
            raise TargetError(f"{text}; {called}. {several}") from problem
        where = f"layer {recorder.failed!r}: " if recorder is not None and recorder.failed else ""
        raise TargetError(
            f"{type(module).__name__} cannot be traced: {where}{type(problem).__name__}: {text}"
        ) from problem


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether memory has run out, on the processor too, where PyTorch has no class for it."""
    return isinstance(problem, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(problem)


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
