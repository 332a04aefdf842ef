"""Layers by every name, images that do not fit, and the network left as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from depthwise.errors import DataError, TargetError
from depthwise.graph import Graph
from depthwise.inspection import compute_cam, compute_saliency, occlude, read_activations
from depthwise.layers import Conv2D, Dense, Dropout, MaxPool2D, Output, Residual
from depthwise.modules import build

LOOKS = {
    "activations": read_activations,
    "occlusion": lambda net, images: occlude(net, images, square=3),
    "gradient": compute_saliency,
    "smoothgrad": lambda net, images: compute_saliency(net, images, method="smoothgrad", samples=3),
    "integrated": lambda net, images: compute_saliency(net, images, method="integrated_gradients", steps=3),
    "cam": compute_cam,
}


def state_of(net):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]
    hooks = [len(hooks) for part in net.modules() for hooks in (part._forward_hooks, part._backward_hooks)]
    values = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = [None if value.grad is None else value.grad.clone() for value in net.parameters()]
    flags = [(part.training, [value.requires_grad for value in part.parameters()]) for part in net.modules()]
    return {"random": (torch_state, numpy_state), "hooks": hooks, "values": values, "grad": gradients, "flags": flags}


def assert_same(before, after):
    assert torch.equal(before["random"][0], after["random"][0])
    assert np.array_equal(before["random"][1], after["random"][1])
    assert before["hooks"] == after["hooks"] and before["flags"] == after["flags"]
    assert all(torch.equal(value, after["values"][name]) for name, value in before["values"].items())
    for one, other in zip(before["grad"], after["grad"], strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


class Noisy(nn.Module):
    """Counts its calls in a buffer, and draws random numbers in every mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x + 1e-3 * torch.randn_like(x)


@pytest.fixture
def used():
    """A network in the middle of training: mixed modes, gradients, a frozen layer, a hook of its owner."""
    net = nn.Sequential(
        nn.ReLU(inplace=True), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), Noisy(), nn.Dropout(),
        nn.Flatten(), nn.Linear(4 * 36, 3),
    )  # fmt: skip
    net(torch.rand(4, 1, 8, 8)).sum().backward()
    net[2].eval()
    net[7].bias.requires_grad_(False)
    net[1].register_forward_hook(lambda part, inputs, output: None)
    return net


@pytest.mark.parametrize("look", LOOKS)
def test_everything_is_as_before(look, used):
    images = torch.rand(2, 1, 8, 8)
    before, kept = state_of(used), images.clone()
    LOOKS[look](used, images)
    assert_same(before, state_of(used))
    assert torch.equal(images, kept) and images.grad is None


@pytest.mark.parametrize("look", LOOKS)
def test_everything_is_as_before_after_an_error(look, used):
    images = torch.rand(2, 3, 8, 8)
    before = state_of(used)
    with pytest.raises(DataError):
        LOOKS[look](used, images)
    assert_same(before, state_of(used))


@pytest.mark.parametrize("look", LOOKS)
def test_callers_without_gradients_get_the_same(look, case):
    net, images, _ = case
    inside = LOOKS[look](net, images)
    with torch.no_grad():
        outside = LOOKS[look](net, images)
    for name in ("values", "scores", "maps"):
        if hasattr(inside, name):
            assert np.array_equal(getattr(inside, name), getattr(outside, name))


@pytest.mark.parametrize("look", LOOKS)
def test_images_that_do_not_fit_are_told(look):
    net = build(Graph.from_layers([Conv2D(2), Output(3)]).at((1, 8, 8)))
    for images, message in (
        (np.zeros((2, 1, 9, 8)), "images: are 1x9x8 but the network is made for 1x8x8. Resize them."),
        (
            np.zeros((2, 3, 8, 8)),
            "images: are 3x8x8 but the network is made for 1x8x8. Convert them to grey (1 channel).",
        ),
        (np.zeros((0, 1, 8, 8)), "images: there are none to look at. Give at least one."),
        (np.full((1, 1, 8, 8), np.nan), "images: some values are NaN or infinite. Remove or fill them."),
        (np.zeros((8, 8)), "images: have 2 axes, 8x8, but must be of shape (n_images, channels, height, width)."),
    ):
        with pytest.raises(DataError) as raised:
            LOOKS[look](net, images)
        assert str(raised.value) == message
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 3))
    with pytest.raises(DataError, match=r"^images: of 1x9x9 do not go through the network \(mat1 and mat2 .*\)\. Give"):
        LOOKS[look](module, np.zeros((1, 1, 9, 9)))
    with pytest.raises(TargetError, match=r"^'net' is no torch module\. Give the module_"):
        LOOKS[look]("net", np.zeros((1, 1, 9, 9)))


