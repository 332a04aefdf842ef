"""The compact form: what each letter means, that writing and reading are inverse, and what refused texts say."""

import pytest
from hypothesis import given
from strategies import layer_lists

from depthwise.errors import NotationError
from depthwise.graph import Graph
from depthwise.layers import (
    LAYERS,
    Activation,
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Input,
    LeakyReLU,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    SpatialDropout2D,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.notation import read_layers, write_layers
from depthwise.notation.words import NORMED, WORDS

ALL_LETTERS = "A, AP, BN, C, CB, D, DW, DWB, F, GAP, GMP, GN, IN, LR, MP, N, R(...), S, SB, SD, T, TB, UP, ZP"

# Written as write_layers writes them; the list is that of one layer, which no output follows.
CANONICAL = {
    "1x28x28": Input((1, 28, 28)),
    "784": Input((784,)),
    "IN": Input(),
    "32C3": Conv2D(32),
    "32C3x5": Conv2D(32, (3, 5)),
    "8C1s2x1p1x2d2g4nb:none": Conv2D(
        8, 1, stride=(2, 1), padding=(1, 2), dilation=2, groups=4, bias=False, activation=None
    ),
    "32CB3ps:gelu": Conv2D(32, norm="batch", padding="same", activation="gelu"),
    "32C3+GN8e0.001": Conv2D(32, norm=GroupNorm(8, eps=1e-3)),
    "32C3+BNm0.01:tanh": Conv2D(32, norm=BatchNorm(momentum=0.01), activation="tanh"),
    "DW3": DepthwiseConv2D(),
    "DWB5s2m2": DepthwiseConv2D(5, stride=2, multiplier=2, norm="batch"),
    "64S3": SeparableConv2D(64),
    "64SB5x3nb": SeparableConv2D(64, (5, 3), bias=False, norm="batch"),
    "16T4s2p1o1": Conv2DTranspose(16, 4, stride=2, padding=1, output_padding=1),
    "16TB2s2g2": Conv2DTranspose(16, 2, stride=2, groups=2, norm="batch"),
    "MP2": MaxPool2D(),
    "MP3s2p1c": MaxPool2D(3, 2, padding=1, ceil_mode=True),
    "MP3x1ps": MaxPool2D((3, 1), padding="same"),
    "AP3s2x1": AvgPool2D(3, (2, 1)),
    "GAP": GlobalAvgPool2D(),
    "GMP": GlobalMaxPool2D(),
    "UP2": Upsample2D(),
    "UP1x3b": Upsample2D((1, 3), mode="bilinear"),
    "ZP1": ZeroPad2D(),
    "ZP0x2": ZeroPad2D((0, 2)),
    "ZPt1b2r3": ZeroPad2D(((1, 2), (0, 3))),
    "BN": BatchNorm(),
    "BNm0.2e0.00000001": BatchNorm(momentum=0.2, eps=1e-8),
    "GN8": GroupNorm(8),
    "A:log_softmax": Activation("log_softmax"),
    "LR0.3": LeakyReLU(0.3),
    "D0.5": Dropout(),
    "SD0.2": SpatialDropout2D(0.2),
    "F": Flatten(),
    "10N:relu": Dense(10),
    "10Nnb:none": Dense(10, None, bias=False),
    "10N": Output(10),
    "N": Output(),
    "Nnb": Output(bias=False),
    "R(8C3ps)": Residual([Conv2D(8, padding="same")]),
    "R(8N-10N:none|10N:none):none": Residual([Dense(8), Dense(10, None)], [Dense(10, None)], activation=None),
    "R(R(DW3ps):tanh|8C1)": Residual([Residual([DepthwiseConv2D(padding="same")], activation="tanh")], Conv2D(8, 1)),
}

# Other ways to write, and what they mean.
READ = {
    "32C": [Conv2D(32)],
    "32Cps": [Conv2D(32, padding="same")],
    "32C3p0": [Conv2D(32)],
    "32C3d2nbp1s2": [Conv2D(32, stride=2, padding=1, dilation=2, bias=False)],
    "32C+BN": [Conv2D(32, norm="batch")],
    "32C3:ReLU-8C:linear": [Conv2D(32), Conv2D(8, activation=None)],
    "MP-AP-UP-ZP": [MaxPool2D(), AvgPool2D(), Upsample2D(), ZeroPad2D()],
    "LR-D-SD": [LeakyReLU(), Dropout(), SpatialDropout2D()],
    "D.25": [Dropout(0.25)],
    " 3x8x8 - 32C3\n- [ MP2 ] * 2 -\tR( 8C3 | 8C1 )": [
        Input((3, 8, 8)), Conv2D(32), MaxPool2D(), MaxPool2D(), Residual([Conv2D(8)], Conv2D(8, 1)),
    ],
    "[64C3]*2": [Conv2D(64)] * 2,
    "[[8C3-MP2]*2-D0.5]*2": ([Conv2D(8), MaxPool2D()] * 2 + [Dropout()]) * 2,
    "[R([8C3ps]*2)]*2": [Residual([Conv2D(8, padding="same")] * 2)] * 2,
    "[64N]*2": [Dense(64)] * 2,
    "10N-N": [Dense(10), Output()],
    "64N-10N": [Dense(64), Output(10)],
    "64N-10N:softmax": [Dense(64), Dense(10, "softmax")],
    "10N ": [Output(10)],
}  # fmt: skip


@pytest.mark.parametrize(("text", "layer"), CANONICAL.items(), ids=str)
def test_a_layer_is_read_and_written(text, layer):
    assert read_layers(text) == (layer,)
    assert write_layers([layer]) == text


@pytest.mark.parametrize(("text", "layers"), READ.items(), ids=str)
def test_a_list_is_read(text, layers):
    assert read_layers(text) == tuple(layers)


def test_every_layer_and_letter_stands_in_these_tests():
    assert {type(layer) for layer in CANONICAL.values()} == {*LAYERS} - {Add, Concat}
    assert ", ".join(sorted([*WORDS, *NORMED, "R(...)"])) == ALL_LETTERS


def test_the_words_of_the_docstring_are_read():
    written = "1x28x28-32C3-MP2-64C3s2p1-BN-64N-D0.5-10N"
    layers = read_layers(written)
    assert write_layers(layers) == written
    assert Graph.from_layers(layers).at().output_shape == (10,)


@pytest.mark.parametrize(
    "word", [word for word in WORDS.values() if word.kind is not Input], ids=lambda word: word.example
)
def test_the_example_of_a_word_is_read(word):
    read = read_layers(f"IN-{word.example}-F")
    assert type(read[1]) is word.kind


@given(layer_lists(wired=False, open_output=True))
def test_reading_undoes_writing(drawn):
    layers, _ = drawn
    assert read_layers(write_layers(layers)) == layers


def test_reading_undoes_writing_at_the_ends_of_all_ranges():
    layers = (
        Conv2D(999_999_999, (1, 999_999_999), norm=GroupNorm(1, eps=5e-324)),
        BatchNorm(momentum=0.0, eps=1.7e308),
        BatchNorm(momentum=-0.0, eps=1 / 3),
        LeakyReLU(123456789.123456789),
        Dropout(1e-300),
    )
    assert read_layers(write_layers(layers)) == layers


REFUSED = {
    # No layer.
    "32C3-XX2-10N": (6, f"'XX2' is no layer. Write one such as 32C3, MP2 or 64N; all letters: {ALL_LETTERS}."),
    "8C3-32c3": (
        5, f"'32c3' is no layer. Did you mean '32C3'? Write one such as 32C3, MP2 or 64N; all letters: {ALL_LETTERS}."
    ),
    "32C3--MP2": (6, f"a layer is missing. Write one such as 32C3, MP2 or 64N; all letters: {ALL_LETTERS}."),
    "32C3-": (6, f"a layer is missing. Write one such as 32C3, MP2 or 64N; all letters: {ALL_LETTERS}."),
    "": (1, "there is no layer. Write some with '-' between them, as in 32C3-MP2-10N."),
    "32C3MP2": (5, "'MP2' is left over. Write '-' between layers, and close only brackets that are open."),
    "32C3)": (5, "')' is left over. Write '-' between layers, and close only brackets that are open."),
    "8C3:": (
        5, "'' is no activation. Write none or one of relu, relu6, leaky_relu, elu, selu, gelu, silu, hardswish, tanh, "
        "sigmoid, softplus, softmax, log_softmax."
    ),
    "8C3:rellu": (
        5, "'rellu' is no activation. Did you mean 'relu'? Write none or one of relu, relu6, leaky_relu, elu, selu, "
        "gelu, silu, hardswish, tanh, sigmoid, softplus, softmax, log_softmax."
    ),
    "A:none": (1, "Activation: activation is None but must be a function; leave the layer out for none."),
    # Numbers and options.
    "8C3-C3": (5, "C needs its out_channels. Write it as in 32C3."),
    "GN": (1, "GN needs its groups. Write it as in GN8."),
    "A": (1, "A needs its activation. Write it as in A:gelu."),
    "N-8C3": (1, "N needs its units. Write it as in 64N."),
    "5MP2": (1, "MP takes no number before it. Write it as in MP2."),
    "8C3s": (4, "'s' (stride) needs a number behind it. Write s2."),
    "8C3x": (5, "'x' needs a number behind it. Write height and width as in 3x5."),
    "8C3s2s1": (6, "'s' stands twice. Write it once."),
    "MP2g4": (4, "'g4' says nothing to MP. It takes: s (stride), p (padding), c (ceil_mode)."),
    "GAPs2": (4, "'s2' says nothing to GAP. It takes: no options."),
    "32C3ps2": (8, "'ps' is padding \"same\" and takes no number. Write s2ps for stride 2 as well."),
    "ZP1t2": (3, "ZP has one padding for all sides and some by side. Write one or the other: ZP1 or ZPt1b2."),
    "1000000000C3": (1, "the number has 10 digits but may have 9. Write a smaller one."),
    "8C3+XX": (5, "'XX' is no norm. Write +BN or +GN8."),
    "8C3+GN": (5, "GN needs its groups. Write it as in GN8."),
    "8CB3+BN": (1, "CB has a norm already. Write C with '+', or CB without."),
    # What the layers themselves refuse.
    "0C3": (1, "Conv2D: out_channels is 0 but must be a whole number of 1 or more."),
    "8C3-D1.5": (5, "Dropout: p is 1.5 but must be a number from 0 to less than 1."),
    "0x28x28": (
        1, "Input: shape is (0, 28, 28) but must be whole numbers of 1 or more: (channels, height, width) or "
        "(features,)."
    ),
    # Places and brackets.
    "8C3-1x8x8": (5, "an input stands behind other layers or in brackets. Write it once, at the very beginning."),
    "[IN]*2": (2, "an input stands behind other layers or in brackets. Write it once, at the very beginning."),
    "[8C3]": (6, "brackets need '*' and a number of 1 or more behind them. Write [64C3]*2."),
    "[8C3]*0": (6, "brackets need '*' and a number of 1 or more behind them. Write [64C3]*2."),
    "8C3-[8C3": (5, "this bracket is not closed. Write ']' behind its last layer."),
    "8C3-R(8C3": (5, "this bracket is not closed. Write ')' behind its last layer."),
    "R(8C3]": (6, "']' is left over. Write '-' between layers and ')' behind the last one."),
    "8C3-[[[64C3]*999]*999]*9": (6, "the list has more than 1000 layers. Repeat less."),
    "[R(R(8C3)-8C3)]*251": (1, "the list has more than 1000 layers. Repeat less."),
    "[8C3]*1000-8C3": (12, "the list has more than 1000 layers. Write less."),
    "[" * 21 + "8C3": (21, "brackets stand in more than 20 others. Nest less."),
}  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), [(text, *rest) for text, rest in REFUSED.items()])
def test_a_refused_text_is_shown_with_its_place_marked(text, place, message):
    with pytest.raises(NotationError) as caught:
        read_layers(text)
    mark = " " * (place - 1) + "^"
    assert str(caught.value) == f"cannot read {text!r} at character {place}:\n    {text}\n    {mark}\n{message}"


