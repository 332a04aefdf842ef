"""The graph of a layer list is the graph of the module that is built of it."""

from hypothesis import given, settings
from strategies import layer_lists

from depthwise.analysis import analyze_graph
from depthwise.analysis.costs import count_macs
from depthwise.analysis.fields import measure_fields
from depthwise.graph import Graph
from depthwise.layers.ops import ConvTranspose, Flatten, Merge
from depthwise.modules import build
from depthwise.trace import trace_module


def traced_end(node, traced):
    """The traced node that ends what a declared one does: a module may pad before, or cut and add behind."""
    tails = {ConvTranspose: (".slice", ".pad"), Merge: ("", ".add", ".cat")}.get(type(node.op), ())
    return next(traced[node.name + tail] for tail in (*tails, "") if node.name + tail in traced)


def views(fields):
    return fields and [(field.hull, field.jump, field.reach, field.least_reach, field.filter) for field in fields]


@settings(max_examples=60)
@given(layer_lists())
def test_every_operation_agrees(drawn):
    layers, shape = drawn
    declared = Graph.from_layers(layers).at(shape)
    found = trace_module(build(declared), shape).at(shape)
    nodes = {node.name: node for node in found.nodes}
    said, seen = measure_fields(declared), measure_fields(found)
    for node in declared.nodes:
        if isinstance(node.op, Flatten):
            continue  # a traced map is flat where a view makes it flat
        twin = traced_end(node, nodes)
        assert twin.output_shape == node.output_shape, node.name
        assert views(seen[twin.name]) == views(said[node.name]), node.name
        if not isinstance(node.op, ConvTranspose):  # whose end may be a cut
            assert (twin.node.params, count_macs(twin)) == (node.node.params, count_macs(node)), node.name
    ours, theirs = analyze_graph(declared), analyze_graph(found)
    assert (theirs.params, theirs.buffers, theirs.macs) == (ours.params, ours.buffers, ours.macs)
    assert theirs.output_shape == ours.output_shape


def test_another_size_of_images_agrees_without_a_second_trace():
    from depthwise.notation import read_layers

    layers = read_layers("32C3-MP2-64C3-64C3-MP2-GAP-10N")
    graph = trace_module(build(Graph.from_layers(layers).at((1, 28, 28))), (1, 28, 28))
    assert [node.output_shape for node in graph.at((1, 47, 31)).nodes if node.op.params] == [
        node.output_shape for node in Graph.from_layers(layers).at((1, 47, 31)).nodes if node.op.params
    ]
