"""The module does what its graph says: shapes, counts, values, first weights."""

import copy
import math
import pickle
import weakref
from random import Random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from strategies import layer_lists, random_layers
from torch import nn

from depthwise.errors import GraphError
from depthwise.graph import Edit, Graph, Node
from depthwise.layers import (
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
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    LeakyReLU,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
    SpatialDropout2D,
    Upsample2D,
    ZeroPad2D,
)
from depthwise.layers.ops import Merge
from depthwise.modules import Network, build, initialize_weights

torch.set_num_threads(1)


def network_of(*layers, shape=(3, 9, 8)) -> Network:
    return build(Graph.from_layers(layers).at(shape)).eval()


def images_of(*shape) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def check_agreement(layers, shape):
    """The module's shapes and numbers of values are those that the graph derives."""
    sized = Graph.from_layers(layers).at(shape)
    network = build(sized)
    record: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        network.eval()(images_of(2, *shape), record)
    assert {name: tuple(value.shape) for name, value in record.items()} == {
        node.name: (2, *node.output_shape) for node in sized.nodes
    }
    assert sum(p.numel() for p in network.parameters()) == sum(node.op.params for node in sized.nodes)
    own = {sized.nodes[0].name + ".mean", sized.nodes[0].name + ".std"}
    kept = {name: b for name, b in network.named_buffers() if name not in own and "num_batches" not in name}
    assert sum(b.numel() for b in kept.values()) == sum(node.op.buffers for node in sized.nodes)


@given(layer_lists())
@settings(max_examples=20)
def test_every_node_gives_the_shape_and_holds_the_values_that_the_graph_tells(drawn):
    check_agreement(*drawn)


@pytest.mark.parametrize("hundred", [0, *(pytest.param(more, marks=pytest.mark.slow) for more in (1, 2, 3))])
def test_that_holds_for_the_lists_that_reach_every_layer_and_depth(hundred):
    # tests/layers counts these very lists: every kind 20 times or more, depth 1 to 20, branches in every third.
    for seed in range(100 * hundred, 100 * hundred + 100):
        check_agreement(*random_layers(Random(seed)))


@given(layer_lists())
@settings(max_examples=20)
def test_any_network_can_be_trained_and_initialized(drawn):
    layers, shape = drawn
    network = build(Graph.from_layers(layers).at(shape)).train()
    initialize_weights(network, "he", seed=1)
    output = network(images_of(3, *shape))
    if output.requires_grad:
        output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("kernel", [2, 3, 4, (2, 5)])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_same_convolution_is_explicit_padding_and_a_valid_one(kernel, stride, dilation):
    network = network_of(Conv2D(4, kernel, stride=stride, dilation=dilation, padding="same", activation=None))
    node = network.sized.nodes[1]
    (top, bottom), (left, right) = node.op.sides
    images = images_of(2, 3, 9, 8)
    conv = network.conv2d1
    padded = F.pad(images, (left, right, top, bottom))
    expected = F.conv2d(padded, conv.weight, conv.bias, stride=stride, dilation=dilation)
    torch.testing.assert_close(network(images), expected)
    assert bottom - top in (0, 1) and right - left in (0, 1)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 1), (2, 2), (3, 2), (4, 3), ((3, 2), (2, 1))])
def test_a_same_maximum_never_takes_the_padding(kernel, stride):
    images = images_of(2, 3, 9, 8) - 10  # zeros would win everywhere
    network = network_of(MaxPool2D(kernel, stride, padding="same"))
    (top, bottom), (left, right) = network.sized.nodes[1].op.sides
    padded = F.pad(images, (left, right, top, bottom), value=-math.inf)
    torch.testing.assert_close(network(images), F.max_pool2d(padded, kernel, stride))


