"""Receptive fields are what a network truly reads, and keep their laws."""

from dataclasses import fields as entries
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random

import classic_networks as classics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import layer_lists

from depthwise.analysis import Analysis, analyze_graph
from depthwise.analysis.fields import Field, Fields, measure_fields
from depthwise.analysis.regions import find_region
from depthwise.errors import GraphError
from depthwise.graph import Graph, Node, SizedGraph
from depthwise.layers import (
    Concat,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    GlobalAvgPool2D,
    GroupNorm,
    Input,
    Layer,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.layers import ops as ops_of
from depthwise.layers.ops import Merge, Op
from depthwise.layers.resampling import AdaptivePool, PixelShuffle, PixelUnshuffle, Resize

PAIRED = {"kernel_size", "stride", "padding", "dilation", "output_padding", "scale"}


def size(layers, shape=(1, 28, 28)) -> SizedGraph:
    return Graph.from_layers(layers).at(shape)


def analysis_of(layers, shape=(1, 28, 28)) -> Analysis:
    return analyze_graph(size(layers, shape))


def drifts(graph: SizedGraph, fields: dict[str, Fields | None]) -> bool:
    """Whether maps of unequal jumps meet: then no one receptive field holds for all units."""
    ways = [[fields[name] for name in node.node.inputs] for node in graph.nodes if isinstance(node.op, Merge)]
    jumps = [{tuple(field.jump for field in way) for way in read if way} for read in ways]
    return any(len(found) > 1 for found in jumps)


# --- what they claim is so ------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(layer_lists(), st.integers(0, 1 << 32))
def test_receptive_fields_are_those_of_the_units(drawn, seed):
    """The hull that is carried forward is what walking back from a unit finds, with no border in the way."""
    graph = size(*drawn)
    fields = measure_fields(graph)
    if drifts(graph, fields):
        return
    rng = Random(seed)
    for node in rng.sample(graph.nodes, min(5, len(graph.nodes))):
        seen = fields[node.name]
        if seen is None:
            continue
        unit = tuple(rng.randrange(side) for side in node.output_shape[1:])
        views = [field.hull.at(place) for field, place in zip(seen, unit, strict=True)]
        assert find_region(graph, node.name, unit).unclipped == (None if None in views else tuple(views))


def paths_to(graph: SizedGraph, name: str) -> list[list[str]]:
    nodes = {node.name: node.node for node in graph.nodes}
    if not nodes[name].inputs:
        return [[name]]
    return [[*path, name] for source in nodes[name].inputs for path in paths_to(graph, source)]


def field_along(graph: SizedGraph, path: list[str], axis: int) -> Field:
    """As if the path were the whole network."""
    nodes = {node.name: node for node in graph.nodes}
    chain = [replace(nodes[path[0]])]
    for before, name in pairwise(path):
        whole = nodes[name]
        shape = whole.input_shapes[whole.node.inputs.index(before)]
        chain.append(replace(whole, node=replace(whole.node, inputs=(before,)), input_shapes=(shape,)))
    fields = measure_fields(SizedGraph(tuple(chain)))[path[-1]]
    assert fields is not None
    return fields[axis]


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2D(4), Residual([Conv2D(4, 5, padding=2), Conv2D(4, padding=1)]), MaxPool2D(), Conv2D(4)],
        [*[Residual([Residual([Conv2D(1, padding=1)]), Conv2D(1, (3, 5), padding=(1, 2))])] * 2],
        classics.unet(2),
    ],
)
def test_the_shortest_and_longest_of_all_paths(layers):
    graph = size(layers, (1, 32, 32))
    fields = measure_fields(graph)
    for node in graph.nodes:
        for axis in range(2):
            own = fields[node.name][axis]
            ways = [field_along(graph, path, axis) for path in paths_to(graph, node.name)]
            assert own.least == min(way.size for way in ways)
            assert own.least_reach == min(way.reach for way in ways)
            assert own.reach == max(way.reach for way in ways)
            assert own.size >= max(way.size for way in ways)


