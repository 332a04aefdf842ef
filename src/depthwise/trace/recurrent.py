"""Rules for recurrent layers: each step reads its input and the state that all steps before left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

from depthwise.layers.mixing import Matmul
from depthwise.trace.layout import POSITION, Atom, Dims, Traced, atoms_of, channels, graph_shape, is_position
from depthwise.trace.recorder import Recorder


def _layers(
    function: str,
    recorder: Recorder,
    input: Any,
    hx: Any,
    weights: Any,
    bias: bool,
    num_layers: int,
    dropout: float,
    training: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> Any:
    source = recorder.traced(input)
    states = hx if isinstance(hx, (tuple, list)) else (hx,)
    if source is None or not isinstance(weights, (tuple, list)) or not isinstance(bias, bool):
        return NotImplemented  # packed sequences, whose lengths stand before the state
    width = states[0].shape[-1]
    dims = _with_features(source, width * (1 + bidirectional))
    out = _record(function, recorder, input, states, weights, dims)
    recorder.constants = []  # the weights are counted with the output
    among = [] if len(source.dims) == 2 else [source.dims[0 if batch_first else 1]]
    left = []
    for state in dict.fromkeys(state.shape for state in states):
        last: Dims = (channels(state[0]), *among, channels(state[-1]))
        op = Matmul(function="state", shape=graph_shape(last), terms=0, macs=0)
        left.append(recorder.record(op, (out,), "state", last))
    return out, left[0], *([left[-1]] if len(states) > 1 else [])


def _cell(function: str, recorder: Recorder, input: Any, hx: Any, *weights: Any) -> Any:
    source = recorder.traced(input)
    states = hx if isinstance(hx, (tuple, list)) else (hx,)
    if source is None:
        return NotImplemented
    out = _record(function, recorder, input, states, weights, _with_features(source, states[0].shape[-1]))
    return (out, out) if len(states) > 1 else out


def _record(function: str, recorder: Recorder, input: Any, states: Any, weights: Any, dims: Dims) -> Traced:
    """Every matrix of weights is multiplied once a step, whatever the gates, layers and directions."""
    matrices = [weight for weight in weights if weight is not None and weight.ndim == 2]
    macs = prod(input.shape[:-1]) * sum(matrix.numel() for matrix in matrices)
    terms = input.shape[-1] + states[0].shape[-1]
    op = Matmul(function=function, shape=graph_shape(dims), terms=terms, macs=macs)
    sources = [found for found in map(recorder.traced, (input, *states)) if found is not None]
    return recorder.record(op, tuple(dict.fromkeys(sources)), function.partition("_")[0], dims, name=function)


def _with_features(source: Traced, width: int) -> Dims:
    """The layout with other features last; where the steps are channels of a line, the features are its places."""
    steps = [atom for atom in atoms_of(source.dims[:-1]) if atom.size > 1]
    axis = any(map(is_position, source.dims[-1])) and bool(steps) and not any(map(is_position, steps))
    return (*source.dims[:-1], (Atom(POSITION, width),) if axis else channels(width))


KINDS = ("gru", "lstm", "rnn_tanh", "rnn_relu")

RULES: dict[str, Callable[..., Any]] = {
    **{name: partial(_layers, name) for name in KINDS},
    **{f"{name}_cell": partial(_cell, f"{name}_cell") for name in KINDS},
}
"""As in :mod:`depthwise.trace.windows`."""