@pytest.mark.parametrize("padding", ["same", "valid", 1])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 3), ((3, 2), 2)])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_a_mean_is_that_of_the_real_values(kernel, stride, padding, ceil_mode):
    network = network_of(AvgPool2D(kernel, stride, padding=padding, ceil_mode=ceil_mode))
    images = images_of(2, 3, 9, 8)
    got = network(images)
    op = network.sized.nodes[1].op
    for y in range(got.shape[2]):
        for x in range(got.shape[3]):
            starts = [place * s - side[0] for place, s, side in zip((y, x), op.stride, op.sides, strict=True)]
            rows, columns = (slice(max(a, 0), a + k) for a, k in zip(starts, op.kernel_size, strict=True))
            torch.testing.assert_close(got[:, :, y, x], images[:, :, rows, columns].mean((2, 3)))


@pytest.mark.parametrize("stride", [1, 2, 3, (2, 1)])
@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_a_same_transposed_convolution_is_the_full_one_cut_to_size(kernel, stride):
    network = network_of(Conv2DTranspose(4, kernel, stride=stride, padding="same", activation=None), shape=(3, 5, 6))
    node, conv = network.sized.nodes[1], network.conv2dtranspose1
    images = images_of(2, 3, 5, 6)
    full = F.conv_transpose2d(images, conv.weight, conv.bias, stride=stride, output_padding=node.op.output_padding)
    (top, _), (left, _) = node.op.sides
    _, height, width = node.output_shape
    got = network(images)
    torch.testing.assert_close(got, full[:, :, top : top + height, left : left + width])
    assert got.shape[2:] == tuple(n * s for n, s in zip((5, 6), node.op.stride, strict=True))


def test_pools_with_a_partial_last_window_have_the_size_of_the_graph():
    for kind in (MaxPool2D, AvgPool2D):
        for kernel, stride, padding in ((2, 2, "valid"), (3, 2, 1), (2, 3, "valid"), (3, 2, "same"), (2, 2, 1)):
            network = network_of(kind(kernel, stride, padding=padding, ceil_mode=True))
            assert tuple(network(images_of(1, 3, 9, 8)).shape[1:]) == network.sized.output_shape
        uneven = Edit(f"{kind.__name__.lower()}1", "padding", ((0, 1), (1, 0)))
        sized = Graph.from_layers([kind(3, 2, ceil_mode=True)]).edit([uneven]).at((3, 9, 8))
        assert sized.output_shape == (3, 5, 4)
        assert build(sized)(images_of(1, 3, 9, 8)).shape == (1, 3, 5, 4)


def test_branches_read_what_they_name():
    network = network_of(
        Conv2D(4, padding="same", name="a"),
        Conv2D(4, padding="same", name="b", inputs="a"),
        Conv2D(4, padding="same", name="c", inputs="a"),
        Add(name="sum", inputs=("b", "c")),
        Concat(inputs=("a", "sum")),
    )
    images = images_of(2, 3, 9, 8)
    a = F.relu(network.a(images))
    b, c = F.relu(network.b(a)), F.relu(network.c(a))
    torch.testing.assert_close(network(images), torch.cat([a, b + c], 1))


def test_a_residual_block_adds_its_shortcut():
    block = Residual([Conv2D(5, stride=2, padding="same", activation=None)], Conv2D(5, 1, stride=2, activation=None))
    network = network_of(block)
    images = images_of(2, 3, 9, 8)
    inside = network.residual1
    torch.testing.assert_close(network(images), F.relu(inside.conv2d0(images) + inside.shortcut.conv2d0(images)))
    assert [name for name, _ in network.named_parameters()] == [
        "residual1.conv2d0.weight",
        "residual1.conv2d0.bias",
        "residual1.shortcut.conv2d0.weight",
        "residual1.shortcut.conv2d0.bias",
    ]