CLASSICS = [
    (classics.lenet5(), 16, 4, 13, 13),
    (classics.alexnet(), 195, 32, 167, 118),
    (classics.vgg(1, 1, 2, 2, 2), 150, 32, 119, 93),
    (classics.vgg(2, 2, 3, 3, 3), 212, 32, 181, 111),
    (classics.vgg(2, 2, 4, 4, 4), 268, 32, 237, 126),
    (classics.resnet(2, 2, 2, 2), 435, 32, 433, 218),
    (classics.resnet(3, 4, 6, 3), 899, 32, 897, 307),
    (classics.resnet(3, 4, 6, 3, bottleneck=True), 427, 32, 425, 204),
    (classics.resnet(3, 4, 23, 3, bottleneck=True), 971, 32, 969, 297),
    (classics.resnet(3, 8, 36, 3, bottleneck=True), 1451, 32, 1449, 355.5),
    (classics.resnet(3, 4, 6, 3, bottleneck=True, first_stride=True), 483, 32, 481, 229),
    (classics.cifar_resnet(2, 2, 2, 2), 109, 8, 109, 54.5),
    (classics.mobilenet_v1(), 315, 32, 315, 171),
    (classics.mobilenet_v2(), 491, 32, 491, 233),
    (classics.efficientnet_b0(), 851, 32, 851, 389),
    (classics.densenet121(), 2071, 32, 2041, 501),
    (classics.convnext_t(), 1688, 32, 1688, 601),
]


@pytest.mark.parametrize(("layers", "field", "stride", "reach", "effective"), CLASSICS)
def test_published_architectures(layers, field, stride, reach, effective):
    """Fields as in Araujo, Norris, Sim (Distill 2019); the effective ones by the closed form, along the main path."""
    shape = (1, 32, 32) if len(layers) == 4 else (3, 224, 224)
    last = analysis_of(layers, shape).layers[-1]
    assert last.receptive_field == (field,) * 2
    assert last.effective_stride == (stride,) * 2
    assert last.reach == (reach,) * 2
    assert last.effective_field == pytest.approx((effective,) * 2, abs=0.5)


def test_padding_and_centers_of_published_architectures():
    """Effective paddings of the same source: what unit 0 sees begins so far outside the image."""
    pools = [row for row in analysis_of(classics.vgg(2, 2, 3, 3, 3), (3, 224, 224)).layers if row.kind == "maxpool2d"]
    assert [row.receptive_field[0] for row in pools] == [6, 16, 44, 100, 212]
    assert [row.start[0] for row in pools] == [-2, -6, -18, -42, -90]
    assert [row.effective_stride[0] for row in pools] == [2, 4, 8, 16, 32]
    assert pools[-1].center == (15.5, 15.5)
    original = analysis_of(classics.resnet(3, 4, 6, 3, bottleneck=True, first_stride=True), (3, 224, 224)).layers
    assert (original[-1].start, original[-1].center) == ((-241, -241), (0, 0))


def test_the_shortest_way_through_residual_blocks():
    for layers, least in ((classics.resnet(2, 2, 2, 2), 11), (classics.cifar_resnet(2, 2, 2, 2), 3)):
        assert analysis_of(layers, (3, 224, 224)).layers[-1].least_receptive_field == (least, least)


def test_the_effective_field_by_hand():
    """Variance 30.9167 = 2/3 + 2/3 + 1/4 + 4 (2/3) 4 + 2^2 24/12 over five windows, one of them dilated."""
    layers = [Conv2D(1), Conv2D(1), MaxPool2D(), Conv2D(1, dilation=2), Conv2D(1, 5)]
    last = analysis_of(layers, (1, 64, 64)).layers[-1]
    variance = 8 / 12 + 8 / 12 + 3 / 12 + 16 * 8 / 12 + 4 * 24 / 12
    assert last.effective_field[0] == pytest.approx(4 * variance**0.5)
    assert last.receptive_field == (22, 22)
    enlarged = analysis_of([Conv2D(1, 2, stride=2), Conv2DTranspose(1, 2, stride=2)]).layers[-1]
    assert enlarged.effective_field[0] == pytest.approx(4 * (3 / 12 + 3 / 12) ** 0.5)


# --- laws -----------------------------------------------------------------------------------------------------------


def swapped(layer: Layer) -> Layer:
    """The layer with height and width exchanged."""
    arguments = {entry.name: getattr(layer, entry.name) for entry in entries(layer)}
    for name in PAIRED & set(arguments):
        if isinstance(arguments[name], tuple):
            arguments[name] = arguments[name][::-1]
    if isinstance(layer, Input) and layer.shape and len(layer.shape) == 3:
        arguments["shape"] = (layer.shape[0], layer.shape[2], layer.shape[1])
    if isinstance(layer, Residual):
        arguments["layers"] = tuple(map(swapped, layer.layers))
        arguments["shortcut"] = None if layer.shortcut is None else tuple(map(swapped, layer.shortcut))
    return type(layer)(**arguments)


