"""Exactly the pixels that torch reads, unit by unit; what nobody reads; holes; branches that are shifted."""

from random import Random

import classic_networks as classics
import pytest
from hypothesis import given, settings
from nan_oracle import read_by
from strategies import layer_lists, random_layers
from tutorial_networks import DIGITS, NET1, NET4, NETZ_SHALLOW

from depthwise.analysis import Analysis, Misalignment, Unread, analyze_graph, unit_intervals
from depthwise.analysis.intervals import UnitViews
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import (
    AvgPool2D,
    Concat,
    Conv2D,
    Conv2DTranspose,
    Dense,
    MaxPool2D,
    Output,
    Residual,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.layers.ops import Merge


def size(layers, shape=DIGITS) -> SizedGraph:
    return Graph.from_layers(layers).at(shape)


def analysis_of(layers, shape=DIGITS) -> Analysis:
    return analyze_graph(size(layers, shape))


def compare_with_torch(graph: SizedGraph) -> None:
    """Intervals, masks, regions and unread pixels against what NaNs tell, bit for bit."""
    views = UnitViews(graph)
    last = graph.nodes[-1].name
    analysis = analyze_graph(graph)
    unread = analysis.unread
    both = []
    for axis, side in enumerate(graph.input_shape[1:]):
        reads = read_by(graph, axis)
        intervals = unit_intervals(graph, axis)
        for name, units in reads.items():
            seen = [frozenset(pixel for pixel in range(side) if mask >> pixel & 1) for mask in views.mask(name, axis)]
            assert seen == units, name
            first, final = intervals[name]
            assert len(units) == len(first)
            assert first == [min(pixels, default=None) for pixels in units]
            assert final == [max(pixels, default=None) for pixels in units]
        both.append(reads[last])
        everything = frozenset().union(*reads[last])
        assert [pixel for start, end in unread.ranges[axis] for pixel in range(start, end + 1)] == [
            pixel for pixel in range(side) if pixel not in everything
        ]
    if any(isinstance(node.op, Merge) for node in graph.nodes):
        return  # where a path may see in one direction and another in the other, rows and columns tell no rectangle
    middle = [units[len(units) // 2] for units in both]
    seen = tuple((min(pixels), max(pixels)) for pixels in middle) if all(middle) else None
    assert analysis.region(analysis.layers[-1].name).clipped == seen


@settings(max_examples=50)
@given(layer_lists())
def test_units_read_what_torch_reads(drawn):
    layers, shape = drawn
    compare_with_torch(size(layers, shape))


@pytest.mark.slow
def test_units_read_what_torch_reads_in_very_many_networks():
    for seed in range(1000):
        layers, shape = random_layers(Random(seed))
        compare_with_torch(size(layers, shape))


PATTERNS = {
    "plain": [Conv2D(1), Conv2D(1), MaxPool2D(), Conv2D(1)],
    "stem": [Conv2D(1, 7, stride=2, padding=3), MaxPool2D(3, 2, padding=1)],
    "dilated": [Conv2D(1, dilation=2, padding=2), Conv2D(1, dilation=4, padding=4)],
    "misaligned": [Residual([Conv2D(1, 4, stride=2, padding=1)], Conv2D(1, 1, stride=2))],
    "ceil": [MaxPool2D(3, 2, ceil_mode=True), AvgPool2D(2, ceil_mode=True)],
    "transposed": [Conv2D(1, stride=2), Conv2DTranspose(1, 3, stride=2), Conv2DTranspose(1, 4, stride=3, dilation=2)],
    "bilinear": [MaxPool2D(), Upsample2D(mode="bilinear"), Conv2D(1)],
    "skipping": [Conv2D(1, 1, stride=2), MaxPool2D(1, 3)],
    "gaps": [Conv2DTranspose(1, 1, stride=3), Conv2D(1, 2, padding=2)],
    "padding only": [Conv2D(1, 1, padding=3), Residual([Conv2D(1, 4, dilation=3, padding="same")])],
    "unet": classics.unet(2),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern):
    compare_with_torch(size(PATTERNS[pattern], (1, 20, 28)))


def test_a_whole_residual_network():
    compare_with_torch(size([*classics.resnet(2, 2, 2, 2)[:6], Output(4)], (3, 45, 40)))


def test_an_axis_that_reads_padding_alone_blinds_the_other():
    """The kernel's two rows lie above and below the only row of the map: no pixel counts in any direction."""
    graph = size([Conv2D(1, (2, 1), dilation=2, padding=(1, 0))], (1, 1, 9))
    assert unit_intervals(graph, 1)["conv2d1"] == ([None] * 9, [None] * 9)
    assert analyze_graph(graph).unread == Unread(ranges=(((0, 0),), ((0, 8),)), counts=(1, 9), share=1.0)


def test_intervals_by_hand():
    graph = size([Conv2D(8, 3, padding=2), MaxPool2D(3, 2)], (1, 5, 9))
    assert unit_intervals(graph, 0)["conv2d1"] == ([0, 0, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 4, 4])
    assert unit_intervals(graph, 0)["maxpool2d2"] == ([0, 0, 2], [2, 4, 4])
    padded = size([ZeroPad2D(1)], (1, 3, 3))
    assert unit_intervals(padded, 1)["zeropad2d1"] == ([None, 0, 1, 2, None], [None, 0, 1, 2, None])
    flat = size([Conv2D(1), Dense(3)], (1, 8, 6))
    assert unit_intervals(flat, 0)["dense2"] == ([0], [7])


def test_the_paths_of_a_residual_network_are_not_followed_one_by_one():
    """There are 2 to the power of 50 of them."""
    UnitViews(size(classics.resnet(3, 8, 36, 3), (3, 224, 224)))


# --- unread pixels --------------------------------------------------------------------------------------------------


def test_rounding_down_leaves_pixels_unread():
    """nolearn's first network: its last pools cut the rows and columns 26 and 27, 13.8 % of the image."""
    unread = analysis_of(NET1).unread
    assert unread.ranges == (((26, 27),), ((26, 27),))
    assert unread.counts == (2, 2)
    assert f"{100 * unread.share:.1f} %" == "13.8 %"
    for layers in (NETZ_SHALLOW, NET4):  # pools that round up, sizes that divide
        assert analysis_of(layers).unread == Unread(ranges=((), ()), counts=(0, 0), share=0.0)


def test_strides_beyond_the_kernel_leave_stripes():
    unread = analysis_of([Conv2D(4, 1, stride=3)], (1, 7, 4)).unread
    assert unread.ranges == (((1, 2), (4, 5)), ((1, 2),))
    assert unread.share == pytest.approx(1 - 3 * 2 / (7 * 4))


def test_a_crop_leaves_a_border():
    layers = [Conv2DTranspose(4, 3, padding=2)]
    assert analysis_of(layers, (1, 8, 8)).unread.ranges == ((), ())
    assert analysis_of([Conv2D(4, 2, stride=4), Output(3)], (1, 8, 8)).unread.ranges == (((2, 3), (6, 7)),) * 2


def test_a_second_branch_may_read_what_the_first_leaves():
    layers = [
        *[Conv2D(4, 1, name="stem"), Conv2D(4, 2, stride=2, name="even")],
        *[Conv2D(4, 3, stride=2, name="odd", inputs=("stem",)), Concat(inputs=("even", "odd"))],
    ]
    assert analysis_of(layers[:2], (1, 9, 9)).unread.counts == (1, 1)
    assert analysis_of(layers, (1, 9, 9)).unread.counts == (0, 0)


# --- holes and shifts -----------------------------------------------------------------------------------------------


def test_holes_of_dilated_stacks():
    """Dilations 2 and 4 leave 6 of 13 pixels out; 1, 2, 3 leave none (Wang et al.: Understanding Convolution, 2018)."""
    grid = analysis_of([Conv2D(1, dilation=2), Conv2D(1, dilation=4)])
    assert (grid.holes("conv2d1"), grid.holes("conv2d2")) == ((2, 2), (6, 6))
    assert grid["conv2d2"].receptive_field == (13, 13)
    full = analysis_of([Conv2D(1, dilation=rate) for rate in (1, 2, 3)])
    assert [full.holes(row.name) for row in full.layers] == [(0, 0)] * 4
    assert analysis_of([Conv2D(1, dilation=(1, 3)), Output(2)]).holes("conv2d1") == (0, 4)
    assert analysis_of([Conv2D(1), Output(2)]).holes("output2") is None


def test_masks_are_numbers_whose_bits_are_pixels():
    assert UnitViews(size([Conv2D(1, dilation=2)], (1, 7, 7))).mask("conv2d1", 0) == [0b10101, 0b101010, 0b1010100]


def test_branches_that_look_at_different_places_are_told():
    even = analysis_of([Conv2D(4), Residual([Conv2D(4, 2, padding="same")])])
    assert even.misalignments == (
        Misalignment("residual2", ("residual2.conv2d0", "conv2d1"), ((1.5, 1.5), (1.0, 1.0)), (1.0, 1.0)),
    )
    lopsided = analysis_of([MaxPool2D(), Residual([ZeroPad2D(((2, 0), (0, 0))), Conv2D(1, (3, 1))])])
    assert [found.centers for found in lopsided.misalignments] == [((-1.5, 0.5), (0.5, 0.5))]


@pytest.mark.parametrize(
    "layers", [classics.resnet(2, 2, 2, 2), classics.unet(3), classics.densenet121(), classics.convnext_t()]
)
def test_published_architectures_are_aligned(layers):
    assert analysis_of(layers, (3, 224, 224)).misalignments == ()


def test_a_quarter_of_a_jump_is_no_misalignment():
    block = Residual([Conv2D(1, 4, stride=2, padding=1)], Conv2D(1, 1, stride=2))
    assert analysis_of([block]).misalignments == ()
