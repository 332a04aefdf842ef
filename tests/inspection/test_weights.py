import numpy as np
import pytest
import torch
from torch import nn

from depthwise.errors import TargetError
from depthwise.inspection import read_weights


@pytest.fixture
def module():
    return nn.Sequential(nn.Conv2d(3, 4, (3, 5)), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(2, 2))


def test_the_first_convolution_is_read_by_default(module):
    weights = read_weights(module)
    assert weights.layer == "0"
    assert np.array_equal(weights.kernels, module[0].weight.detach().numpy())


def test_kernels_over_rgb_are_pictures_in_color(module):
    tiles = read_weights(module).tiles
    assert tiles.shape == (4, 3, 5, 3)
    assert tiles[1, 2, 4, 0] == module[0].weight[1, 0, 2, 4]


def test_other_kernels_are_one_picture_a_channel(module):
    tiles = read_weights(module, "2").tiles
    assert tiles.shape == (8, 3, 3)
    assert np.array_equal(tiles[5], module[2].weight[1, 1].detach().numpy())


def test_the_result_is_a_copy(module):
    weights = read_weights(module)
    before = weights.kernels.copy()
    with torch.no_grad():
        module[0].weight.zero_()
    assert np.array_equal(weights.kernels, before)


def test_a_wrong_layer_lists_the_right_ones(module):
    with pytest.raises(TargetError, match=r"'4' is no convolution\. There are: 0, 2\."):
        read_weights(module, "4")
    with pytest.raises(TargetError, match="no convolution over images"):
        read_weights(nn.Linear(2, 2))