@settings(max_examples=60)
@given(layer_lists())
def test_height_and_width_are_treated_alike(drawn):
    layers, (channels, height, width) = drawn
    straight = analysis_of(layers, (channels, height, width))
    turned = analysis_of(list(map(swapped, layers)), (channels, width, height))
    for row, other in zip(straight.layers, turned.layers, strict=True):
        assert (row.params, row.macs, row.activation_bytes) == (other.params, other.macs, other.activation_bytes)
        for fact in ("receptive_field", "least_receptive_field", "reach", "least_reach", "real_filter_size", "start"):
            assert getattr(row, fact) == (getattr(other, fact)[::-1] if getattr(other, fact) else None)
        for fact in ("effective_stride", "center", "effective_field", "capacity", "coverage"):
            assert getattr(row, fact) == (getattr(other, fact)[::-1] if getattr(other, fact) else None)
    assert straight.unread.ranges == turned.unread.ranges[::-1]
    assert straight.unread.share == pytest.approx(turned.unread.share)


@settings(max_examples=60)
@given(layer_lists())
def test_laws_of_fields(drawn):
    analysis = analysis_of(*drawn)
    fields = measure_fields(analysis.graph)
    for node in analysis.graph.nodes:
        for source in node.node.inputs:
            before, after = fields[source], fields[node.name]
            if before is None or after is None:
                continue
            for axis in range(2):
                shrinks = any(view is None for view in after[axis].hull.views)
                assert after[axis].reach >= before[axis].reach
                # A crop or a slice may see with the other phases only, and a stride may skip the widest view.
                if len(before[axis].hull.views) == 1 and not shrinks:
                    assert after[axis].size >= before[axis].size
    for row in analysis.layers:
        if row.receptive_field is None:
            assert row.capacity is row.coverage is row.start is row.center is row.effective_field is None
            continue
        for axis in range(2):
            # 0 only where all units read nothing: every third of a transposed convolution's, for instance.
            assert (row.start is not None) <= row.least_receptive_field[axis] <= row.receptive_field[axis]
            assert row.least_reach[axis] <= row.reach[axis]
        for ratio in row.capacity or ():
            assert 0 < ratio <= 1
        if row.coverage:
            sides = analysis.input_shape[1:]
            assert row.coverage == tuple(float(Fraction(r) / n) for r, n in zip(row.reach, sides, strict=True))


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["conv", "wide", "pool", "big pool", "one"]), min_size=1, max_size=6))
def test_reach_is_what_exceeds_the_own_cell(kinds):
    """reach = r - (j - 1) where all downsampling is done by pools whose windows lie side by side."""
    made = {
        "conv": Conv2D(1, padding=1),
        "wide": Conv2D(1, (5, 3), padding=(2, 1), dilation=(1, 2)),
        "pool": MaxPool2D(),
        "big pool": MaxPool2D(3),
        "one": Conv2D(1, 1),
    }
    for row in analysis_of([made[kind] for kind in kinds], (1, 4000, 4000)).layers:
        for r, j, reach in zip(row.receptive_field, row.effective_stride, row.reach, strict=True):
            assert reach == r - (j - 1)


# --- single operations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "field", "stride"),
    [
        ([Conv2D(1, (3, 5))], (3, 5), (1, 1)),
        ([Conv2D(1, (3, 5), dilation=(2, 3))], (5, 13), (1, 1)),
        ([Conv2D(1, 5, stride=(1, 2)), Conv2D(1, 3)], (7, 9), (1, 2)),
        ([MaxPool2D((2, 4)), Conv2D(1)], (6, 12), (2, 4)),
        ([MaxPool2D(3, 2), MaxPool2D(3, 2)], (7, 7), (4, 4)),
        ([DepthwiseConv2D(5), SeparableConv2D(4, 3)], (7, 7), (1, 1)),
        ([Conv2D(4, 1), GroupNorm(2), Conv2D(4)], (3, 3), (1, 1)),
        ([ZeroPad2D(3), Conv2D(1, 3)], (3, 3), (1, 1)),
        ([Upsample2D(2), Conv2D(1, 3)], (2, 2), (Fraction(1, 2), Fraction(1, 2))),
        ([Upsample2D(2), Conv2D(1, 2)], (2, 2), (Fraction(1, 2), Fraction(1, 2))),
        ([Upsample2D(2), Conv2D(1, 2, stride=2)], (1, 1), (1, 1)),  # only ever the two copies of one pixel
        ([Upsample2D(2), Conv2D(1, 2, stride=2, padding=1)], (2, 2), (1, 1)),
        ([Upsample2D((1, 2), mode="bilinear")], (1, 2), (1, Fraction(1, 2))),
        ([Conv2DTranspose(1, 2, stride=2)], (1, 1), (Fraction(1, 2), Fraction(1, 2))),
        ([Conv2DTranspose(1, 3, stride=2)], (2, 2), (Fraction(1, 2), Fraction(1, 2))),
        ([Conv2DTranspose(1, 4, stride=2, padding=1), Conv2D(1, 2, stride=2)], (3, 3), (1, 1)),
        ([MaxPool2D(4), Upsample2D(4), Conv2D(1, 2)], (8, 8), (1, 1)),  # of coarse pixels, at their border
    ],
)
def test_fields_of_small_networks(layers, field, stride):
    row = analysis_of(layers, (1, 32, 32)).layers[-1]
    assert row.receptive_field == row.least_receptive_field == field
    assert row.effective_stride == stride


