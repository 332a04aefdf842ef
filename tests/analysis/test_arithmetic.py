"""Sizes and counts by hand: the worked examples of a chapter on convolutional networks (notebook, 2016)."""

import pytest

from depthwise.analysis import Analysis, analyze_graph
from depthwise.graph import Graph
from depthwise.layers import Conv2D, Dense, Layer, MaxPool2D

MEGA = 10**6


def analysis_of(layers: list[Layer], shape: tuple[int, ...]) -> Analysis:
    return analyze_graph(Graph.from_layers(layers).at(shape))


def test_a_dense_unit_has_a_weight_for_each_value_of_the_image():
    for shape, weights in (((3, 32, 32), 3072), ((3, 200, 200), 120_000)):
        assert analysis_of([Dense(1, None, bias=False)], shape).params == weights


def test_one_filter_of_5x5_on_color_has_76_weights():
    analysis = analysis_of([Conv2D(1, 5)], (3, 32, 32))
    assert analysis.params == 5 * 5 * 3 + 1 == 76
    assert analysis.output_shape == (1, 28, 28)


def test_ten_filters_give_ten_maps():
    assert analysis_of([Conv2D(10, 5)], (3, 32, 32)).output_shape == (10, 28, 28)


@pytest.mark.parametrize(
    ("side", "layers", "sides"),
    [
        (32, [Conv2D(1, 5)], [28]),
        (6, [Conv2D(1)], [4]),
        (6, [Conv2D(1, padding=1)], [6]),
        (32, [Conv2D(10, 7), Conv2D(6, 5, stride=2)], [26, 11]),
        (32, [Conv2D(10, 5, padding=2)], [32]),
        (4, [MaxPool2D()], [2]),
    ],
)
def test_output_sides(side, layers, sides):
    rows = analysis_of(layers, (3, side, side)).layers[1:]
    assert [row.output_shape[1:] for row in rows] == [(out, out) for out in sides]


def test_filters_are_as_deep_as_their_input():
    rows = analysis_of([Conv2D(10, 7), Conv2D(6, 5, stride=2)], (3, 32, 32)).layers[1:]
    assert [row.kernel for row in rows] == ["(7x7x3)x10", "(5x5x10)x6 /2"]


@pytest.mark.parametrize("side", [1, 3, 5, 7, 11])
def test_half_of_an_odd_filter_as_padding_keeps_the_size(side):
    for padding in ((side - 1) // 2, "same"):
        assert analysis_of([Conv2D(4, side, padding=padding)], (3, 29, 32)).output_shape == (4, 29, 32)


def test_ten_filters_of_5x5_have_760_parameters():
    analysis = analysis_of([Conv2D(10, 5, padding=2)], (3, 32, 32))
    assert analysis.params == 760
    assert analysis.explain() == "conv2d1  (5 x 5 x 3 + 1) x 10 = 760\ntotal                         = 760"


def test_pooling_by_two_discards_three_of_four_values():
    row = analysis_of([MaxPool2D()], (8, 32, 32)).layers[-1]
    assert row.output_shape == (8, 16, 16) and row.params == 0
    assert row.activation_bytes == 8 * 32 * 32 * 4 / 4


def test_three_layers_of_64_maps_at_224_px_take_77_mb_with_their_gradients():
    analysis = analysis_of([Conv2D(64, padding=1)] * 3, (3, 224, 224))
    assert analysis.activation_bytes // 4 == 9_633_792  # about 10 million
    assert f"{2 * analysis.activation_bytes / MEGA:.1f} MB" == "77.1 MB"
