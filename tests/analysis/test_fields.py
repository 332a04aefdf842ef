"""Receptive fields are what a network truly reads, and keep their laws."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nan_oracle import read_by
from strategies import layer_lists, random_layers

from depthwise.analysis import analyze_graph
from depthwise.analysis.fields import measure_fields
from depthwise.errors import GraphError
from depthwise.graph import Graph
from depthwise.layers import (
    Concat,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    Upsample2D,
    ZeroPad2D,
)

EXAMPLES = settings(max_examples=50)


def analysis_of(layers, shape=(1, 28, 28)):
    return analyze_graph(Graph.from_layers(layers).at(shape))


@EXAMPLES
@given(layer_lists(depth=12), st.integers(0, 1 << 32))
def test_regions_are_what_torch_reads(drawn, seed):
    layers, shape = drawn
    analysis = analysis_of(layers, shape)
    reads = [read_by(analysis.graph, axis) for axis in range(2)]
    rng = Random(seed)
    for row in analysis.layers:
        last = [node.name for node in analysis.graph.nodes if node.node.layer == row.name][-1]
        unit = tuple(rng.randrange(side) for side in row.output_shape[1:])
        seen = [reads[axis][last][unit[axis] if unit else 0] for axis in range(2)]
        wanted = tuple((min(axis), max(axis)) for axis in seen) if all(seen) else None
        assert analysis.region(row.name, unit).clipped == wanted