def test_weights_are_called_after_their_layer_and_role():
    network = network_of(Conv2D(4, norm="batch"), SeparableConv2D(6), BatchNorm(), Dense(5), Output(2))
    assert list(network.state_dict()) == [
        "input0.mean", "input0.std",
        "conv2d1.weight", "conv2d1.bias", "conv2d1.norm.weight", "conv2d1.norm.bias",
        "conv2d1.norm.running_mean", "conv2d1.norm.running_var", "conv2d1.norm.num_batches_tracked",
        "separableconv2d2.depthwise.weight", "separableconv2d2.pointwise.weight", "separableconv2d2.pointwise.bias",
        "batchnorm3.weight", "batchnorm3.bias", "batchnorm3.running_mean", "batchnorm3.running_var",
        "batchnorm3.num_batches_tracked",
        "dense4.weight", "dense4.bias", "output5.weight", "output5.bias",
    ]  # fmt: skip


def test_pointwise_layers_do_what_they_are_called():
    network = network_of(
        LeakyReLU(0.3), ZeroPad2D(((1, 0), (0, 2))), Upsample2D(2), GlobalMaxPool2D(), Activation("tanh")
    )
    images = images_of(2, 3, 9, 8)
    expected = F.pad(F.leaky_relu(images, 0.3), (0, 2, 1, 0)).amax((2, 3)).tanh()
    torch.testing.assert_close(network(images), expected)
    pooled = network_of(GlobalAvgPool2D(), Activation("softmax"))(images)
    torch.testing.assert_close(pooled, images.mean((2, 3)).softmax(1))


def test_dropout_works_while_training_only_and_on_whole_channels_where_asked():
    images = torch.ones(4, 3, 9, 8)
    single, spatial = network_of(Dropout()), network_of(SpatialDropout2D())
    assert torch.equal(single(images), images)
    assert set(single.train()(images).unique().tolist()) == {0.0, 2.0}
    per_channel = spatial.train()(images).flatten(2)
    assert torch.equal(per_channel.amax(2), per_channel.amin(2))


def test_the_input_standardizes_and_takes_bytes():
    network = network_of(Activation("relu"), shape=(2, 4, 4))
    pixels = torch.arange(32, dtype=torch.uint8).reshape(1, 2, 4, 4)
    record: dict[str, torch.Tensor] = {}
    network(pixels, record)
    assert torch.equal(record["input0"], pixels.float())
    network.input.set(torch.tensor([8.0, 24.0]), torch.tensor([2.0, 4.0]))
    network(pixels, record)
    torch.testing.assert_close(record["input0"][0, 1], (pixels[0, 1].float() - 24) / 4)
    flat = build(Graph.from_layers([Activation("relu")]).at((3,)))
    assert flat.input.mean.shape == (3,)


def test_a_replaced_submodule_is_the_one_that_runs():
    network = network_of(Conv2D(4), Dense(5, activation=None))
    network.dense2 = nn.Linear(168, 2)
    assert network(images_of(1, 3, 9, 8)).shape == (1, 2)


def test_values_that_nobody_reads_again_are_let_go():
    network = network_of(*[Conv2D(4, padding="same") for _ in range(6)])
    alive: list[weakref.ref] = []
    most = 0

    def watch(module, inputs, output):
        nonlocal most
        alive.append(weakref.ref(output))
        most = max(most, sum(reference() is not None for reference in alive))

    for module in network.modules():
        if module is not network:
            module.register_forward_hook(watch)
    with torch.inference_mode():
        network(images_of(1, 3, 9, 8))
    assert len(alive) == 13 and most == 2


def test_copies_and_pickles_are_independent_networks():
    network = network_of(Conv2D(4, norm="batch"), Output(2))
    images = images_of(1, 3, 9, 8)
    before = network(images)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(images), before)
        nn.init.zeros_(other.output2.weight)
        nn.init.zeros_(other.output2.bias)
        assert not other(images).any() and torch.equal(network(images), before)


