"""Layer lists as graphs: names, wiring, sizes of whole networks, hints in errors, edits."""

import re
from random import Random

import pytest
from hypothesis import given
from strategies import layer_lists, random_layers

from depthwise.errors import GraphError, SizeError
from depthwise.graph import Edit, Graph
from depthwise.layers import (
    LAYERS,
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Output,
    Residual,
)
from depthwise.layers.shapes import are_channels_last

CLASSES = {kind.__name__: kind for kind in LAYERS}


def names(layers):
    return [node.name for node in Graph.from_layers(layers).nodes]


def refusal(layers, shape=None):
    with pytest.raises(GraphError) as caught:
        Graph.from_layers(layers).at(shape)
    return str(caught.value)


# Names.


def test_the_names_of_a_tutorial():
    pairs = [
        (Input, {"shape": (None, 1, 28, 28)}),
        (Conv2D, {"out_channels": 32}),
        (MaxPool2D, {}),
        *[(Conv2D, {"out_channels": 64})] * 2,
        (MaxPool2D, {}),
        (Conv2D, {"out_channels": 96}),
        (MaxPool2D, {}),
        (Dense, {"units": 64}),
        (Dropout, {}),
        (Dense, {"units": 64}),
        (Output, {"units": 10}),
    ]
    sized = Graph.from_layers(pairs).at()
    assert list(dict.fromkeys(node.node.layer for node in sized.nodes)) == [
        "input0", "conv2d1", "maxpool2d2", "conv2d3", "conv2d4", "maxpool2d5", "conv2d6", "maxpool2d7", "dense8",
        "dropout9", "dense10", "output11",
    ]  # fmt: skip
    assert sum(node.op.params for node in sized.nodes) == 122_154


def test_the_parts_of_a_layer_are_named_after_it():
    assert names([Conv2D(8, norm="batch", name="stem"), Dense(3)]) == [
        "input0", "stem", "stem.norm", "stem.activation", "dense2.flatten", "dense2", "dense2.activation",
    ]  # fmt: skip


def test_the_layers_of_a_block_are_named_after_it():
    block = Residual([Conv2D(8, 1, activation=None), BatchNorm(name="own")], [Conv2D(8, 1, activation=None), Dropout()])
    assert names([MaxPool2D(), Conv2D(8, activation=None), block]) == [
        "input0", "maxpool2d1", "conv2d2", "residual3.conv2d0", "residual3.own", "residual3.shortcut.conv2d0",
        "residual3.shortcut.dropout1", "residual3", "residual3.activation",
    ]  # fmt: skip
    nested = Residual([Residual([Dense(3, None)], activation=None)], activation=None, name="outer")
    assert names([nested])[1:] == [
        "outer.residual0.dense0.flatten", "outer.residual0.dense0", "outer.residual0", "outer",
    ]  # fmt: skip


@given(layer_lists())
def test_node_names_are_unique_and_read_only_what_is_above(drawn):
    layers, shape = drawn
    seen = set()
    for sized in Graph.from_layers(layers).at(shape).nodes:
        assert set(sized.node.inputs) <= seen
        assert sized.name not in seen
        seen.add(sized.name)


# Wiring.


def test_a_layer_reads_the_one_before_it_or_those_it_names():
    graph = Graph.from_layers(
        [
            Conv2D(4, 1, activation=None),
            Conv2D(4, 1, activation=None, name="left", inputs="input0"),
            Concat(inputs=["left", "conv2d1"]),
            Residual([Conv2D(8, 1, activation=None), Dropout()], activation=None),
        ]
    )
    assert {node.name: node.inputs for node in graph.nodes} == {
        "input0": (),
        "conv2d1": ("input0",),
        "left": ("input0",),
        "concat3": ("left", "conv2d1"),
        "residual4.conv2d0": ("concat3",),
        "residual4.dropout1": ("residual4.conv2d0",),
        "residual4": ("residual4.dropout1", "concat3"),
    }
    assert graph.at((2, 5, 6)).output_shape == (8, 5, 6)


