import numpy as np
import pytest
import torch
from torch import nn

from depthwise.errors import DataError, TargetError
from depthwise.graph import Graph
from depthwise.inspection import occlude
from depthwise.layers import Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.modules import build


class Mean(nn.Module):
    """Two outputs: the mean of all values, and 0; remembers how many images came at once."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        mean = x.mean((1, 2, 3))
        return torch.stack([mean, 0 * mean], 1)


def covered_one_by_one(net, image, square, fill):
    """The drop at each pixel, from images that are covered with a loop over pixels."""
    height, width = image.shape[1:]
    clean = net(image[None])[0, 0]
    drops = np.zeros((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            other = image.clone()
            for y in range(height):
                for x in range(width):
                    down = min(max(square[0] / 2 + 0.5 - abs(y - row), 0), 1)
                    across = min(max(square[1] / 2 + 0.5 - abs(x - column), 0), 1)
                    other[:, y, x] += (fill - other[:, y, x]) * down * across
            drops[row, column] = clean - net(other[None])[0, 0]
    return drops


@pytest.mark.parametrize("square", [(3, 3), (4, 4), (1, 5), (2, 9)])
def test_the_square_stands_around_its_pixel(square):
    images = torch.rand(2, 2, 6, 8, generator=torch.Generator().manual_seed(0))
    found = occlude(Mean(), images, 0, square=square, fill=0.5, score="output")
    for drops, image in zip(found.drops, images, strict=True):
        np.testing.assert_allclose(drops, covered_one_by_one(Mean(), image, square, 0.5), atol=1e-6)
    assert found.drops.shape == (2, 6, 8) and np.array_equal(found.maps, found.drops)


@pytest.mark.parametrize("square", [1, 3, 4, 6, 7])
@pytest.mark.parametrize("side", [8, 9])
def test_a_symmetric_network_gives_a_symmetric_map(square, side):
    inwards = torch.minimum(torch.arange(side), torch.arange(side).flip(0)).float() ** 2
    net = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 2, bias=False))
    with torch.no_grad():
        net[1].weight[0] = (inwards[:, None] * inwards).flatten()
        net[1].weight[1] = 0
    found = occlude(net, torch.ones(1, 1, side, side), 0, square=square, score="output").maps[0]
    assert found.std() > 0
    for turned in (found[::-1], found[:, ::-1], found.T):
        np.testing.assert_allclose(turned, found, rtol=1e-5, atol=1e-4)


def test_a_stride_leaves_equal_borders_and_its_map_covers_every_pixel():
    images = torch.rand(1, 1, 10, 13)
    every = occlude(Mean(), images, 0, square=3, score="output")
    some = occlude(Mean(), images, 0, square=3, stride=(3, 4), score="output")
    assert some.rows.tolist() == [0, 3, 6, 9] and some.columns.tolist() == [0, 4, 8, 12]
    np.testing.assert_allclose(some.drops[0], every.drops[0][::3, ::4], atol=1e-7)
    assert some.maps.shape == (1, 10, 13)
    assert some.maps[0, 4, 5] == some.drops[0, 1, 1] and some.maps[0, 5, 7] == some.drops[0, 2, 2]


def test_large_images_get_28_centers_along_a_side():
    found = occlude(Mean(), torch.rand(1, 1, 56, 30), 0)
    assert found.drops.shape == (1, 28, 15) and found.maps.shape == (1, 56, 30)


def test_batches_hold_a_set_number_of_bytes_and_change_nothing():
    images = torch.rand(3, 1, 9, 9)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), Mean())
    whole = occlude(net, images)
    assert max(net[2].batches) == 3 * 81
    net[2].batches.clear()
    bounded = occlude(net, images, max_bytes=40_000)
    # The ReLU reads and writes 4x7x7 values of four bytes, and as much is left for the step itself.
    assert max(net[2].batches) == 40_000 // (2 * 2 * 4 * 7 * 7 * 4)
    np.testing.assert_allclose(bounded.scores, whole.scores, atol=1e-6)
    net[2].batches.clear()
    occlude(net, images, max_bytes=1)
    assert max(net[2].batches) == 1


def test_the_fill_is_the_mean_that_the_network_keeps():
    net = build(Graph.from_layers([Conv2D(2), Output(3)]).at((2, 8, 8)))
    net.input.set(torch.tensor([3.0, -1.0]), torch.tensor([2.0, 5.0]))
    assert occlude(net, torch.rand(1, 2, 8, 8)).fill.tolist() == [3.0, -1.0]
    assert occlude(net, torch.rand(1, 2, 8, 8), fill=[1, 2]).fill.tolist() == [1.0, 2.0]
    assert occlude(Mean(), torch.rand(1, 2, 8, 8)).fill.tolist() == [0.0, 0.0]


def test_probabilities_are_explained_by_default_of_the_class_that_is_predicted():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images = torch.rand(4, 1, 4, 4)
    found = occlude(net, images)
    shares = net(images).softmax(1)
    assert found.targets.tolist() == shares.argmax(1).tolist()
    np.testing.assert_allclose(found.clean, shares.max(1).values.detach(), atol=1e-6)
    assert occlude(nn.Sequential(nn.Flatten(), nn.Linear(16, 1)), images).score == "output"


def test_dropout_is_off_and_equal_images_get_equal_maps():
    layers = [Conv2D(4), MaxPool2D(), Dropout(0.9), Dense(8), Output(3)]
    net = build(Graph.from_layers(layers).at((1, 12, 10))).train()
    one = occlude(net, torch.full((2, 1, 12, 10), 0.5))
    assert np.array_equal(one.scores[0], one.scores[1])
    assert one.maps.shape == (2, 12, 10) and np.isfinite(one.maps).all()


def test_bfloat16_is_near():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    images = torch.rand(2, 1, 8, 8)
    exact, near = occlude(net, images), occlude(net, images, precision="bfloat16")
    assert 0 < np.abs(exact.scores - near.scores).max() < 0.02


def test_uint8_images_are_not_changed_and_may_be_read_only():
    images = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    images.flags.writeable = False
    assert occlude(Mean(), images, 0, fill=0, score="output").clean[0] == pytest.approx(31.5)


def test_a_constant_network_and_a_black_image_give_maps_without_nan():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    nn.init.zeros_(net[1].weight)
    assert not occlude(net, torch.zeros(1, 1, 4, 4)).maps.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"square": 0}, "square is 0 but must be a whole number of pixels from 1, or a pair of them."),
        ({"stride": 1.5}, "stride is 1.5 but must be a whole number of pixels from 1, or a pair of them."),
        ({"score": "logit"}, "score is 'logit' but must be 'probability' or 'output'."),
        ({"precision": "half"}, "precision is 'half' but must be 'float32' or 'bfloat16'."),
        ({"fill": [1, 2]}, "fill is [1, 2] but must be one finite number, or one for each of 1 channels."),
        ({"targets": 2}, "targets: there is no class 2, for the network has 2 outputs (0 to 1)."),
        ({"targets": [0, 1]}, "targets: holds 2 classes for 1 images. Give one for each, or one for all."),
        ({"targets": "cat"}, "targets: are 'cat' but must be places of classes in the output, whole numbers."),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(DataError) as raised:
        occlude(Mean(), torch.rand(1, 1, 6, 6), **arguments)
    assert str(raised.value) == message


def test_a_network_that_gives_nan_is_told():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    nn.init.constant_(net[1].bias, float("nan"))
    with pytest.raises(TargetError, match=r"the network's output is NaN or infinite, so there is nothing to explain"):
        occlude(net, torch.rand(1, 1, 4, 4))
