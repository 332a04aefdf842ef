"""Size arithmetic of single layers, against counting by hand and against published numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthwise.errors import SizeError
from depthwise.graph import Graph
from depthwise.layers import (
    AvgPool2D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAvgPool2D,
    GroupNorm,
    MaxPool2D,
    Output,
    SeparableConv2D,
    Upsample2D,
    ZeroPad2D,
)


def shape_of(layer, shape):
    return Graph.from_layers([layer]).at(shape).output_shape


def side(layer, n):
    """Height that comes out of an n px high map, with a width that fits any layer of these tests."""
    return shape_of(layer, (1, n, 64))[1]


def params(layer, shape):
    return sum(node.op.params for node in Graph.from_layers([layer]).at(shape).nodes)


def positions(n, before, after, span, stride):
    """Where a window may start, counted one by one on the padded map."""
    return [start for start in range(-before, n + after, stride) if start + span <= n + after]


WINDOWS = {
    "n": st.integers(1, 40),
    "k": st.integers(1, 7),
    "s": st.integers(1, 4),
    "d": st.integers(1, 3),
    "p": st.integers(0, 4),
}


@given(**WINDOWS)
def test_a_convolution_has_as_many_outputs_as_positions(n, k, s, d, p):
    layer = Conv2D(1, (k, 1), stride=(s, 1), dilation=(d, 1), padding=(p, 0))
    count = len(positions(n, p, p, d * (k - 1) + 1, s))
    if count:
        assert side(layer, n) == count
    else:
        with pytest.raises(SizeError):
            side(layer, n)


@given(n=WINDOWS["n"], k=WINDOWS["k"], s=WINDOWS["s"], p=WINDOWS["p"])
def test_a_rounded_up_pool_has_one_more_where_pixels_are_left(n, k, s, p):
    p = min(p, k // 2)
    full = positions(n, p, p, k, s)
    if not full:
        return
    # PyTorch: the partial window counts if it starts in the map or its left padding.
    partial = full[-1] + k < n + p and full[-1] + s < n
    assert side(MaxPool2D((k, 1), (s, 1), padding=(p, 0)), n) == len(full)
    assert side(MaxPool2D((k, 1), (s, 1), padding=(p, 0), ceil_mode=True), n) == len(full) + partial


@given(n=WINDOWS["n"], k=WINDOWS["k"], s=WINDOWS["s"], d=WINDOWS["d"])
def test_same_padding_gives_n_over_s_rounded_up_the_smaller_half_first(n, k, s, d):
    layer = Conv2D(1, (k, 1), stride=(s, 1), dilation=(d, 1), padding="same")
    sized = Graph.from_layers([layer]).at((1, n, 5)).nodes[1]
    (before, after), across = sized.op.padding
    assert sized.output_shape == (1, -(-n // s), 5)
    assert across == (0, 0)
    assert after - before in (0, 1)
    span = d * (k - 1) + 1
    assert len(positions(n, before, after, span, s)) == -(-n // s)
    if before + after:
        # No pixel of padding too many.
        assert len(positions(n, before, after - 1, span, s)) < -(-n // s)


@given(**WINDOWS, data=st.data())
def test_a_transposed_convolution_undoes_the_size_of_a_convolution(n, k, s, d, p, data):
    extra = data.draw(st.integers(0, s - 1))
    window = {"stride": (s, 1), "dilation": (d, 1), "padding": (p, 0)}
    try:
        grown = side(Conv2DTranspose(1, (k, 1), output_padding=(extra, 0), **window), n)
    except SizeError:
        assert (n - 1) * s - 2 * p + d * (k - 1) + 1 + extra < 1
        return
    assert len(positions(grown, p, p, d * (k - 1) + 1, s)) == n


@given(n=WINDOWS["n"], k=WINDOWS["k"], s=WINDOWS["s"], d=WINDOWS["d"])
def test_a_transposed_convolution_with_same_padding_multiplies(n, k, s, d):
    assert side(Conv2DTranspose(1, (k, 1), stride=(s, 1), dilation=(d, 1), padding="same"), n) == n * s


def test_same_padding_of_a_stride_pads_zero_before_and_one_behind():
    sized = Graph.from_layers([Conv2D(8, padding="same", stride=2)]).at((1, 16, 16)).nodes[1]
    assert sized.op.padding == ((0, 1), (0, 1))
    assert sized.output_shape == (8, 8, 8)


@pytest.mark.parametrize(
    ("layer", "shape", "after"),
    [
        # A tutorial's exercises on convolution arithmetic, and what PyTorch and Keras answer.
        (Conv2D(10, 7), (3, 32, 32), (10, 26, 26)),
        (Conv2D(6, 5, stride=2), (10, 26, 26), (6, 11, 11)),
        (Conv2D(10, 5, padding=2), (3, 32, 32), (10, 32, 32)),
        (Conv2D(96, 11, stride=4), (3, 227, 227), (96, 55, 55)),
        (Conv2D(64, 7, stride=2, padding=3), (3, 224, 224), (64, 112, 112)),
        (Conv2D(8, dilation=2), (1, 9, 9), (8, 5, 5)),
        (MaxPool2D(), (8, 9, 8), (8, 4, 4)),
        (MaxPool2D(ceil_mode=True), (8, 9, 8), (8, 5, 4)),
        (MaxPool2D(3, 2, padding=1), (64, 112, 112), (64, 56, 56)),
        (AvgPool2D((1, 2)), (8, 9, 9), (8, 9, 4)),
        (AvgPool2D(2, padding="same"), (8, 9, 9), (8, 5, 5)),
        (DepthwiseConv2D(multiplier=3), (4, 8, 9), (12, 6, 7)),
        (SeparableConv2D(5, stride=(1, 2)), (4, 8, 9), (5, 6, 4)),
        (Conv2DTranspose(16, 4, stride=2, padding=1), (8, 7, 5), (16, 14, 10)),
        (Conv2DTranspose(16, 3, stride=2, padding=1, output_padding=(1, 0)), (8, 7, 5), (16, 14, 9)),
        (Conv2DTranspose(16, 2, stride=3, padding="same"), (8, 7, 5), (16, 21, 15)),
        (Upsample2D((2, 3)), (8, 7, 5), (8, 14, 15)),
        (ZeroPad2D(((1, 0), (2, 3))), (8, 7, 5), (8, 8, 10)),
        (GlobalAvgPool2D(), (8, 7, 5), (8,)),
        (Flatten(), (8, 7, 5), (280,)),
        (Dense(10), (8, 7, 5), (10,)),
        (Dense(10), (280,), (10,)),
        (Output(), (280,), (None,)),
    ],
)
def test_sizes(layer, shape, after):
    assert shape_of(layer, shape) == after


@pytest.mark.parametrize(
    ("layer", "shape", "count"),
    [
        (Conv2D(10, 5, padding=2), (3, 32, 32), 760),
        (Conv2D(512, bias=False), (256, 392, 392), 1_179_648),
        (Conv2D(8, groups=4, norm="batch"), (8, 9, 9), (2 * 9 + 1) * 8 + 16),
        (DepthwiseConv2D(5, multiplier=2), (3, 9, 9), (25 + 1) * 6),
        (SeparableConv2D(8), (3, 9, 9), 3 * 9 + (3 + 1) * 8),
        (Conv2DTranspose(8, groups=2), (4, 9, 9), (2 * 9 + 1) * 8),
        (Dense(10, bias=False), (3, 4, 5), 600),
        (MaxPool2D(), (3, 9, 9), 0),
    ],
)
def test_learned_values(layer, shape, count):
    assert params(layer, shape) == count


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            [Conv2D(8, dilation=2, padding=1)],
            (1, 2, 9),
            "layer 'conv2d1': a 3x3 (5x5 with dilation) kernel does not fit into its 2x9 input (4x11 with padding). "
            "Add padding, or use images of 3 px or more.",
        ),
        (
            [Conv2D(8, (3, 5))],
            (1, 2, 2),
            "layer 'conv2d1': a 3x5 kernel does not fit into its 2x2 input. "
            "Add padding, or use images of 3x5 px or more.",
        ),
        (
            [MaxPool2D(), MaxPool2D(name="second")],
            (1, 3, 9),
            "layer 'second': a 2x2 window does not fit into its 1x4 input. "
            "Remove a pooling layer before it, add padding, or use images of 4 px or more.",
        ),
        (
            [Conv2DTranspose(8, 1, padding=2)],
            (1, 4, 9),
            "layer 'conv2dtranspose1': its 4x9 input becomes 0x5: less than one pixel. "
            "Add padding, or use images of 5 px or more.",
        ),
        (
            [Flatten(), Conv2D(8)],
            (1, 4, 9),
            "layer 'conv2d2': needs a map with height and width but gets 36. "
            "Put it before the first flatten, dense or global pooling layer.",
        ),
        (
            [Conv2D(8, groups=4)],
            (6, 9, 9),
            "layer 'conv2d1': its 6 input channels cannot be split into groups=4. "
            "Choose groups that divide 6, or change the channels of the layer before.",
        ),
        (
            [Conv2D(6, norm=GroupNorm(4))],
            (6, 9, 9),
            "layer 'conv2d1': its 6 channels cannot be split into 4 groups. Choose a number of groups that divides 6.",
        ),
        (
            [Output(), Dense(8)],
            (6, 9, 9),
            "layer 'dense2': it follows an output layer of unknown width. Let Output() be the last layer.",
        ),
    ],
)
def test_a_layer_that_does_not_fit_says_so(layers, shape, message):
    with pytest.raises(SizeError) as caught:
        Graph.from_layers(layers).at(shape)
    assert str(caught.value) == message
