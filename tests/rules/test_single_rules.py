"""Where a rule draws its line: cases beside its own two examples."""

import pytest
from tutorial_networks import DIGITS, NETZ_MUCH_POOLING

from depthwise.layers import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GlobalAvgPool2D,
    MaxPool2D,
    Output,
    Residual,
    ZeroPad2D,
)
from depthwise.network import check

HEAD = [GlobalAvgPool2D(), Output(10)]


def same(channels, times=1, **options):
    return [Conv2D(channels, padding="same", **options)] * times


def codes(layers, shape, *select, **options):
    return [finding.code for finding in check(layers, shape, select=select, **options)]


def test_a_warning_tells_the_numbers_of_the_shortest_way():
    layers = [*same(8, 9), Residual(tuple(same(8, 2))), *same(8), *HEAD]
    (finding,) = check(layers, (1, 40, 40), select=["CAP001"])
    assert finding.message == "capacity 15.8 % < 16.7 %, down to 13.0 %"


def test_a_view_of_exactly_the_image_has_seen_all():
    (finding,) = check(NETZ_MUCH_POOLING, DIGITS, select=["COV002"])
    assert finding.layers == ("conv2d7", "conv2d8", "conv2d10", "conv2d11")
    assert finding.message == "4 convolutions of 8 cannot see anything new"


def test_a_stride_over_pixels_is_told_once():
    layers = [*same(16), Conv2D(32, 1, stride=2), *same(32), *HEAD]
    assert codes(layers, (1, 8, 8), "SHP003", "SHP008") == ["SHP008"]


@pytest.mark.parametrize(
    "pair",
    [
        (DepthwiseConv2D(padding="same", activation=None), Conv2D(32, 1)),
        (Conv2D(4, 1, activation=None), Conv2D(32, padding="same")),
        (Conv2D(32, (1, 3), padding="same", activation=None), Conv2D(32, (3, 1), padding="same")),
        (Conv2D(32, 3, padding="same", activation=None), MaxPool2D()),
        (Conv2D(32, 3, padding="same", activation=None), Residual((Conv2D(32, padding="same"),))),
    ],
)
def test_known_pairs_need_no_activation_between_them(pair):
    assert not codes([*same(16), *pair, *same(32), *HEAD], (1, 16, 16), "ACT001")


@pytest.mark.parametrize("between", [[BatchNorm()], [Dropout()], [AvgPool2D()], [ZeroPad2D()], []])
def test_linear_layers_between_are_no_activation(between):
    layers = [Conv2D(16, padding="same", activation=None), *between, *same(32), *HEAD]
    assert codes(layers, (1, 16, 16), "ACT001") == ["ACT001"]


def test_misaligned_by_more_than_half_a_unit_warns_and_by_half_informs():
    def block(kernel):
        main = (Conv2D(8, kernel, stride=2, padding="same"), Conv2D(8, kernel, padding="same", activation=None))
        return [*same(8), Residual(main, (Conv2D(8, 1, stride=2, activation=None),)), *HEAD]

    assert [one.severity for one in check(block(3), (1, 16, 16), select=["SHP006"])] == ["info"]
    assert [one.severity for one in check(block(4), (1, 16, 16), select=["SHP006"])] == ["warning"]


def test_heads_are_judged_by_what_is_known():
    layers = [*same(16, 2), *HEAD]
    assert not codes(layers, (1, 8, 8), "HED")
    assert codes(layers, (1, 8, 8), "HED", n_outputs=9) == ["HED004"]
    assert not codes([*layers[:-1], Output()], (1, 8, 8), "HED", n_outputs=9)
    assert codes([*layers, Dense(10)], (1, 8, 8), "HED002") == ["HED002"]
    assert codes([*layers[:-1], Dense(10, "softmax")], (1, 8, 8), "HED", loss="CrossEntropyLoss") == ["HED001"]
    assert not codes([*layers[:-1], Dense(10, "log_softmax")], (1, 8, 8), "HED", loss="nll_loss")


def test_a_network_without_convolutions_or_classifier_has_nothing_of_theirs():
    assert not codes([Dense(20), Dropout(), Output(10)], (1, 8, 8))
    decoder = [*same(8), MaxPool2D(), *same(16), Conv2D(2, 1, activation=None)]
    assert not codes(decoder, (1, 64, 64), profile="segmentation")
    assert not codes([Dense(20), Dropout(), Output(10)], (64,))


def test_one_finding_a_cause():
    layers = [*[Conv2D(8, padding="same", norm="batch")] * 6, *HEAD]
    (finding,) = check(layers, (1, 16, 16), select=["NRM001"])
    assert len(finding.layers) == 6 and len(finding.fix.edits) == 6