def test_who_names_a_layer_reads_its_last_part():
    graph = Graph.from_layers([Conv2D(4, 1), Conv2D(4, 1), Add(inputs=["conv2d1", "conv2d2"])])
    assert graph.nodes[-1].inputs == ("conv2d1.activation", "conv2d2.activation")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Conv2D(8, name="a"), Dense(8, name="a")],
            "two layers are called 'a'. Give one of them another name=.",
        ),
        (
            [Conv2D(8), Dense(8, name="conv2d1")],
            "two layers are called 'conv2d1'. Give one of them another name=.",
        ),
        (
            [Residual([Dense(8, name="b"), Dense(8, name="b")])],
            "two layers are called 'residual1.b'. Give one of them another name=.",
        ),
        (
            [Residual([Conv2D(8, name="activation")])],
            "two layers are called 'residual1.activation'. Give one of them another name=.",
        ),
        (
            [Residual([Residual([Flatten()], name="shortcut")], [Flatten()])],
            "two layers are called 'residual1.shortcut.flatten0'. Give one of them another name=.",
        ),
        (
            [Conv2D(8), Conv2D(8, inputs="conv2d")],
            "layer 'conv2d2' reads 'conv2d', which is not a layer above it. Did you mean 'conv2d1'? "
            "Above it are: input0, conv2d1.",
        ),
        (
            [Conv2D(8, inputs="maxpool2d2"), MaxPool2D()],
            "layer 'conv2d1' reads 'maxpool2d2', which is not a layer above it. Above it are: input0.",
        ),
        (
            [Conv2D(8), Residual([Conv2D(8), Add(inputs=["conv2d0", "conv2d1"])])],
            "layer 'residual2.add1' reads 'conv2d1', which is not a layer above it. Did you mean 'conv2d0'? "
            "Above it are: conv2d0.",
        ),
        (
            [Conv2D(8), Input()],
            "an Input stands behind other layers. A network has one Input, and it comes first.",
        ),
    ],
)
def test_wrong_wiring_is_refused(layers, message):
    assert refusal(layers) == message


def test_a_flatten_is_put_in_only_where_a_map_arrives():
    flat = [Dense(4), Dropout(), BatchNorm(), Dense(4), Add(inputs=["dense1", "dense4"]), Dense(3), Output(2)]
    assert [name for name in names(flat) if name.endswith("flatten")] == ["dense1.flatten"]
    assert not any(name.endswith(".flatten") for name in names([Flatten(), Dense(3), Residual([Dense(3)]), Dense(3)]))
    assert not any(name.endswith(".flatten") for name in names([GlobalAvgPool2D(), Activation("relu"), Output(2)]))
    assert "dense3.flatten" in names([Conv2D(4), Residual([Conv2D(4, padding="same")]), Dense(3)])


def test_n_outputs_fills_an_open_output_only():
    assert Graph.from_layers([Output()]).at((3,)).output_shape == (None,)
    assert Graph.from_layers([Output()], n_outputs=7).at((3,)).output_shape == (7,)
    assert Graph.from_layers([Output(4)], n_outputs=7).at((3,)).output_shape == (4,)
    assert Graph.from_layers([Dense(4)], n_outputs=7).at((3,)).output_shape == (4,)


# The shape of the images.


def test_the_shape_is_declared_or_given():
    assert Graph.from_layers([Input((1, 9, 8)), MaxPool2D()]).at().output_shape == (1, 4, 4)
    assert Graph.from_layers([Input((1, 9, 8)), MaxPool2D()]).at([1, 9, 8]).output_shape == (1, 4, 4)
    assert Graph.from_layers([MaxPool2D()]).at((1, 9, 8)).input_shape == (1, 9, 8)


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            [Dense(3)],
            None,
            "layer 'input0': the shape of the images is not known. Give input_shape=(channels, height, width), or "
            "--input CxHxW.",
        ),
        (
            [Input((1, 9, 8), name="images"), Dense(3)],
            (1, 8, 9),
            "layer 'images' declares images of 1x9x8 but input_shape is 1x8x9. Give one of them, or make both equal.",
        ),
        (
            [Input((1, 9, 8), name="images"), Conv2D(3)],
            (5, 1, 9, 8),
            "layer 'images' declares images of 1x9x8 but input_shape is 5x1x9x8. Leave the batch out.",
        ),
        (
            [Dense(3)],
            7,
            "input_shape is 7 but must be whole numbers of 1 or more: (channels, height, width) or (features,).",
        ),
        (
            [Dense(3)],
            (1, 0, 9),
            "input_shape is (1, 0, 9) but must be whole numbers of 1 or more: "
            "(channels, height, width) or (features,).",
        ),
        (
            [Dense(3)],
            (),
            "input_shape is () but must be whole numbers of 1 or more: (channels, height, width) or (features,).",
        ),
    ],
)
def test_a_wrong_shape_is_refused(layers, shape, message):
    assert refusal(layers, shape) == message