@pytest.mark.parametrize("joined", [("coarse", "fine"), ("fine", "coarse")])
def test_a_fine_and_a_coarse_map_meet(joined):
    """Every other unit changes its coarse pixel, whichever way comes first."""
    layers = [
        *[Conv2D(1, padding=1, name="fine"), MaxPool2D(), Upsample2D(name="coarse")],
        *[Concat(inputs=joined), Conv2D(1, 1, stride=2)],
    ]
    graph = size(layers, (1, 8, 8))
    for name in ("concat4", "conv2d5"):
        (field, _) = measure_fields(graph)[name]
        side = next(node.output_shape[1] for node in graph.nodes if node.name == name)
        for unit in range(side):
            assert find_region(graph, name, (unit, unit)).unclipped == (field.hull.at(unit),) * 2


@pytest.mark.parametrize(
    ("layer", "reach", "real_filter"),
    [
        (Conv2D(1, 3), 5, 6),
        (Conv2D(1, 3, dilation=2), 9, 10),
        (Conv2D(1, 3, stride=2), 5, 6),
        (Conv2D(1, 1), 1, 2),
        (MaxPool2D(2), 1, 2),
        (MaxPool2D(3, 2), 3, 2),
        (MaxPool2D(2, 3), 1, 2),
        (Conv2DTranspose(1, 2, stride=2), 1, 2),
        (Conv2DTranspose(1, 3, stride=2), 3, 4),
        (Conv2DTranspose(1, 5, stride=2), 5, 6),
        (Upsample2D(), 1, 2),
        (Upsample2D(mode="bilinear"), 3, 2),
    ],
)
def test_reach_and_real_filter_behind_a_pool(layer, reach, real_filter):
    """From a map whose units are two pixels apart; what is no filter carries the last one on."""
    row = analysis_of([Conv2D(1, (2, 2)), MaxPool2D(2), layer]).layers[-1]
    before = 1  # of the first filter, beyond its own cell
    assert row.reach == (reach + before,) * 2
    assert row.real_filter_size == (real_filter,) * 2
    assert row.capacity == (min(1, real_filter / (reach + before)),) * 2


def chain(*ops: Op) -> SizedGraph:
    """Operations that the layer list has no name for, one after the other."""
    nodes = [Node("image", ops_of.Input(shape=(4, 18, 23)), (), "image", "input")]
    for place, op in enumerate(ops):
        nodes.append(Node(f"op{place}", op, (nodes[-1].name,), f"op{place}", "op"))
    return Graph(tuple(nodes)).at()


CONV = ops_of.Conv(
    out_channels=4, kernel_size=(3, 2), stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), bias=False
)


