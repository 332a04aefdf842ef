import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from depthwise.errors import DataError, TargetError
from depthwise.graph import Graph
from depthwise.inspection import measure_statistics
from depthwise.layers import Activation, Conv2D, Dense, Dropout, MaxPool2D, Output, Residual
from depthwise.modules import build

LAYERS = [
    Conv2D(6, norm="batch"),
    Residual([Conv2D(6, padding="same"), Conv2D(6, padding="same", activation=None)]),
    MaxPool2D(),
    Dropout(0.5),
    Dense(5),
    Output(3),
]


@pytest.fixture
def network():
    torch.manual_seed(0)
    module = build(Graph.from_layers(LAYERS).at((2, 10, 8)))
    module.input.set(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0]))
    return module.train()


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(2, 3, (11, 2, 10, 8)).astype(np.float32)


TARGETS = [0, 1, 2] * 3 + [0, 0]


def outputs_and_gradients(module, images, targets):
    """Every node's output and what reaches it, the plain way."""
    module.eval()
    record = {}
    output = module(torch.from_numpy(images), record)
    for value in record.values():
        if value.requires_grad:
            value.retain_grad()
    F.cross_entropy(output, torch.tensor(targets), reduction="sum").backward()
    module.zero_grad(set_to_none=True)
    return record


def test_numbers_are_those_of_all_outputs_at_once(network, images):
    found = measure_statistics(network, images, TARGETS, max_bytes=10_000)
    names = {
        "conv2d1": "conv2d1.activation",
        "residual2.conv2d0": "residual2.conv2d0.activation",
        "residual2.conv2d1": "residual2.conv2d1",
        "residual2": "residual2.activation",
        "dense5": "dense5.activation",
        "output6": "output6",
    }
    assert [layer.layer for layer in found.layers] == list(names) and found.n_images == 11
    record = outputs_and_gradients(network, images, TARGETS)
    for layer, node in names.items():
        values, gradient = record[node].detach(), record[node].grad
        each = values.transpose(0, 1).reshape(values.shape[1], -1)
        assert found[layer].mean == pytest.approx(float(values.mean()), rel=1e-4, abs=1e-6)
        assert found[layer].std == pytest.approx(float(values.std(correction=0)), rel=1e-4)
        assert found[layer].active == pytest.approx((each > 0).float().mean(1).numpy(), rel=1e-5)
        assert found[layer].scale == pytest.approx(each.abs().mean(1).numpy(), rel=1e-4)
        assert found[layer].gradient == pytest.approx(float(gradient.square().mean().sqrt()), rel=1e-4)
    assert found["residual2.conv2d1"].dead is None and found["residual2"].dead is not None


def test_targets_in_another_order_give_other_gradients(network, images):
    right = measure_statistics(network, images, TARGETS)
    wrong = measure_statistics(network, images, TARGETS[::-1])
    assert right["conv2d1"].gradient != pytest.approx(wrong["conv2d1"].gradient, rel=1e-3)
    assert measure_statistics(network, images)["conv2d1"].gradient is None


def test_the_network_is_left_as_it_was(network, images):
    network.conv2d1.weight.grad = torch.ones_like(network.conv2d1.weight)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    measure_statistics(network, images, TARGETS)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(part.training for part in network.modules()) and torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network.conv2d1.weight.grad, torch.ones_like(network.conv2d1.weight))
    assert network.output6.weight.grad is None
    assert not any(part._forward_hooks or part._backward_hooks for part in network.modules())


def planted(activation):
    """Four channels: never on, hardly ever on, and two that are."""
    net = nn.Sequential(nn.Conv2d(1, 4, 1), activation, nn.Flatten(), nn.Linear(64, 2))
    with torch.no_grad():
        net[0].weight[:] = 1.0
        net[0].bias[:] = torch.tensor([-9.0, -0.95, 1.0, 1.0])
    return net, torch.linspace(0, 1, 5).view(5, 1, 1, 1).expand(5, 1, 4, 4).clone()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True)])
