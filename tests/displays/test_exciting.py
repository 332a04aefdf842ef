"""The images that excite channels stand in order, each with the part that the channel sees."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import depthwise as dw
from depthwise.displays import ExcitingImagesDisplay
from depthwise.errors import DataError, TargetError
from depthwise.inspection import find_exciting


@pytest.fixture(scope="module", name="X")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (12, 1, 10, 14)).astype(np.uint8)


@pytest.fixture(scope="module")
def net(X):
    layers = [dw.Conv2D(4), dw.MaxPool2D(), dw.Conv2D(5), dw.Output()]
    options = {"max_epochs": 1, "validation": None, "random_state": 0, "verbose": 0, "precision": "float32"}
    return dw.NeuralNetClassifier(layers, **options).fit(X, np.arange(12) % 3)


def drawn(image):
    return np.asarray(image.get_array())


def test_each_image_stands_beside_what_the_channel_sees_of_it(net, X):
    display = ExcitingImagesDisplay.from_estimator(net, X, "conv2d3", [3, 0], n_images=3).plot()
    found = find_exciting(net.module_, X, [3, 0], "conv2d3", n_images=3)
    assert [panel.get_ylabel() for panel in display.axes_[::6]] == ["channel 3", "channel 0"]
    for place in range(6):
        one, rank = found[place // 3], place % 3
        row = one.rows[rank]
        (top, bottom), (left, right) = one.regions[rank].clipped
        assert np.array_equal(drawn(display.images_[place]), X[row, 0])
        assert np.array_equal(drawn(display.crops_[place]), X[row, 0, top : bottom + 1, left : right + 1])
        frame = display.frames_[place].get_bbox()
        assert frame.bounds == (left - 0.5, top - 0.5, right - left + 1, bottom - top + 1)
        assert display.axes_[2 * place].get_title() == f"{one.values[rank]:.3g}, image {row}"
    assert len({image.get_clim() for image in (*display.images_, *display.crops_)}) == 1


def test_other_images_at_the_same_places_are_other_rows(net, X):
    rows = [one.rows.tolist() for one in ExcitingImagesDisplay.from_estimator(net, X).found]
    turned = [one.rows.tolist() for one in ExcitingImagesDisplay.from_estimator(net, X[::-1]).found]
    assert turned == [[11 - row for row in each] for each in rows]


def test_units_of_a_dense_layer_see_the_whole_image(net, X):
    display = ExcitingImagesDisplay.from_estimator(net, X, "output4", 1, n_images=1).plot()
    assert np.array_equal(drawn(display.crops_[0]), drawn(display.images_[0]))


def test_colors_and_axes_of_the_caller(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten())
    figure = Figure()
    ax, _ = figure.subplots(1, 2)
    display = ExcitingImagesDisplay.from_estimator(net, torch.rand(4, 3, 8, 6), n_images=2).plot(ax)
    assert display.figure_ is figure and drawn(display.crops_[3]).shape == (3, 3, 3)
    assert all(each in ax.child_axes for each in display.axes_)


def test_bad_questions_are_told(net, X):
    for options, error, message in (
        ({"layer": "conv2d2"}, TargetError, "there is no layer 'conv2d2'. Did you mean 'conv2d3' or 'conv2d1'? There"),
        ({"channels": 5}, DataError, "channel is 5 but layer 'conv2d3' has 5 (0 to 4)."),
        ({"n_images": 0}, DataError, "n_images is 0 but must be 1 or more."),
    ):
        with pytest.raises(error) as raised:
            ExcitingImagesDisplay.from_estimator(net, X, **options)
        assert str(raised.value).startswith(message)
    for target, images, message in (
        (dw.NeuralNetClassifier("2N"), X, "this NeuralNetClassifier is not trained yet."),
        (net, X[:0], "X: holds no images."),
        (net, X[:, :, 1:], "X: holds images of 1x9x14 but the network is made for 1x10x14."),
    ):
        with pytest.raises((DataError, TargetError)) as raised:
            ExcitingImagesDisplay.from_estimator(target, images)
        assert str(raised.value).startswith(message)
    with pytest.raises(DataError, match=r"^found: holds no channel\."):
        ExcitingImagesDisplay(())