# Sizes of whole networks.


def test_the_chain_of_a_tutorial():
    # 27 convolutions and four pools shrink 400 px to one.
    stages = [
        [398, 396, 394, 392, 390, 195],
        [193, 191, 189, 187, 185, 92],
        [90, 88, 86, 84, 82, 41],
        [39, 37, 35, 33, 31, 15],
        [13, 11, 9, 7, 5, 3, 1],
    ]
    layers = [
        MaxPool2D() if place == 5 else Conv2D(4, activation=None)
        for stage in stages
        for place in (range(6) if stage is not stages[-1] else [0] * 7)
    ]
    sized = Graph.from_layers(layers).at((3, 400, 400))
    assert [node.output_shape[1] for node in sized.nodes[1:]] == [side for stage in stages for side in stage]
    assert sum(isinstance(layer, Conv2D) for layer in layers) == 27


def test_two_hundred_convolutions_shrink_401_px_to_one():
    graph = Graph.from_layers([Conv2D(1)] * 200)
    assert graph.at((1, 401, 401)).output_shape == (1, 1, 1)
    with pytest.raises(SizeError, match=r"^layer 'conv2d200': a 3x3 kernel does not fit into its 2x2 input\."):
        graph.at((1, 400, 400))


def test_too_much_pooling_without_padding():
    stages = [layer for width in (32, 32, 64, 64) for layer in (Conv2D(width), Conv2D(width), MaxPool2D())]
    layers = [*stages, Dense(64), Dropout(), Dense(64), Output(10)]
    assert refusal(layers, (1, 28, 28)) == (
        "layer 'conv2d8': a 3x3 kernel does not fit into its 2x2 input. "
        "Remove a pooling layer before it, add padding, or use images of 76 px or more."
    )
    assert Graph.from_layers(layers).at((1, 76, 76)).output_shape == (10,)


def test_the_hinted_size_is_true_and_the_least():
    hints = 0
    for seed in range(60):
        rng = Random(seed)
        layers, (channels, *_) = random_layers(rng, residual=False, wired=False)
        graph = Graph.from_layers([Dropout(), *(layer for layer in layers if not isinstance(layer, Input))])
        try:
            graph.at(shape := (channels, rng.randint(1, 6), rng.randint(1, 6)))
        except SizeError as problem:
            if are_channels_last(shape):
                continue
            hint = re.search(r"or use images of (\d+)(?:x(\d+))? px or more\.$", str(problem))
            assert hint, (seed, problem)
            height, width = int(hint[1]), int(hint[2] or hint[1])
            graph.at((channels, height, width))
            for less in ((height - 1, width), (height, width - 1)):
                if min(less):
                    with pytest.raises(SizeError):
                        graph.at((channels, *less))
            hints += 1
    assert hints >= 20


def test_no_size_is_hinted_where_none_helps():
    assert refusal([Conv2D(8, name="a"), Conv2D(8, (1, 20_000))], (1, 28, 28)) == (
        "layer 'conv2d2': a 1x20000 kernel does not fit into its 26x26 input. Add padding."
    )


def test_numbers_in_another_order_or_too_few_of_them_are_guessed():
    layers = [Conv2D(8), MaxPool2D(), Conv2D(8)]
    assert refusal(layers, (28, 28, 1)) == (
        "layer 'conv2d1': a 3x3 kernel does not fit into its 28x1 input. "
        "If its last number counts channels, put it first: 1x28x28."
    )
    assert refusal([Input((28, 28, 3)), *layers], None).endswith("put it first: 3x28x28.")
    assert refusal(layers, (28, 28)) == (
        "layer 'conv2d1': needs a map with height and width but gets 28x28. "
        "If these are height and width, put the channels first: write 1x28x28."
    )


