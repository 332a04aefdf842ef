"""Layer records: their repr is code, arguments are kept in one form, and wrong ones are refused with a full message."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from strategies import layer_lists, random_layers

import depthwise.layers
from depthwise.errors import GraphError, LayerError
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

CLASSES = {kind.__name__: kind for kind in LAYERS}


@given(layer_lists(open_output=True))
def test_the_repr_is_code_for_the_same_layer(drawn):
    layers, _ = drawn
    assert eval(repr(layers), CLASSES) == layers


@given(layer_lists())
def test_records_are_values(drawn):
    layers, _ = drawn
    assert pickle.loads(pickle.dumps(layers)) == copy.deepcopy(layers) == layers
    assert hash(pickle.loads(pickle.dumps(layers))) == hash(layers)
    # Rebuilding runs every check again on the kept form.
    assert tuple(replace(layer) for layer in layers) == layers


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv2D(8, 5, name="a", padding=1, groups=2), "Conv2D(8, kernel_size=5, groups=2, padding=1, name='a')"),
        (Conv2D(8, norm=GroupNorm(2)), "Conv2D(8, norm=GroupNorm(2))"),
        (MaxPool2D(3, 2, ceil_mode=True), "MaxPool2D(kernel_size=3, stride=2, ceil_mode=True)"),
        (Add(name="sum", inputs=["a", "b"]), "Add(name='sum', inputs=('a', 'b'))"),
        (
            Residual([Flatten()], Dense(3), activation=None),
            "Residual((Flatten(),), shortcut=(Dense(3),), activation=None)",
        ),
    ],
)
def test_the_repr_reads_as_people_write(layer, text):
    assert repr(layer) == text


def test_a_layer_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Conv2D(8).out_channels = 9


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (Conv2D(8, (3, 3), stride=[2, 2], padding=0), Conv2D(8, stride=2)),
        (Conv2D(8, padding=(0, 0)), Conv2D(8, padding="valid")),
        (Conv2D(8, activation="linear"), Conv2D(8, activation=None)),
        (Conv2D(8, norm=BatchNorm()), Conv2D(8, norm="batch")),
        (Conv2D(np.int64(8), np.array([3, 5])[1]), Conv2D(8, 5)),
        (MaxPool2D(2, 2), MaxPool2D()),
        (MaxPool2D((2, 3), [2, 3]), MaxPool2D((2, 3))),
        (ZeroPad2D(((1, 1), (2, 2))), ZeroPad2D((1, 2))),
        (ZeroPad2D([[1, 1], [1, 1]]), ZeroPad2D()),
        (ZeroPad2D([[0, np.int64(1)], [1, 0]]), ZeroPad2D(((0, 1), (1, 0)))),
        (Input([None, 1, 28, 28]), Input((1, 28, 28))),
        (Input(np.int64([1, 28, 28]).tolist()), Input((1, 28, 28))),
        (Input(tuple(np.int64([1, 28, 28]))), Input((1, 28, 28))),
        (Dropout(np.float32(0.5)), Dropout()),
        (LeakyReLU(1), LeakyReLU(1.0)),
        (Residual([Conv2D(8)], Conv2D(8)), Residual((Conv2D(8),), (Conv2D(8),))),
        (Residual([(Conv2D, {"out_channels": 8})]), Residual([Conv2D(8)])),
        (Dense(8, inputs="a"), Dense(8, inputs=("a",))),
    ],
)
def test_an_argument_is_kept_in_one_form(written, kept):
    assert written == kept
    assert repr(written) == repr(kept)
    assert hash(written) == hash(kept)


COUNT = "must be a whole number of 1 or more"
PAIR = f"{COUNT}, or two of them as (height, width)"
PAIR_OF_ZERO = "must be a whole number of 0 or more, or two of them as (height, width)"
NAMES = "relu, relu6, leaky_relu, elu, selu, gelu, silu, hardswish, tanh, sigmoid, softplus, softmax, log_softmax"
SHAPE = "must be whole numbers of 1 or more: (channels, height, width) or (features,)"
NAME = "must be a Python name without a double underscore"
PADDING = 'must be "valid", "same" or a number of pixels'
ACTIVATION = "must be a function; leave the layer out for none"
NORM = 'must be None, "batch", BatchNorm() or GroupNorm(groups)'
SIDES = "must be pixels of 0 or more, as ((top, bottom), (left, right))"

REFUSED = [
    (lambda: Conv2D(0), f"Conv2D: out_channels is 0 but {COUNT}."),
    (lambda: Conv2D(True), f"Conv2D: out_channels is True but {COUNT}."),
    (lambda: Conv2D(8.0), f"Conv2D: out_channels is 8.0 but {COUNT}."),
    (lambda: Conv2D(8, 0), f"Conv2D: kernel_size is 0 but {PAIR}."),
    (lambda: Conv2D(8, (3, 3, 3)), f"Conv2D: kernel_size is (3, 3, 3) but {PAIR}."),
    (lambda: Conv2D(8, "3"), f"Conv2D: kernel_size is '3' but {PAIR}."),
    (lambda: Conv2D(8, stride=(1, 0)), f"Conv2D: stride is (1, 0) but {PAIR}."),
    (lambda: Conv2D(8, dilation=-1), f"Conv2D: dilation is -1 but {PAIR}."),
    (lambda: Conv2D(8, padding="full"), f"Conv2D: padding is 'full' but {PADDING}."),
    (lambda: Conv2D(8, padding=-1), f"Conv2D: padding is -1 but {PAIR_OF_ZERO}."),
    (lambda: Conv2D(8, groups=3), "Conv2D: groups is 3 but must divide out_channels=8."),
    (lambda: Conv2D(8, bias=None), "Conv2D: bias is None but must be True or False."),
    (
        lambda: Conv2D(8, activation="rellu"),
        f"Conv2D: activation is 'rellu' but must be None or one of {NAMES}. Did you mean 'relu'?",
    ),
    (lambda: Conv2D(8, padding="smae"), f"Conv2D: padding is 'smae' but {PADDING}. Did you mean 'same'?"),
    (lambda: Conv2D(8, norm="layer"), f"Conv2D: norm is 'layer' but {NORM}."),
    (lambda: Conv2D(8, norm=True), f"Conv2D: norm is True but {NORM}."),
    (lambda: Conv2D(0, name="stem"), f"layer 'stem' (Conv2D): out_channels is 0 but {COUNT}."),
    (lambda: Conv2D(8, name="a__b"), f"layer 'a__b' (Conv2D): name is 'a__b' but {NAME}."),
    (lambda: Conv2D(8, name="a-b"), f"layer 'a-b' (Conv2D): name is 'a-b' but {NAME}."),
    (lambda: Conv2D(8, name=3), f"layer 3 (Conv2D): name is 3 but {NAME}."),
    (lambda: Conv2D(8, inputs=3), "Conv2D: inputs is 3 but must be names of layers above."),
    (lambda: Conv2D(8, inputs=[]), "Conv2D: inputs is [] but must be names of layers above."),
    (
        lambda: Conv2D(8, inputs=["a", "b"]),
        "Conv2D: inputs is ['a', 'b'] but must be one name; only Add and Concat read more.",
    ),
    (lambda: SeparableConv2D(0), f"SeparableConv2D: out_channels is 0 but {COUNT}."),
    (lambda: DepthwiseConv2D(multiplier=0), f"DepthwiseConv2D: multiplier is 0 but {COUNT}."),
    (
        lambda: Conv2DTranspose(8, output_padding=1),
        "Conv2DTranspose: output_padding is 1 but must be less than stride=1.",
    ),
    (
        lambda: Conv2DTranspose(8, stride=(1, 3), output_padding=(0, 3)),
        "Conv2DTranspose: output_padding is (0, 3) but must be less than stride=(1, 3).",
    ),
    (
        lambda: Conv2DTranspose(8, stride=2, padding="same", output_padding=1),
        'Conv2DTranspose: output_padding is 1 but must be 0 with padding="same", which sets the output size itself.',
    ),
    (lambda: Conv2DTranspose(8, groups=3), "Conv2DTranspose: groups is 3 but must divide out_channels=8."),
    (lambda: MaxPool2D(0), f"MaxPool2D: kernel_size is 0 but {PAIR}."),
    (lambda: MaxPool2D(3, padding=2), "MaxPool2D: padding is 2 but must be at most half of kernel_size=3."),
    (
        lambda: AvgPool2D((3, 1), padding=(1, 1)),
        "AvgPool2D: padding is 1 but must be at most half of kernel_size=(3, 1).",
    ),
    (lambda: MaxPool2D(ceil_mode=1), "MaxPool2D: ceil_mode is 1 but must be True or False."),
    (lambda: Upsample2D(0.5), f"Upsample2D: scale is 0.5 but {PAIR}."),
    (lambda: Upsample2D(mode="cubic"), "Upsample2D: mode is 'cubic' but must be \"nearest\" or \"bilinear\"."),
    (lambda: ZeroPad2D(-1), f"ZeroPad2D: padding is -1 but {PAIR_OF_ZERO}."),
    (lambda: ZeroPad2D(()), f"ZeroPad2D: padding is () but {SIDES}."),
    (lambda: ZeroPad2D(((0, 1),)), f"ZeroPad2D: padding is ((0, 1),) but {SIDES}."),
    (lambda: ZeroPad2D(((0, 1), (0,))), f"ZeroPad2D: padding is ((0, 1), (0,)) but {SIDES}."),
    (lambda: ZeroPad2D(((0, -1), (0, 0))), f"ZeroPad2D: padding is ((0, -1), (0, 0)) but {SIDES}."),
    (lambda: ZeroPad2D(((0, 0.5), (0, 0))), f"ZeroPad2D: padding is ((0, 0.5), (0, 0)) but {SIDES}."),
    (lambda: ZeroPad2D(((0, "1"), (0, 0))), f"ZeroPad2D: padding is ((0, '1'), (0, 0)) but {SIDES}."),
    (lambda: BatchNorm(momentum=2), "BatchNorm: momentum is 2 but must be a number from 0 to 1."),
    (lambda: BatchNorm(eps=0), "BatchNorm: eps is 0 but must be a number above 0."),
    (lambda: BatchNorm(eps=float("inf")), "BatchNorm: eps is inf but must be a number above 0."),
    (lambda: GroupNorm(0), f"GroupNorm: groups is 0 but {COUNT}."),
    (lambda: GroupNorm(2, eps="1"), "GroupNorm: eps is '1' but must be a number above 0."),
    (lambda: Activation(None), f"Activation: activation is None but {ACTIVATION}."),
    (lambda: Activation("linear"), f"Activation: activation is None but {ACTIVATION}."),
    (lambda: LeakyReLU(-1), "LeakyReLU: negative_slope is -1 but must be a number of 0 or more."),
    (lambda: LeakyReLU(float("nan")), "LeakyReLU: negative_slope is nan but must be a number of 0 or more."),
    (lambda: Dropout(1), "Dropout: p is 1 but must be a number from 0 to less than 1."),
    (lambda: Dropout(True), "Dropout: p is True but must be a number from 0 to less than 1."),
    (lambda: SpatialDropout2D(-0.1), "SpatialDropout2D: p is -0.1 but must be a number from 0 to less than 1."),
    (lambda: Dense(0), f"Dense: units is 0 but {COUNT}."),
    (lambda: Output(0), f"Output: units is 0 but {COUNT}."),
    (lambda: Input((1, 0, 28)), f"Input: shape is (1, 0, 28) but {SHAPE}."),
    (lambda: Input((None,)), f"Input: shape is (None,) but {SHAPE}."),
    (lambda: Input(28), "Input: shape is 28 but must be (channels, height, width) or (features,)."),
    (lambda: Input(inputs="a"), "Input: inputs is ('a',) but must be left out: nothing comes before the input."),
    (Add, "Add: inputs is None but must be the names of two or more layers above."),
    (lambda: Concat(inputs="a"), "Concat: inputs is ('a',) but must be the names of two or more layers above."),
    (lambda: Residual([]), "a layer list is empty. Give at least one layer, such as Dense(64)."),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_wrong_argument_is_refused(make, message):
    with pytest.raises(LayerError) as caught:
        make()
    assert str(caught.value) == message


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(LayerError, match=r"^LeakyReLU: negative_slope is 10{400} but must be a number of 0 or more\.$"):
        LeakyReLU(10**400)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Conv2D(num_filters=8),
            "Conv2D has no argument 'num_filters'. Did you mean out_channels? It has: out_channels, kernel_size, "
            "groups, stride, padding, dilation, bias, activation, norm, name, inputs.",
        ),
        (
            lambda: MaxPool2D(ds=2),
            "MaxPool2D has no argument 'ds'. Did you mean kernel_size? It has: kernel_size, stride, padding, "
            "ceil_mode, name, inputs.",
        ),
        (
            lambda: MaxPool2D(function="avg"),
            "MaxPool2D has no argument 'function'. It has: kernel_size, stride, padding, ceil_mode, name, inputs.",
        ),
        (
            lambda: Dense(8, nonlinearity="relu"),
            "Dense has no argument 'nonlinearity'. Did you mean activation? "
            "It has: units, activation, bias, name, inputs.",
        ),
        (lambda: Dropout(probability=0.1), "Dropout has no argument 'probability'. It has: p, name, inputs."),
        (lambda: Flatten(joins=True), "Flatten has no argument 'joins'. It has: name, inputs."),
    ],
)
def test_a_foreign_argument_is_translated(make, message):
    with pytest.raises(LayerError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("end", [Input(), Output()])
@pytest.mark.parametrize("way", ["layers", "shortcut"])
def test_a_block_holds_no_end_of_a_network(end, way):
    ways = {"layers": [Conv2D(8)], "shortcut": [Conv2D(8)]}
    with pytest.raises(GraphError) as caught:
        Residual(**{**ways, way: [Conv2D(8), end]})
    assert str(caught.value) == "a Residual holds an Input or an Output. Put these at the ends of the whole list."


def test_every_layer_is_public_and_names_its_kind():
    for kind in LAYERS:
        assert getattr(depthwise.layers, kind.__name__) is kind
        assert kind.__name__ in depthwise.layers.__all__
        assert {entry.name for entry in kind.entries()} == {entry.name for entry in fields(kind)}
    assert MaxPool2D().kind == "maxpool2d"


def flat(layers):
    for layer in layers:
        yield layer
        for _, branch in layer.branches:
            yield from flat(branch)


def test_the_random_lists_reach_every_layer_and_depth():
    drawn = [random_layers(Random(seed)) for seed in range(400)]
    layers = [layer for some, _ in drawn for layer in flat(some)]
    counts = {kind: sum(type(layer) is kind for layer in layers) for kind in LAYERS}
    assert min(counts.values()) >= 20, counts
    assert {len(some) for some, _ in drawn} == {*range(1, 21)}
    branching = sum(any(isinstance(layer, (Residual, Add, Concat)) for layer in some) for some, _ in drawn)
    assert 0.2 < branching / len(drawn) < 0.4
    assert sum(height != width for _, (_, height, width) in drawn) > len(drawn) / 2
    for argument in ("kernel_size", "stride", "padding", "dilation"):
        values = [getattr(layer, argument) for layer in layers if isinstance(layer, Conv2D)]
        assert len(set(values)) >= 9
    assert {"valid", "same", 1, (1, 2)} <= {layer.padding for layer in layers if isinstance(layer, Conv2D)}
    residuals = [layer for layer in layers if isinstance(layer, Residual)]
    assert min(sum(r.shortcut is None for r in residuals), sum(r.shortcut is not None for r in residuals)) >= 20
