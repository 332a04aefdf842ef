"""What may be written as a layer list, and how its layers are called."""

import pytest

from depthwise.errors import GraphError, LayerError
from depthwise.layers import (
    Conv2D,
    Dense,
    Dropout,
    Input,
    MaxPool2D,
    Output,
    Residual,
    as_layers,
    layer_names,
    with_input,
)


def names(layers):
    return [name for name, _ in layer_names(with_input(layers))]


def test_pairs_are_layers():
    pairs = [
        (Input, {"shape": (None, 1, 28, 28)}),
        (Conv2D, {"out_channels": 32, "kernel_size": (3, 3)}),
        (MaxPool2D, {"kernel_size": (2, 2)}),
        (Dense, {"units": 64}),
        (Dropout, {}),
        (Output, {"units": 10}),
    ]
    records = [Input((1, 28, 28)), Conv2D(32), MaxPool2D(), Dense(64), Dropout(), Output(10)]
    assert as_layers(pairs) == as_layers(iter(pairs)) == as_layers(records) == tuple(records)
    assert names(pairs) == ["input0", "conv2d1", "maxpool2d2", "dense3", "dropout4", "output5"]


def test_names_count_the_input_whether_written_or_not():
    layers = [Conv2D(8), MaxPool2D(), Residual([Conv2D(8)]), Dense(8), Output()]
    assert names(layers) == ["input0", "conv2d1", "maxpool2d2", "residual3", "dense4", "output5"]
    assert names([Input(), *layers]) == names(layers)


def test_an_own_name_leaves_the_places_of_the_others():
    assert names([Conv2D(8), MaxPool2D(name="shrink"), Conv2D(8)]) == ["input0", "conv2d1", "shrink", "conv2d3"]
    assert names([Input(name="images"), Dense(8)]) == ["images", "dense1"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "a layer list is empty. Give at least one layer, such as Dense(64)."),
        (Conv2D(8), "a layer list must be a list of layers, not Conv2D(8). Write [Conv2D(8)]."),
        ("32C3", "a layer list must be a list of layers, not '32C3'. Write [Conv2D(32), Output()]."),
        (3, "a layer list must be a list of layers, not 3. Write [Conv2D(32), Output()]."),
        (
            [Conv2D(8), Conv2D],
            "entry 1 of the list is the class Conv2D. Write Conv2D(...).",
        ),
        (
            [Conv2D(8), "relu"],
            "entry 1 of the list is 'relu'. Write a layer such as Conv2D(32), or a pair (Conv2D, {...}).",
        ),
    ],
)
def test_what_is_no_list_is_refused(layers, message):
    with pytest.raises(LayerError) as caught:
        as_layers(layers)
    assert str(caught.value) == message


def test_a_second_input_is_refused():
    with pytest.raises(GraphError) as caught:
        with_input([Conv2D(8), Input()])
    assert str(caught.value) == ("an Input stands behind other layers. A network has one Input, and it comes first.")
