"""Saliency and class activation maps."""

import numpy as np
import pytest
import torch
from torch import nn

from depthwise.errors import DataError, TargetError
from depthwise.graph import Graph
from depthwise.inspection import compute_cam, compute_saliency
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.modules import build

METHODS = ["gradient", "smoothgrad", "integrated_gradients"]
CAMS = ["layercam", "gradcam", "gradcam++"]


def test_integrated_gradients_sum_to_what_the_output_moved(case):
    net, images, _ = case
    found = compute_saliency(net, images, method="integrated_gradients", baseline=0.3, steps=300)
    before = net(torch.full_like(images, 0.3)).detach().numpy()
    rows = np.arange(len(images))
    moved = found.outputs[rows, found.targets] - before[rows, found.targets]
    np.testing.assert_allclose(found.values.sum((1, 2, 3)), moved, atol=0.02 * np.abs(moved).max())
    np.testing.assert_allclose(found.maps.sum((1, 2)), found.values.sum((1, 2, 3)), rtol=1e-3, atol=1e-5)


def test_smoothgrad_of_a_linear_network_is_its_gradient_and_of_a_square_is_drawn_by_noise():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    images = torch.rand(2, 1, 3, 4)
    smooth = compute_saliency(linear, images, 1, method="smoothgrad", samples=3)
    np.testing.assert_allclose(smooth.values, compute_saliency(linear, images, 1).values, atol=1e-6)

    class Square(nn.Module):
        def forward(self, x):
            return (x**2).sum((1, 2, 3))[:, None]

    gradient = compute_saliency(Square(), images).values
    many = compute_saliency(Square(), images, method="smoothgrad", samples=3000, noise=0.5).values
    few = compute_saliency(Square(), images, method="smoothgrad", samples=4, noise=0.5).values
    np.testing.assert_allclose(gradient, 2 * images.numpy(), rtol=1e-6)
    assert np.abs(many - gradient).max() < 0.1 < np.abs(few - gradient).max()


@pytest.mark.parametrize("method", METHODS)
def test_batches_change_nothing(case, method):
    net, images, _ = case
    whole = compute_saliency(net, images, method=method, samples=4, steps=5)
    for other in (
        compute_saliency(net, images, method=method, samples=4, steps=5, max_bytes=1),
        compute_saliency(net, images[1:2], method=method, samples=4, steps=5),
    ):
        np.testing.assert_allclose(other.values[-1], whole.values[2 if len(other.values) == 3 else 1], atol=1e-6)


def test_maps_are_the_largest_magnitude_of_the_channels(case):
    net, images, _ = case
    found = compute_saliency(net, images)
    assert np.array_equal(found.maps, np.abs(found.values).max(1)) and not found.signed


@pytest.mark.parametrize("method", CAMS)
def test_cams_by_their_formulas(method):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 4 * 5, 4))
    images = torch.randn(2, 2, 6, 7)
    maps = net[1](net[0](images)).detach().numpy()
    gradients = net[3].weight.detach().numpy()[[3, 1]].reshape(2, 3, 4, 5)  # the head is linear
    if method == "layercam":
        weighted = np.maximum(gradients, 0) * maps
    elif method == "gradcam":
        weighted = gradients.mean((2, 3), keepdims=True) * maps
    else:
        share = gradients**2 / (2 * gradients**2 + gradients**3 * maps.sum((2, 3), keepdims=True))
        weighted = (share * np.maximum(gradients, 0)).sum((2, 3), keepdims=True) * maps
    found = compute_cam(net, images, [3, 1], layer="1", method=method)
    np.testing.assert_allclose(found.layer_maps, np.maximum(weighted.sum(1), 0), rtol=1e-4, atol=1e-6)


def test_values_stand_at_the_centers_of_what_their_units_see():
    net = nn.Sequential(nn.Conv2d(1, 1, 5, stride=2), nn.Flatten(), nn.Linear(4 * 6, 2))
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].weight[0, 0, 2, 2] = 1.0
        net[0].bias.zero_()
        net[2].weight.fill_(1.0)
    image = torch.zeros(1, 1, 11, 15)
    image[0, 0, 4, 8] = 1.0  # the center of unit (1, 3): 2 + 2 * 1 rows, 2 + 2 * 3 columns
    found = compute_cam(net, image, 0, layer="0")
    assert np.argwhere(found.layer_maps[0]).tolist() == [[1, 3]]
    assert np.unravel_index(found.maps[0].argmax(), (11, 15)) == (4, 8)
    assert found.maps[0, 4, 8] == pytest.approx(1) and found.maps[0, 4, 9] == pytest.approx(0.5)


def test_padded_halvings_are_stretched_as_pytorch_does():
    layers = [Conv2D(4, padding=1), MaxPool2D(), Conv2D(4, padding=1), GlobalAvgPool2D(), Output(3)]
    net = build(Graph.from_layers(layers).at((1, 12, 16)))
    found = compute_cam(net, torch.rand(2, 1, 12, 16))
    stretched = nn.functional.interpolate(torch.from_numpy(found.layer_maps)[:, None], size=(12, 16), mode="bilinear")
    np.testing.assert_allclose(found.maps, stretched[:, 0], atol=1e-6)


def test_the_last_convolution_is_taken_with_its_norm_and_activation(case):
    layers = [Conv2D(4), Conv2D(4, padding=1, norm="batch"), MaxPool2D(), Output(3)]
    net = build(Graph.from_layers(layers).at((1, 12, 12)))
    images = torch.rand(2, 1, 12, 12)
    found = compute_cam(net, images)
    assert found.layer == "conv2d2"
    assert np.array_equal(found.layer_maps, compute_cam(net, images, layer=net.conv2d2.activation).layer_maps)
    assert compute_cam(*case[:2]).layer in ("1", "third", "3")


@pytest.mark.parametrize("method", CAMS)
def test_a_class_that_nothing_speaks_for_gives_zeros(method):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 16, 2))
    nn.init.zeros_(net[2].weight)
    assert not compute_cam(net, torch.rand(1, 1, 6, 6), method=method).maps.any()
    assert not compute_saliency(net, torch.rand(1, 1, 6, 6)).maps.any()


def test_wrong_arguments_are_told():
    net, images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 2)), torch.rand(1, 1, 6, 6)
    for call, message in (
        (lambda: compute_saliency(net, images, method="grad"), "method is 'grad' but must be one of 'gradient', "
         "'smoothgrad', 'integrated_gradients'."),
        (lambda: compute_saliency(net, images, steps=0), "steps is 0 but must be a whole number of 1 or more."),
        (lambda: compute_saliency(net, images, noise=-1), "noise is -1 but must be 0 or more."),
        (lambda: compute_cam(net, images, method="cam"), "method is 'cam' but must be one of 'layercam', 'gradcam', "
         "'gradcam++'."),
    ):  # fmt: skip
        with pytest.raises(DataError) as raised:
            call()
        assert str(raised.value) == message
    with pytest.raises(TargetError) as raised:
        compute_cam(net, images, layer="2")
    assert str(raised.value) == "layer '2': gives 2 for an image, but maps are needed. Name another."
    with pytest.raises(TargetError, match=r"the network has no convolution, hence no maps of classes"):
        compute_cam(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), images)