def test_the_bounds_are_not_stricter_than_said():
    assert len(read_layers("[[8C3]*100]*10")) == 1000
    assert read_layers("[" * 20 + "8C3" + "]*1" * 20) == (Conv2D(8),)


def test_a_long_text_is_shown_around_the_place():
    text = "8C3-" * 100 + "XX-" + "8C3-" * 100
    with pytest.raises(NotationError) as caught:
        read_layers(text)
    head, line, mark, _ = str(caught.value).split("\n")
    assert head == f"cannot read '{text[:97]}...' at character 401:"
    assert line == f"    ...{text[350:450]}..."
    assert line[mark.index("^") :].startswith("XX-")


def test_a_line_break_does_not_move_the_mark():
    with pytest.raises(NotationError) as caught:
        read_layers("8C3-\n\tXX")
    assert "\n    8C3-  XX\n          ^\n" in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Conv2D(8), Conv2D(8, name="second")],
            "layer 'second' has name='second', which the compact form cannot say. Write the list with write_toml.",
        ),
        (
            [Conv2D(8), Conv2D(8, inputs="input0")],
            "layer 'conv2d2' has inputs=('input0',), which the compact form cannot say. "
            "Write the list with write_toml.",
        ),
        (
            [Input(), Residual([Conv2D(8)], [Conv2D(8), Conv2D(8, name="inner")])],
            "layer 'residual1.shortcut.inner' has name='inner', which the compact form cannot say. "
            "Write the list with write_toml.",
        ),
        (
            [Conv2D(8, norm=BatchNorm(name="own"))],
            "layer 'conv2d1.norm' has name='own', which the compact form cannot say. Write the list with write_toml.",
        ),
        (
            [Output(10), Activation("softmax")],
            "layer 'output1' stands at the wrong end: the compact form has an Input only as its first layer and an "
            "Output only as its last. Put it there, or write the list with write_toml.",
        ),
    ],
)
def test_what_the_form_cannot_say_names_the_layer(layers, message):
    with pytest.raises(NotationError) as caught:
        write_layers(layers)
    assert str(caught.value) == message


def test_a_layer_of_the_caller_has_no_letters():
    class Own(Conv2D):
        pass

    with pytest.raises(NotationError) as caught:
        write_layers([Own(8)])
    assert str(caught.value) == "layer 'own1' is a Own, for which the compact form has no letters."
