"""Whether a network ends as a loss needs it: one value a class or target, without activation."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import nn

from depthwise.errors import TrainingError
from depthwise.graph import Edit, Graph, Node, SizedGraph
from depthwise.layers.ops import Activation, Dense, Flatten, format_shape
from depthwise.trace import trace_module


def with_logits(graph: Graph, input_shape: tuple[int, ...] | None, n_outputs: int | None, of: str) -> SizedGraph:
    """The graph as it is trained: its ``Output()`` filled in, its final softmax left to the loss, its output flat.

    Parameters
    ----------
    graph
        As declared.
    input_shape
        Shape of one image, or ``None`` where the input declares it.
    n_outputs
        Number of classes or targets; ``None`` takes what the network has.  One output is enough for two classes.
    of
        What there are `n_outputs` of, for the error: ``"classes"``.

    Raises
    ------
    TrainingError
        The network ends otherwise.
    SizeError
        The network does not fit the images.
    """
    graph = _without_softmax(graph) if of == "classes" else graph
    last = graph.nodes[-1]
    if isinstance(last.op, Dense) and last.op.out_features is None:
        if n_outputs is None:
            raise TrainingError(
                f"layer {last.layer!r}: its width is not known before there is data. Write Output(n), or call fit."
            )
        graph = graph.edit([Edit(last.name, "out_features", n_outputs)])
    sized = graph.at(input_shape)
    end = _last_op(graph)
    width = prod(map(int, sized.output_shape))  # type: ignore[arg-type]
    if n_outputs is not None and width != n_outputs and not _is_one_logit(width, n_outputs, of):
        if last.kind == "output":
            raise TrainingError(
                f"layer {last.layer!r} is {width} wide, but there are {n_outputs} {of}. Write Output(), which takes "
                f"its width from the data (N in a notation, no units in a file), or Output({n_outputs})."
            )
        raise TrainingError(
            f"missing output layer: the network ends in layer {end.layer!r} with {format_shape(sized.output_shape)} "
            f"values an image, but {n_outputs} {of} need {n_outputs}. Write Output() as the last layer."
        )
    if isinstance(end.op, Activation):
        raise TrainingError(
            f"missing output layer: layer {end.layer!r} ends in the activation {end.op.function!r}, but the loss of "
            f"{_some(n_outputs, of)} needs values of any size and sign. "
            "Write activation=None there, or Output() as the last layer."
        )
    if len(sized.output_shape) > 1:
        flatten = Node(f"{last.name}.flatten", Flatten(), (graph.nodes[-1].name,), last.layer, last.kind)
        return replace(graph, nodes=(*graph.nodes, flatten)).at(input_shape)
    return sized


def _is_one_logit(width: int, n_outputs: int | None, of: str) -> bool:
    return width == 1 and n_outputs == 2 and of == "classes"


def _some(n_outputs: int | None, of: str) -> str:
    return of if n_outputs is None else f"{n_outputs} {of}"


def _last_op(graph: Graph) -> Node:
    """The node that makes the values that come out."""
    nodes = {node.name: node for node in graph.nodes}
    node = graph.nodes[-1]
    while isinstance(node.op, Flatten):
        node = nodes[node.inputs[0]]
    return node


def _without_softmax(graph: Graph) -> Graph:
    """The graph without a softmax at its end: the loss applies its own, which is exact for large values too."""
    end = _last_op(graph)
    if not (isinstance(end.op, Activation) and end.op.function in ("softmax", "log_softmax")):
        return graph
    source = end.inputs[0]
    rewired = (
        replace(node, inputs=tuple(source if name == end.name else name for name in node.inputs))
        for node in graph.nodes
        if node is not end
    )
    return replace(graph, nodes=tuple(rewired))


def check_module_output(module: nn.Module, input_shape: tuple[int, ...], n_outputs: int | None, of: str) -> int | None:
    """Demand an output of shape ``(n_images, n_outputs)`` of a module that the user brings; tell how wide it is.

    Raises
    ------
    TrainingError
        It has another one, or fails with such images.
    SizeError
        A layer does not fit the images.
    """
    # Two images: a module that squeezes its output would pass with one.
    images = torch.zeros(2, *input_shape)
    training = {child: child.training for child in module.modules()}
    # Not torch.inference_mode(): lazy parameters that it makes could not be trained.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module.cpu().eval()
        try:
            output = module(images)
        except Exception as problem:
            trace_module(module, input_shape)  # tells which layer does not fit
            raise TrainingError(
                f"the module {type(module).__name__} fails with 2 images of {format_shape(input_shape)}: "
                f"{type(problem).__name__}: {problem}. Give one that takes a batch of such images."
            ) from problem
        finally:
            for child, mode in training.items():
                child.training = mode
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else None
    if (
        shape is not None
        and len(shape) == 2
        and (n_outputs in (None, shape[1]) or _is_one_logit(shape[1], n_outputs, of))
    ):
        return shape[1]
    if n_outputs is not None:
        gives = f"an output of shape {shape}" if shape else f"a {type(output).__name__}"
        raise TrainingError(
            f"missing output layer: the module {type(module).__name__} gives {gives} for 2 images of "
            f"{format_shape(input_shape)}, but {n_outputs} {of} need (2, {n_outputs}). Change its last layer."
        )
    return None