@pytest.mark.parametrize(
    "op",
    [
        *[Resize(mode=mode, scale=(1.5, 2.0)) for mode in ("nearest", "nearest-exact", "linear", "cubic")],
        Resize(mode="linear", size=(31, 10), align_corners=True),
        Resize(mode="linear", size=(16, 44)),
        Resize(mode="nearest", scale=(1.1, 0.7)),  # whose phases repeat only after 10^15 units
        AdaptivePool(function="avg", size=(5, 7)),
        AdaptivePool(function="max", size=(None, 3)),
        PixelShuffle(factor=(2, 2)),
        PixelUnshuffle(factor=(4, 2)),
        ops_of.Pad(padding=((2, 0), (1, 3)), mode="reflect"),
        ops_of.Pad(padding=((-3, -2), (-1, 0))),
    ],
)
def test_what_traced_modules_do_besides(op):
    last = dict(vars(CONV), kernel_size=(2, 3), in_channels=None)
    graph = chain(CONV, op, ops_of.Conv(**last))
    fields = measure_fields(graph)
    for node in graph.nodes:
        for unit in zip(*map(range, node.output_shape[1:]), strict=False):
            views = tuple(field.hull.at(place) for field, place in zip(fields[node.name], unit, strict=True))
            assert find_region(graph, node.name, unit).unclipped == views
            assert max(end - start + 1 for start, end in views) <= max(field.size for field in fields[node.name])


def test_a_stack_of_branches_sees_what_both_see():
    layers = [
        *[
            Conv2D(2, 1, name="stem"),
            Conv2D(2, 5, padding=(0, 2), name="wide"),
            Conv2D(2, 1, name="thin", inputs=("stem",)),
        ],
        *[ZeroPad2D(((0, 0), (0, 0)), name="same"), Conv2D(2, (5, 1), name="tall"), Concat(inputs=("wide", "tall"))],
    ]
    row = analysis_of(layers).layers[-1]
    assert (row.receptive_field, row.least_receptive_field) == ((5, 5), (5, 1))


def test_the_head_sees_all_and_is_not_judged():
    analysis = analysis_of([Conv2D(4), GlobalAvgPool2D(), Dense(8), Output(3)])
    for name in ("globalavgpool2d2", "dense3", "output4"):
        row = analysis[name]
        assert row.receptive_field is row.reach is row.real_filter_size is row.effective_stride is None
        assert analysis.region(name, unit=()).clipped == ((0, 27), (0, 27))


def test_statistics_of_the_map_are_told_beside_the_local_field():
    rows = analysis_of([Conv2D(4), GroupNorm(2), Conv2D(4)]).layers
    assert [row.sees_all for row in rows] == [False, False, True, True]
    assert rows[-1].receptive_field == (5, 5)


# --- regions --------------------------------------------------------------------------------------------------------


def test_regions_at_the_border_and_in_the_middle():
    analysis = analysis_of(classics.resnet(2, 2, 2, 2), (3, 224, 224))
    region = analysis.region("residual10", unit=(3, 3))
    assert region.clipped == ((0, 223), (0, 223))
    assert region.unclipped == ((-121, 313), (-121, 313))
    corner = analysis.region("maxpool2d2", unit=(0, 55))
    assert (corner.clipped, corner.unclipped) == (((0, 5), (215, 223)), ((-5, 5), (215, 225)))
    assert analysis.region("maxpool2d2") == analysis.region("maxpool2d2", unit=(28, 28))


def test_a_unit_may_read_nothing():
    analysis = analysis_of([Conv2DTranspose(1, 1, stride=2), ZeroPad2D(1)], (1, 4, 4))
    assert analysis.region("conv2dtranspose1", unit=(0, 0)).clipped == ((0, 0), (0, 0))
    between = analysis.region("conv2dtranspose1", unit=(1, 0))
    assert between.clipped is between.unclipped is None
    outside = analysis.region("zeropad2d2", unit=(1, 0))
    assert (outside.clipped, outside.unclipped) == (None, None)


def test_all_units_may_read_nothing():
    layers = [Conv2DTranspose(1, 1, stride=3), ZeroPad2D(((0, 0), (0, 1))), Conv2D(1, 1, stride=3, padding=1)]
    row = analysis_of(layers, (1, 4, 4)).layers[-1]
    assert (row.receptive_field, row.start, row.center) == ((0, 0), None, None)


def test_errors_of_regions():
    analysis = analysis_of([Conv2D(4, name="first"), Output(3)])
    for ask, message in {
        ("first", (26, 0)): "layer 'first' has no unit (26, 0): its map is 26x26. "
        "Give 2 positions, each from 0 to less than the map's side.",
        ("output2", (1, 1)): "layer 'output2' has no unit (1, 1): its map is one row of values. "
        "Give 0 positions, each from 0 to less than the map's side.",
        ("frist", None): "no layer is called 'frist'. Did you mean 'first'? There are: input0, first, output2.",
    }.items():
        with pytest.raises(GraphError) as caught:
            analysis.region(*ask)
        assert str(caught.value) == message
