"""A real forward pass in which every tensor is known by the node that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from depthwise.errors import TargetError
from depthwise.graph import Graph
from depthwise.trace.answering import Answering, function_name
from depthwise.trace.following import as_it_was, follow
from depthwise.trace.layout import Traced
from depthwise.trace.recorder import Recorder
from depthwise.trace.sums import end
from depthwise.trace.tracing import first_traced, own_errors

ONE_INPUT = "Give a module that takes a batch of images and nothing else."
Look = Callable[[Traced, torch.Tensor], None]


class Watch:
    """A module that was traced once with real values, and is run again on other images.

    Parameters
    ----------
    module
        A module on the CPU, of one input.
    input_shape
        Shape of an image.

    Attributes
    ----------
    graph
        What was traced.

    Raises
    ------
    TargetError
        The module cannot be called with such images.
    """

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.parts = list(module.named_modules())
        self._recorder = recorder = Recorder(self.parts)
        image = torch.rand((1, *input_shape))
        recorder.add_input(image, input_shape, 0)
        noting = _Noting(recorder)
        with torch.no_grad(), as_it_was(self.parts, observed=True):
            follow(self.parts, recorder)
            with own_errors(module, 1, recorder, ONE_INPUT), noting:
                output = module(image)
        found = first_traced(recorder, output)
        if found is None:
            raise TargetError(f"{type(module).__name__} returns no tensor that was made of the image.")
        self.calls = noting.calls
        self.input = recorder.traced(image)
        self.renamed = recorder.renamed
        self.graph: Graph = recorder.graph(end(recorder, found), observed=False)

    def run(self, images: torch.Tensor, look: Look) -> None:
        """Run a batch, and show each tensor with what is known of it.

        Raises
        ------
        TargetError
            The module does other things with these images than it did when it was traced, or refuses them.
        """
        assert self.input is not None
        look(self.input, images)
        images = images.clone()  # the module may work in place
        module, looking = self.parts[0][1], _Looking(self.calls, look)
        with torch.no_grad(), as_it_was(self.parts, observed=True):
            follow(self.parts, self._recorder)
            with own_errors(module, 1, self._recorder, ONE_INPUT), looking:
                module(images)
        if looking.place != len(self.calls):
            raise TargetError(_OTHER_WAY)


_OTHER_WAY = (
    "the module takes another way with another batch of images, so that its layers cannot be told apart. "
    "Give one whose operations do not depend on values or on the size of the batch."
)


class _Noting(Answering):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder, observed=True)
        self.calls: list[tuple[str, list[Traced | None]]] = []

    def call(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = super().call(name, func, args, kwargs)
        self.calls.append((name, [self.recorder.traced(tensor) for tensor in _tensors(result)]))
        return result


class _Looking(TorchFunctionMode):
    def __init__(self, calls: list[tuple[str, list[Traced | None]]], look: Look) -> None:
        super().__init__()
        self.calls, self.look, self.place = calls, look, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **kwargs or {})
        name = function_name(func)
        if name is None:
            return result
        known, nodes = self.calls[self.place] if self.place < len(self.calls) else (None, [])
        tensors = list(_tensors(result))
        if known != name or len(tensors) != len(nodes):
            raise TargetError(_OTHER_WAY)
        self.place += 1
        for node, tensor in zip(nodes, tensors, strict=True):
            if node is not None:
                self.look(node, tensor)
        return result


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from _tensors(part)
