import numpy as np
import pytest
import torch
from torch import nn

from depthwise.analysis import analyze_graph
from depthwise.errors import DataError, GraphError, TargetError
from depthwise.graph import Graph
from depthwise.inspection import find_exciting, find_unit_field
from depthwise.layers import Conv2D, Dense, MaxPool2D, Output
from depthwise.modules import build

LAYERS = [Conv2D(4, 5, padding="same"), MaxPool2D(), Conv2D(4, padding="same"), Dense(6), Output(3)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(Graph.from_layers(LAYERS).at((2, 16, 12)))


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(9, 2, 16, 12)).astype(np.float32)


def maps(network, images, node):
    record = {}
    with torch.no_grad():
        network.eval()(torch.from_numpy(images), record)
    return record[node].numpy()


def test_the_largest_come_first_with_the_place_where_they_are(network, images):
    (found,) = find_exciting(network, images, 2, "conv2d3", n_images=4, max_bytes=20_000)
    wanted = maps(network, images, "conv2d3.activation")[:, 2]
    peaks = wanted.max((1, 2))
    assert found.rows.tolist() == np.argsort(-peaks)[:4].tolist()
    assert found.values == pytest.approx(np.sort(peaks)[::-1][:4], rel=1e-5)
    assert [wanted[row][unit] for row, unit in zip(found.rows, found.units, strict=True)] == pytest.approx(found.values)
    assert np.array_equal(found.images, images[found.rows])
    # Other images at the same places, other rows.
    (shuffled,) = find_exciting(network, images[::-1].copy(), 2, "conv2d3", n_images=4)
    assert shuffled.rows.tolist() == [8 - row for row in found.rows]


def test_the_crop_is_all_that_the_channel_sees(network, images):
    (found,) = find_exciting(network, images, 1, "conv2d3", n_images=3)
    for row, unit, region, crop in zip(found.rows, found.units, found.regions, found.crops, strict=True):
        (top, bottom), (left, right) = region.clipped
        assert np.array_equal(crop, images[row, :, top : bottom + 1, left : right + 1])
        other = np.random.default_rng(1).normal(size=(1, 2, 16, 12)).astype(np.float32)
        other[0, :, top : bottom + 1, left : right + 1] = crop
        value = maps(network, other, "conv2d3.activation")[0, 1][unit]
        assert value == pytest.approx(maps(network, images, "conv2d3.activation")[row, 1][unit], rel=1e-5)
        other[0, :, top, left : right + 1] += 5  # the border of the crop belongs to it
        assert maps(network, other, "conv2d3.activation")[0, 1][unit] != pytest.approx(value)


def test_the_strongest_channels_are_chosen_and_one_pass_serves_all(network, images):
    found = find_exciting(network, images, n_images=2, max_bytes=20_000)
    peaks = maps(network, images, "conv2d3.activation").max((0, 2, 3))
    assert [one.channel for one in found] == np.argsort(-peaks, kind="stable").tolist()
    for one in found:
        (alone,) = find_exciting(network, images, one.channel, n_images=2)
        assert one.layer == "conv2d3" and one.rows.tolist() == alone.rows.tolist() and one.units == alone.units


def test_units_of_a_dense_layer_see_the_image(network, images):
    (found,) = find_exciting(network, images, 5, "dense4", n_images=2)
    assert found.units == ((), ()) and found.crops[0].shape == (2, 16, 12)


def test_a_module_of_any_kind(images):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(True), nn.Conv2d(3, 2, 3, stride=2), nn.Flatten())
    (found,) = find_exciting(net, images, 1, "2", n_images=2)
    assert [crop.shape for crop in found.crops] == [(2, 5, 5)] * 2
    assert find_exciting(net, images, 0)[0].layer == "2"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"channels": 4}, DataError, "channel is 4 but layer 'conv2d3' has 4 (0 to 3)."),
        ({"channels": [0, -1]}, DataError, "channel is -1 but layer 'conv2d3' has 4 (0 to 3)."),
        ({"channels": []}, DataError, "channels: holds none. Name at least one."),
        ({"channels": 0, "n_images": 0}, DataError, "n_images is 0 but must be 1 or more."),
        (
            {"channels": 0, "layer": "conv2d"},
            TargetError,
            "there is no layer 'conv2d'. Did you mean 'conv2d3' or 'conv2d1'? There are: input0, conv2d1, ",
        ),
    ],
)
def test_bad_questions_are_told(network, images, options, error, message):
    with pytest.raises(error) as problem:
        find_exciting(network, images, **options)
    assert str(problem.value).startswith(message)


ANALYSIS = analyze_graph(Graph.from_layers(LAYERS).at((2, 16, 12)))


def test_a_unit_s_field_lies_on_the_image(images):
    field = find_unit_field(ANALYSIS, images[3], "conv2d3", (0, 5))
    assert (field.layer, field.unit) == ("conv2d3", (0, 5))
    # A 5x5 kernel behind it, two pixels a unit, and a 3x3 kernel: 10 pixels, four of them before the image.
    assert field.unclipped == ((-4, 5), (6, 15)) and field.clipped == ((0, 5), (6, 11))
    assert np.array_equal(field.crop, images[3, :, :6, 6:12])
    assert find_unit_field(ANALYSIS, images[3]).layer == "conv2d3"
    assert find_unit_field(ANALYSIS, images[3], 1).layer == "conv2d1"


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((2, 12, 16), {}, DataError, "image: is 2x12x16 but the network is made for 2x16x12. Give one image of that"),
        ((2, 16, 12), {"layer": "conv2d33"}, GraphError, "no layer is called 'conv2d33'. Did you mean 'conv2d3'?"),
        ((2, 16, 12), {"layer": 9}, GraphError, "there is no layer 9. There are: input0, conv2d1, maxpool2d2, conv2d3"),
        ((2, 16, 12), {"unit": (8, 0)}, GraphError, "layer 'conv2d3' has no unit (8, 0): its map is 8x6."),
    ],
)
def test_a_field_that_cannot_be_is_told(shape, options, error, message):
    with pytest.raises(error) as problem:
        find_unit_field(ANALYSIS, np.zeros(shape), **options)
    assert str(problem.value).startswith(message)