def test_building_leaves_the_random_state_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for init in ("he", "glorot", "torch"):
        initialize_weights(network_of(Conv2D(4), Output(2)), init, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_he_weights_fit_the_activation_behind_them():
    network = network_of(
        Conv2D(64, activation=None, norm="batch"),
        Activation("relu"),
        DepthwiseConv2D(activation="tanh", multiplier=4),
        Conv2DTranspose(64, 4, stride=2, activation="leaky_relu"),
        Dense(400),
        Dense(300, activation=None),
    )
    initialize_weights(network, "he", seed=0)

    def std_of(name):
        weight = network.get_submodule(name).weight
        assert abs(weight.mean().item()) < 4 * weight.std().item() / math.sqrt(weight.numel())
        return weight.std().item()

    relative = {"rel": 0.05}
    assert std_of("conv2d1") == pytest.approx(math.sqrt(2 / 27), **relative)
    assert std_of("depthwiseconv2d3") == pytest.approx(5 / 3 / 3, **relative)
    # A transposed convolution of stride 2 reads a quarter of its 16 taps at each place.
    assert std_of("conv2dtranspose4") == pytest.approx(math.sqrt(2 / (1 + 0.01**2) / (256 * 16 / 4)), **relative)
    assert std_of("dense5") == pytest.approx(math.sqrt(2 / network.dense5.in_features), **relative)
    assert std_of("dense6") == pytest.approx(math.sqrt(2 / (400 + 300)), **relative)
    assert not any(p.any() for name, p in network.named_parameters() if name.endswith("bias") and "norm" not in name)


def test_glorot_weights_are_uniform_and_torch_ones_are_pytorchs():
    network = network_of(Dense(200), shape=(300,))
    initialize_weights(network, "glorot", seed=0)
    assert network.dense1.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 500), rel=0.01)
    initialize_weights(network, "torch", seed=5)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = nn.Linear(300, 200)
    assert torch.equal(network.dense1.weight, expected.weight) and torch.equal(network.dense1.bias, expected.bias)


def test_equal_seeds_give_equal_weights():
    networks = [network_of(Conv2D(4), Output(2)) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialize_weights(network, "he", seed)
    first, second, third = (network.conv2d1.weight for network in networks)
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_he_weights_carry_a_signal_through_eight_convolutions_and_pytorchs_do_not():
    # The first network of the nolearn tutorial, thinner; with PyTorch's weights its loss stays at ln 10.
    layers = [Conv2D(48, 5), *[Conv2D(48)] * 4, MaxPool2D(), *[Conv2D(64)] * 3, MaxPool2D(), Dense(64), Output(10)]
    spread = {}
    for init in ("he", "torch"):
        network = network_of(*layers, shape=(1, 28, 28))
        initialize_weights(network, init, seed=0)
        with torch.no_grad():
            spread[init] = network(images_of(8, 1, 28, 28)).std(0).mean().item()
    assert spread["he"] > 0.1 and spread["torch"] < 0.01


def test_what_cannot_be_built_is_told():
    with pytest.raises(GraphError, match=r"layer 'output1': its width is not known\. Write Output\(n\), or let fit"):
        network_of(Output())
    with pytest.raises(GraphError, match=r"layer 'train': PyTorch modules have an attribute 'train'\. Choose another"):
        network_of(Conv2D(4, name="train"))
    graph = Graph.from_layers([Conv2D(4, padding="same"), Conv2D(4, padding="same")])
    product = Node("gate", Merge(function="mul"), ("conv2d1.activation", "conv2d2.activation"), "gate", "mul")
    with pytest.raises(GraphError, match="layer 'gate': there is no module for the operation Merge"):
        build(Graph((*graph.nodes, product)).at((3, 9, 8)))
    one_d = graph.edit([Edit("conv2d1", "kernel_size", (3,)), Edit("conv2d1", "padding", ((1, 1),))])
    one_d = one_d.edit([Edit("conv2d1", "stride", (1,)), Edit("conv2d1", "dilation", (1,))])
    with pytest.raises(GraphError, match="maps with 1 axes cannot be built, only maps with 2"):
        build(Graph(one_d.nodes[:2]).at((3, 9)))
