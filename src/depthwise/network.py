"""Anything that a user hands over as a network -> Graph -> what can be said of it.

The rooms that know torch are imported only when the target needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import TargetError
from depthwise.graph import Graph, SizedGraph

SAVED_SUFFIX = ".safetensors"


def analyze(target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None) -> Analysis:
    """Analyze a network: sizes, parameters, work, memory, receptive fields, capacity and coverage of every layer.

    Parameters
    ----------
    target
        A layer list, a notation such as ``"32C3-MP2-64N-10N"``, the path of a TOML or saved file, or an estimator,
        fitted or not.
    input_shape
        ``(channels, height, width)``; may be left out where the target tells it.
    n_outputs
        Width of an ``Output()`` that leaves it to the data.

    Raises
    ------
    TargetError
        The target is no network.
    GraphError
        Its layers do not fit together, or not to the images.

    Examples
    --------
    >>> analyze("32C3-MP2-64N-10N", (1, 28, 28)).params
    347146
    """
    return analyze_graph(size_graph(target, input_shape, n_outputs))


def size_graph(target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None) -> SizedGraph:
    """Graph of a target, with every size; arguments as for :func:`analyze`."""
    if hasattr(target, "get_params") and hasattr(target, "layers"):
        return _estimator_graph(target, input_shape, n_outputs)
    if isinstance(target, (str, Path)) and str(target).endswith(SAVED_SUFFIX):
        from depthwise.training import load

        return _estimator_graph(load(target), input_shape, n_outputs)
    if _is_module(target):
        raise TargetError(
            f"a torch module ({type(target).__name__}) cannot be analyzed yet. Give a layer list or a notation."
        )
    return Graph.from_layers(read_target(target), n_outputs).at(input_shape)


def read_target(target: object) -> Iterable[object]:
    """Layer list that a target stands for."""
    if isinstance(target, (str, Path)):
        from depthwise.notation import read_layers

        return read_layers(target)
    if isinstance(target, Iterable):
        return target
    raise TargetError(
        f"{target!r} is not a network. Give a layer list, a notation such as '32C3-MP2-10N', a TOML or saved file, "
        "or an estimator."
    )


def _estimator_graph(estimator: object, input_shape: Iterable[int] | None, n_outputs: int | None) -> SizedGraph:
    fitted = getattr(estimator, "graph_", None)
    if fitted is None:
        return size_graph(estimator.layers, input_shape, n_outputs)  # type: ignore[attr-defined]
    if input_shape is None or tuple(input_shape) == fitted.input_shape:
        return fitted
    return Graph(tuple(sized.node for sized in fitted.nodes)).at(input_shape)


def _is_module(target: object) -> bool:
    torch = sys.modules.get("torch")  # whoever holds a module has imported torch already
    return torch is not None and isinstance(target, torch.nn.Module)