def test_dead_and_nearly_dead_units_are_found(activation):
    net, images = planted(activation)
    found = measure_statistics(net, images, [0, 1, 0, 1, 0])
    assert found["1"].dead == (0,) and found["1"].nearly_dead == (1,) and found["1"].dead_share == 0.25
    assert found["0"].dead is None and found["0"].nearly_dead is None and found["0"].dead_share is None
    with torch.no_grad():
        net[0].weight *= 100
        net[0].bias *= 100
    assert measure_statistics(net, images)["1"].nearly_dead == (1,)  # by the scale of the layer
    # On an image that wakes it, the unit is not dead.
    assert measure_statistics(net, images * 20)["1"].dead == ()


def test_only_rectified_units_can_be_dead():
    net, images = planted(nn.LeakyReLU())
    assert measure_statistics(net, images)["1"].dead is None


def test_an_activation_that_runs_twice_is_two_layers():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.relu = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True)

        def forward(self, images):
            return self.relu(self.second(self.relu(self.first(images)))).mean((2, 3))

    found = measure_statistics(Twice(), torch.rand(4, 1, 5, 5), [0, 1, 0, 1], max_bytes=1)
    units = {layer.layer: len(layer.active) for layer in found.layers}
    assert units == {"first": 3, "relu": 3, "second": 2, "relu#2": 2}
    assert found["first"].gradient is not None


def test_numbers_are_targets_too():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    X, y = torch.rand(3, 1, 2, 2), np.array([1.0, 2.0, 3.0])
    expected = 2 * (net(X)[:, 0] - torch.tensor(y)).detach().numpy()
    assert measure_statistics(net, X, y)["1"].gradient == pytest.approx(np.sqrt(np.mean(expected**2)), rel=1e-5)


def test_it_prints_as_a_table_and_comes_as_json(network, images):
    found = measure_statistics(network, images)
    assert str(found).splitlines()[2].split()[:2] == ["conv2d1", "6"]
    assert found.to_dict()["layers"][0]["units"] == 6 and "<table>" in found._repr_html_()


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (np.zeros((0, 2, 10, 8)), None, "images: there are none to look at. Give at least one."),
        (np.zeros((2, 1, 10, 8)), None, "images: are 1x10x8 but the network is made for 2x10x8. Give them 2 channels."),
        (np.zeros((2, 2, 10, 8)), [0], "targets: there are 1 for 2 images. Give one for each image."),
    ],
)
def test_bad_input_is_told(network, images, targets, message):
    with pytest.raises(DataError) as problem:
        measure_statistics(network, images, targets)
    assert str(problem.value) == message


def test_an_unknown_layer_lists_the_closest(network, images):
    with pytest.raises(TargetError, match=r"there is no layer 'conv2d'. Did you mean 'conv2d1'\? There are: conv2d1, "):
        measure_statistics(network, images)["conv2d"]
    with pytest.raises(TargetError, match="nothing to measure"):
        measure_statistics(nn.Sequential(nn.Flatten()), images)


def test_activation_layers_of_their_own_are_measured():
    module = build(Graph.from_layers([Conv2D(2, activation=None), Activation("relu"), Output(2)]).at((1, 5, 5)))
    found = measure_statistics(module, torch.randn(3, 1, 5, 5))
    assert [layer.layer for layer in found.layers] == ["conv2d1", "activation2", "output3"]
    assert found["conv2d1"].dead is None and found["activation2"].dead is not None


def test_targets_that_are_no_classes_are_told(network, images):
    for targets, message in (
        ([7] * len(images), "targets: there is no class 7, for the network has"),
        ([-100] * len(images), "targets: there is no class -100, for the network has"),
        (["a"] * len(images), "targets: are ['a', 'a'"),
    ):
        with pytest.raises(DataError) as raised:
            measure_statistics(network, images, targets)
        assert str(raised.value).startswith(message)