# What to write as the shortcut.


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            [Conv2D(16, padding="same")],
            "maps of 16x10x12 and 8x10x12 cannot be added: their shapes differ. Make them equal. "
            "Write the block with shortcut=Conv2D(16, 1, activation=None).",
        ),
        (
            [Conv2D(16, padding="same", stride=2), Conv2D(8, padding="same")],
            "maps of 8x5x6 and 8x10x12 cannot be added: their shapes differ. Make them equal. "
            "Write the block with shortcut=Conv2D(8, 1, stride=2, activation=None).",
        ),
        (
            [Conv2D(8, padding="same", stride=(3, 1))],
            "maps of 8x4x12 and 8x10x12 cannot be added: their shapes differ. Make them equal. "
            "Write the block with shortcut=Conv2D(8, 1, stride=(3, 1), activation=None).",
        ),
        (
            [Conv2D(8)],
            "maps of 8x8x10 and 8x10x12 cannot be added: their shapes differ. Make them equal. "
            "Let the block keep its size, or give it a shortcut that ends in 8x8x10.",
        ),
        (
            [GlobalAvgPool2D(), Dense(4)],
            "maps of 4 and 8x10x12 cannot be added: their shapes differ. Make them equal. "
            "Let the block keep its size, or give it a shortcut that ends in 4.",
        ),
    ],
)
def test_a_block_that_changes_the_shape_says_which_shortcut(block, message):
    assert refusal([Residual(block)], (8, 10, 12)) == f"layer 'residual1': {message}"


def test_a_flat_block_is_told_a_dense_shortcut():
    assert refusal([Residual([Dense(4)])], (8,)) == (
        "layer 'residual1': maps of 4 and 8 cannot be added: their shapes differ. Make them equal. "
        "Write the block with shortcut=Dense(4, activation=None)."
    )


def test_a_told_shortcut_works():
    told = set()
    for seed in range(200):
        layers, shape = random_layers(Random(seed), depth=seed % 3 + 1, wired=False)
        block = [layer for layer in layers if not isinstance(layer, (Input, Output))] or [Dense(3)]
        try:
            Graph.from_layers([Residual(block)]).at(shape)
        except SizeError as problem:
            shortcut = re.search(r"Write the block with shortcut=(.*)\.$", str(problem))
            if shortcut:
                told.add(shortcut[1])
                Graph.from_layers([Residual(block, eval(shortcut[1], CLASSES))]).at(shape)
    assert len(told) >= 10, told


def test_maps_that_cannot_be_joined():
    pair = [Conv2D(8, 1), Conv2D(4, 3), Concat(inputs=["conv2d1", "conv2d2"])]
    assert refusal(pair, (1, 9, 9)) == (
        "layer 'concat3': maps of 8x9x9 and 4x7x7 cannot be joined: their sizes differ. Make them equal."
    )


# Edits.


def test_an_edit_changes_one_attribute_of_a_copy():
    graph = Graph.from_layers([Conv2D(8), MaxPool2D(), Output()])
    edited = graph.edit([Edit("conv2d1", "padding", "same"), Edit("output3", "out_features", 5)])
    assert edited.at((1, 8, 8)).nodes[1].output_shape == (8, 8, 8)
    assert edited.at((1, 8, 8)).output_shape == (5,)
    assert graph.at((1, 8, 8)).nodes[1].output_shape == (8, 6, 6)
    assert graph.edit([]) == graph


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("conv2d", "padding", 1), "no node is called 'conv2d'. Did you mean 'conv2d1'?"),
        (
            Edit("maxpool2d2", "pad", 1),
            "node 'maxpool2d2' has no attribute 'pad'. It has: kernel_size, stride, padding, dilation, "
            "function, ceil_mode, count_include_pad.",
        ),
    ],
)
def test_a_wrong_edit_is_refused(edit, message):
    with pytest.raises(GraphError) as caught:
        Graph.from_layers([Conv2D(8), MaxPool2D()]).edit([edit])
    assert str(caught.value) == message
