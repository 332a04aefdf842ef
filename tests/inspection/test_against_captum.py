"""The numbers are those of captum 0.9, within 1e-4 in float32."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from depthwise.inspection import compute_cam, compute_saliency, occlude

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:captum")  # it tells that it changes requires_grad

TARGETS = torch.tensor([2, 0, 1])


def assert_close(ours, theirs):
    """Within 1e-4, and within 1e-4 of the largest value, since small maps prove nothing otherwise."""
    theirs = theirs.detach().numpy()
    largest = np.abs(theirs).max()
    assert largest > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * min(1, largest))


def test_saliency(captum, case):
    net, images, _ = case
    theirs = captum.Saliency(net).attribute(images.clone(), target=TARGETS, abs=False)
    ours = compute_saliency(net, images, TARGETS).values
    assert_close(ours, theirs)


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_integrated_gradients(captum, case, baseline):
    net, images, _ = case
    theirs = captum.IntegratedGradients(net).attribute(images, baselines=baseline, target=TARGETS, n_steps=20)
    ours = compute_saliency(net, images, TARGETS, method="integrated_gradients", baseline=baseline, steps=20).values
    assert_close(ours, theirs)


def test_gradcam(captum, case):
    net, images, layer = case
    theirs = captum.LayerGradCam(net, net.get_submodule(layer)).attribute(
        images, target=TARGETS, relu_attributions=True
    )
    ours = compute_cam(net, images, TARGETS, layer=layer, method="gradcam").layer_maps
    assert_close(ours, theirs[:, 0])


@pytest.mark.parametrize("square", [(3, 3), (5, 3)])
def test_occlusion_after_averaging_windows_over_pixels(captum, case, square):
    net, images, _ = case
    channels, height, width = images.shape[1:]
    window = (channels, *square)
    theirs = captum.Occlusion(net).attribute(images, window, baselines=0.25, target=TARGETS, perturbations_per_eval=16)
    drops = torch.from_numpy(occlude(net, images, TARGETS, square=square, fill=0.25, score="output").drops)
    # captum's windows lie within the image; each pixel gets the mean of those that cover it.
    (high, wide) = (side // 2 for side in square)
    inner = drops[:, None, high : height - high, wide : width - wide]
    ones = torch.ones(1, 1, *square)
    mean = F.conv_transpose2d(inner, ones) / F.conv_transpose2d(torch.ones_like(inner), ones)
    assert_close(mean.expand(-1, channels, -1, -1).numpy(), theirs)