NOT_ALIKE = (
    "images: make no array (setting an array element with a sequence. The requested array has an inhomogeneous shape "
    "after 3 dimensions. The detected shape was (2, 1, 1) + inhomogeneous part). Give one array, or rows of one shape."
)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.array([[[["a"]]]]), "images: hold values of type <U1, no numbers. Give their pixels."),
        (np.array([[[[None]]]]), "images: hold values of type object, no numbers. Give their pixels."),
        (np.ones((1, 1, 8, 8), complex), "images: hold complex numbers. Give real ones, such as their magnitude."),
        (torch.ones(1, 1, 8, 8) * 1j, "images: hold complex numbers. Give real ones, such as their magnitude."),
        ([[[[1, 2]]], [[[1]]]], NOT_ALIKE),
    ],
)
@pytest.mark.parametrize("look", LOOKS)
def test_images_that_are_no_numbers_are_told(look, images, message):
    with pytest.raises(DataError) as raised:
        LOOKS[look](nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3)), images)
    assert str(raised.value) == message


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", ">u4", "<f8", "u2", "f2", "g", "?"])
def test_numbers_of_any_type_and_byte_order_are_read(kind):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    images = np.arange(128).reshape(2, 1, 8, 8) % 2
    for look in (read_activations, compute_saliency):
        found, plain = look(net, images.astype(kind)), look(net, images.astype(np.float32))
        assert np.array_equal(found.images, plain.images) and np.array_equal(found.values, plain.values)


def test_targets_that_make_no_array_are_told():
    with pytest.raises(DataError, match=r"^targets: make no array \("):
        compute_saliency(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), np.zeros((2, 1, 8, 8)), [[0], [1, 2]])


def test_a_network_without_classes_is_told():
    with pytest.raises(TargetError) as raised:
        compute_saliency(nn.Conv2d(1, 2, 3), torch.rand(1, 1, 8, 8))
    assert str(raised.value) == ("the network gives 2x6x6 for an image, but one value a class is needed to explain it.")


@pytest.fixture
def built():
    layers = [
        Conv2D(4, norm="batch"), Residual([Conv2D(4, padding=1), Conv2D(4, padding=1, activation=None)]), MaxPool2D(),
        Dropout(), Dense(6), Output(3),
    ]  # fmt: skip
    return build(Graph.from_layers(layers).at((2, 9, 11))).eval()


@pytest.mark.parametrize("layer", ["conv2d1", 1, -6, None])
def test_a_declared_layer_gives_what_stands_behind_its_activation(built, layer):
    images = torch.randn(2, 2, 9, 11)
    record = {}
    built(images, record)
    found = read_activations(built, images, layer)
    assert found.layer == "conv2d1"
    assert np.array_equal(found.values, record["conv2d1.activation"].detach().numpy())


def test_layers_by_path_and_by_module(built):
    images = torch.randn(5, 2, 9, 11)
    record = {}
    built(images, record)
    for layer, node in (
        ("conv2d1.norm", "conv2d1.norm"), (built.conv2d1, "conv2d1"), ("residual2", "residual2.activation"),
        ("residual2.conv2d0", "residual2.conv2d0.activation"), ("dense5", "dense5.activation"), (0, "input0"),
    ):  # fmt: skip
        found = read_activations(built, images, layer, max_bytes=1)
        np.testing.assert_allclose(found.values, record[node].detach().numpy(), atol=1e-5)
    assert read_activations(built, images, built).values.shape == (5, 3)


def test_values_are_those_before_a_relu_that_works_in_place():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    images = torch.randn(1, 1, 8, 8)
    assert read_activations(net, images, "0").values.min() < 0 == read_activations(net, images, "1").values.min()


@pytest.mark.parametrize("look", [read_activations, lambda net, images, layer: compute_cam(net, images, layer=layer)])
def test_a_layer_that_is_not_there_is_told_with_the_closest(built, look):
    names = "There are: input0, conv2d1, residual2, maxpool2d3, dropout4, dense5"
    for layer, message in (
        ("conv2d9", f"there is no layer 'conv2d9'. Did you mean 'conv2d1'? {names}, output6."),
        (11, f"there is no layer 11: the network has 7. {names}, output6."),
        (nn.ReLU(), "the ReLU is no part of the network. Give one of its own layers."),
    ):  # fmt: skip
        with pytest.raises(TargetError) as raised:
            look(built, np.zeros((1, 2, 9, 11)), layer)
        assert str(raised.value) == message


def test_a_layer_that_does_not_run_is_told():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    net[0].spare = nn.Conv2d(1, 1, 1)
    for look in (read_activations, lambda net, images, layer: compute_cam(net, images, layer=layer)):
        with pytest.raises(TargetError, match=r"^layer '0.spare': does not run when images go through the network\."):
            look(net, torch.zeros(1, 1, 6, 6), "0.spare")
