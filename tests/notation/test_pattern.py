"""The textbook's pattern: what its words mean, and what refused texts say."""

import pytest

from depthwise.errors import NotationError
from depthwise.graph import Graph
from depthwise.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Output,
)
from depthwise.notation import read_layers


def conv(channels, activation="relu", **arguments):
    return Conv2D(channels, padding="same", activation=activation, **arguments)


READ = {
    "INPUT -> FC": [Output()],
    "INPUT -> CONV -> RELU -> FC": [conv(32), Output()],
    "INPUT -> CONV -> FC -> RELU -> FC": [conv(32, None), Dense(64), Output()],
    "CONV -> FC": [conv(32, None), Output()],
    "INPUT [32x24x3] -> FC": [Input((3, 32, 24)), Output()],
    "INPUT[ 32 x 24 x 3 ]->FC": [Input((3, 32, 24)), Output()],
    "input -> Conv -> ReLU -> Pool -> Dense": [conv(32), MaxPool2D(), Output()],
    "CONV -> BN -> RELU -> CONV -> RELU -> BN -> CONV -> NORM": [
        conv(32, norm="batch"), conv(32), BatchNorm(), conv(32, None, norm="batch"),
    ],
    "CONV -> TANH -> RELU -> CONV -> LEAKY_RELU": [conv(32, "tanh"), Activation("relu"), conv(32, "leaky_relu")],
    "CONV -> POOL -> RELU": [conv(32, None), MaxPool2D(), Activation("relu")],
    "CONV -> DROPOUT -> RELU": [conv(32, None), Dropout(), Activation("relu")],
    "CONV -> AVGPOOL -> CONV -> MAXPOOL -> CONV": [
        conv(32, None), AvgPool2D(), conv(64, None), MaxPool2D(), conv(128, None),
    ],
    "CONV -> GAP -> FLATTEN -> FC -> SOFTMAX": [conv(32, None), GlobalAvgPool2D(), Flatten(), Output()],
    "FC -> SOFTMAX -> FC": [Dense(64, "softmax"), Output()],
    "CONV 8 -> POOL -> CONV -> FC 100 -> RELU -> FC 10": [
        conv(8, None), MaxPool2D(), conv(64, None), Dense(100), Output(10),
    ],
    "FC -> RELU -> DROPOUT -> FC": [Dense(64), Dropout(), Output()],
    "CONV*2 -> POOL": [conv(32, None)] * 2 + [MaxPool2D()],
    "CONV 8 x 2 -> POOL": [conv(8, None)] * 2 + [MaxPool2D()],
    "CONV -> POOL? -> CONV": [conv(32, None), MaxPool2D(), conv(64, None)],
    "CONV -> POOL?*0 -> CONV": [conv(32, None)] * 2,
    "[CONV -> RELU]*0 -> FC": [Output()],
    "INPUT -> [FC -> RELU]? x 2 -> FC": [Dense(64)] * 2 + [Output()],
}  # fmt: skip


@pytest.mark.parametrize(("text", "layers"), READ.items(), ids=str)
def test_a_pattern_is_read(text, layers):
    assert read_layers(text) == tuple(layers)


@pytest.mark.parametrize(
    "text",
    [
        "INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC",
        "INPUT -> [ [CONV -> RELU] x 2 -> POOL? ] x 3 -> [FC->RELU]X2 -> FC",
        "INPUT->[[CONV->RELU]*2\n->POOL?]*3->[FC->RELU]*2->FC",
    ],
)
def test_the_pattern_of_the_textbook(text):
    stages = [layer for channels in (32, 64, 128) for layer in (conv(channels), conv(channels), MaxPool2D())]
    layers = read_layers(text)
    assert layers == (*stages, Dense(64), Dense(64), Output())
    assert Graph.from_layers(layers, n_outputs=10).at((3, 32, 32)).output_shape == (10,)


WORDS = "INPUT, CONV, POOL, AVGPOOL, GAP, FC, RELU, BN, DROPOUT, FLATTEN, or another activation"
REFUSED = {
    "INPUT -> FOO -> FC": (10, f"'FOO' is no layer. Write one of {WORDS}."),
    "INPUT -> ": (10, f"a layer is missing. Write one of {WORDS}."),
    "-> FC": (1, f"a layer is missing. Write one of {WORDS}."),
    "CONV -> INPUT -> FC": (9, "INPUT stands behind other layers. Write it once, at the very beginning."),
    "[INPUT -> FC]*2": (2, "INPUT stands behind other layers. Write it once, at the very beginning."),
    "INPUT -> [CONV -> RELU": (10, "this bracket is not closed. Write ']' behind its last layer."),
    "INPUT -> [CONV RELU]": (16, "'RELU' is left over. Write '->' between layers and ']' behind the last one."),
    "INPUT -> CONV -> RELU]*2": (
        22,
        "']' is left over. Write '->' between layers, and close only brackets that are open.",
    ),
    "INPUT -> CONV RELU": (
        15,
        "'RELU' is left over. Write '->' between layers, and close only brackets that are open.",
    ),
    "INPUT -> [CONV]*N -> FC": (17, "a number is missing. Write how often: [CONV -> RELU]*2."),
    "INPUT [32x32] -> FC": (7, "the size of the images is height x width x channels. Write it as in INPUT [32x32x3]."),
    "INPUT [32x0x3] -> FC": (7, "the size of the images is height x width x channels. Write it as in INPUT [32x32x3]."),
    "INPUT -> CONV 0": (10, "Conv2D: out_channels is 0 but must be a whole number of 1 or more."),
    "INPUT -> [FC]*0": (1, "there is no layer but the input. Write some behind it, as in INPUT -> CONV -> RELU -> FC."),
    "INPUT -> [[CONV]*99]*99": (10, "the list has more than 1000 layers. Repeat less."),
    "[CONV]*1000 -> FC": (16, "the list has more than 1000 layers. Write less."),
    "[" * 21 + "->": (21, "brackets stand in more than 20 others. Nest less."),
}


@pytest.mark.parametrize(("text", "place", "message"), [(text, *rest) for text, rest in REFUSED.items()])
def test_a_refused_pattern_is_shown_with_its_place_marked(text, place, message):
    with pytest.raises(NotationError) as caught:
        read_layers(text)
    mark = " " * (place - 1) + "^"
    assert str(caught.value) == f"cannot read {text!r} at character {place}:\n    {text}\n    {mark}\n{message}"
