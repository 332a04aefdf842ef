"""Sizes of images that suit a network, and the same network at many of them."""

import classic_networks as classics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import layer_lists
from tutorial_networks import CIFAR_DENSE, DIGITS, NET1, NET4

from depthwise.analysis import Analysis, InputSizes, analyze_graph, sweep_sizes
from depthwise.errors import GraphError, SizeError
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import Conv2D, GlobalAvgPool2D, Input, MaxPool2D, Output


def analysis_of(layers, shape=DIGITS) -> Analysis:
    return analyze_graph(Graph.from_layers(layers).at(shape))


@pytest.mark.parametrize(
    ("layers", "lower", "upper"),
    [
        (classics.resnet(3, 4, 6, 3, bottleneck=True), 75, 427),
        # Each block's second filter always follows its first.
        (classics.resnet(2, 2, 2, 2), 11 + 2 * 2 * 32, 435),
        (classics.vgg(2, 2, 3, 3, 3), 212 - 16, 212),
        (classics.lenet5(), 14, 16),
    ],
)
def test_between_which_sizes_convolutions_are_productive(layers, lower, upper):
    """ResNet-50: 75 to 427 px, as the authors of the notion tell for torchvision's (Richter et al. 2021)."""
    shape = (1, 64, 64) if len(layers) == 4 else (3, 224, 224)
    assert analysis_of(layers, shape).input_sizes() == InputSizes((lower, lower), (upper, upper))


def test_height_and_width_have_ranges_of_their_own():
    sizes = analysis_of([Conv2D(8, (3, 5)), MaxPool2D((2, 1)), Conv2D(8, (3, 1))]).input_sizes()
    assert sizes == InputSizes((8, 5), (8, 5))
    assert (8, 5) in sizes and (7, 5) not in sizes and (8, 6) not in sizes
    assert 8 not in sizes and 6 in InputSizes((5, 5), (7, 7))


def test_the_range_does_not_depend_on_the_size():
    found = {analysis_of([*NET4[:-4], GlobalAvgPool2D()], (1, side, side)).input_sizes() for side in (12, 28, 61)}
    assert found == {InputSizes((28, 28), (30, 30))}


@pytest.mark.parametrize("layers", [CIFAR_DENSE, [Conv2D(8, 1), MaxPool2D(), Output(3)]])
def test_without_filters_there_is_no_range(layers):
    assert analysis_of(layers).input_sizes() is None


def test_sizes_that_lose_no_pixel():
    lossless = analysis_of(NET1).lossless_sizes(22, 62)
    assert lossless[0] == lossless[1]
    assert 28 not in lossless[0]
    for side in range(26, 63):
        pooled = [side - 2, (side - 2) // 2 - 4, ((side - 2) // 2 - 4) // 2 - 2]
        assert (side in lossless[0]) == all(before % 2 == 0 for before in pooled)


def test_axes_have_lossless_sizes_of_their_own():
    assert analysis_of([MaxPool2D((3, 2))]).lossless_sizes(1, 12) == ((3, 6, 9, 12), (2, 4, 6, 8, 10, 12))
    # Sides that only one axis can have are found as well.
    assert analysis_of([Conv2D(4, (5, 1))]).lossless_sizes(1, 7) == ((5, 6, 7), (1, 2, 3, 4, 5, 6, 7))


@settings(max_examples=15)
@given(layer_lists(depth=8), st.integers(6, 40))
def test_lossless_means_that_nothing_is_unread(drawn, side):
    layers, (channels, height, width) = drawn
    layers = [layer for layer in layers if not isinstance(layer, Input)] or [Conv2D(1)]
    try:
        other = analysis_of(layers, (channels, side, width))
    except SizeError:
        return
    lossless = analysis_of(layers, (channels, height, width)).lossless_sizes(side, side)
    assert (lossless[0] == (side,)) == (other.unread.counts[0] == 0)


def test_a_sweep_needs_one_reading():
    declared = [Input(DIGITS), *NET1]
    sweep = sweep_sizes(analysis_of(declared), [28, 32, (40, 36)])
    assert [found.input_shape for found in sweep] == [DIGITS, (1, 32, 32), (1, 40, 36)]
    assert sweep[1] == analysis_of(NET1, (1, 32, 32))
    assert [found.params for found in sweep] == [122_154, 122_154, 122_154 + 3 * 96 * 64]
    assert sweep[2]["conv2d1"].coverage == (3 / 40, 3 / 36)
    assert [found.unread.counts for found in sweep] == [(2, 2), (6, 6), (6, 2)]


def test_same_padding_is_derived_anew_at_every_size():
    """Strides pad an odd and an even side differently."""
    layers = [Conv2D(4, 3, stride=2, padding="same"), GlobalAvgPool2D()]
    even, odd = sweep_sizes(analysis_of(layers), [28, 29])
    assert (even["conv2d1"].start, odd["conv2d1"].start) == ((0, 0), (-1, -1))
    assert odd == analysis_of(layers, (1, 29, 29))


def test_a_size_that_cannot_be_run_is_told():
    with pytest.raises(SizeError) as caught:
        sweep_sizes(analysis_of(NET1), [12])
    assert str(caught.value) == (
        "layer 'maxpool2d5': a 2x2 window does not fit into its 1x1 input. Remove a pooling layer before it, add "
        "padding, or use images of 26 px or more."
    )


def test_a_graph_of_one_size_says_so():
    graph = Graph.from_layers(NET1).at(DIGITS)
    lone = analyze_graph(SizedGraph(graph.nodes))
    with pytest.raises(GraphError) as caught:
        sweep_sizes(lone, [28])
    assert str(caught.value) == "this network is known at one size of images only. Make it with Graph.at()."
