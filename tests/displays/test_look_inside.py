"""Every picture shows its own numbers: data, order, scale, titles."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

import depthwise as dw
from depthwise.displays import (
    ActivationsDisplay,
    CamDisplay,
    HistoryDisplay,
    ImagesDisplay,
    OcclusionDisplay,
    SaliencyDisplay,
    WeightsDisplay,
)
from depthwise.displays.weights import arrange
from depthwise.errors import DataError, TargetError
from depthwise.inspection import compute_cam, compute_saliency, occlude, read_activations

EXPLANATIONS = {
    "occlusion": (OcclusionDisplay, lambda net, X, y: occlude(net, X, y, square=3), {"square": 3}),
    "saliency": (SaliencyDisplay, compute_saliency, {}),
    "integrated": (
        SaliencyDisplay,
        lambda net, X, y: compute_saliency(net, X, y, method="integrated_gradients", steps=4),
        {"method": "integrated_gradients", "steps": 4},
    ),
    "cam": (CamDisplay, compute_cam, {}),
}


@pytest.fixture(scope="module")
def net():
    random = np.random.default_rng(0)
    X = random.integers(0, 256, (60, 1, 10, 12)).astype(np.uint8)
    y = np.where(np.arange(60) % 3 == 0, "cat", np.where(np.arange(60) % 3 == 1, "cow", "dog"))
    X[y == "cow", :, :5] //= 4
    X[y == "dog", :, 5:] //= 4
    layers = [dw.Conv2D(4), dw.MaxPool2D(), dw.Conv2D(5), dw.Dropout(), dw.Output()]
    return dw.NeuralNetClassifier(layers, max_epochs=2, batch_size=16, random_state=0, verbose=0).fit(X, y)


@pytest.fixture(scope="module", name="X")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (3, 1, 10, 12)).astype(np.uint8)


def drawn(image):
    return np.asarray(np.ma.filled(image.get_array(), np.nan))


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_a_row_shows_its_image_its_map_and_both(kind, net, X):
    make, compute, options = EXPLANATIONS[kind]
    display = make.from_estimator(net, X, ["dog", "cat", "cow"], **options).plot()
    found = compute(net.module_, X, [2, 0, 1])
    assert len(display.axes_) == 9
    assert len(np.unique([values.sum() for values in found.maps])) == 3  # shuffled rows would be seen
    for place in range(3):
        assert np.array_equal(drawn(display.images_[place]), X[place, 0])
        np.testing.assert_allclose(drawn(display.maps_[place]), found.maps[place], rtol=1e-5)
        np.testing.assert_allclose(drawn(display.overlays_[place]), found.maps[place], rtol=1e-5)
        opacity = display.overlays_[place].get_alpha()
        assert opacity.argmax() == np.abs(found.maps[place]).argmax()
        assert drawn(display.axes_[3 * place + 2].get_images()[0]).tolist() == X[place, 0].tolist()
    assert [ax.get_title().split(":")[0] for ax in display.axes_[::3]] == ["dog", "cat", "cow"]


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_all_maps_have_one_scale_and_signs_are_told_apart(kind, net, X):
    make, _, options = EXPLANATIONS[kind]
    display = make.from_estimator(net, X, **options).plot()
    largest = max(np.abs(drawn(image)).max() for image in display.maps_)
    signed = kind in ("occlusion", "integrated")
    for image in (*display.maps_, *display.overlays_):
        assert image.get_clim() == pytest.approx((-largest if signed else 0, largest))
        assert image.get_cmap().name == ("RdBu_r" if signed else "cividis")
    (bar,) = [ax for ax in display.figure_.axes if ax not in display.axes_]
    assert bar.get_ylabel()


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_modules_and_axes_of_the_caller_are_taken(kind):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 4, 2))
    figure = Figure()
    ax, other = figure.subplots(1, 2)
    make, _, options = EXPLANATIONS[kind]
    display = make.from_estimator(module, torch.rand(2, 3, 8, 6), **options).plot(ax)
    assert display.figure_ is figure and not other.images
    assert all(each.get_figure() is figure and each in ax.child_axes for each in display.axes_)
    assert display.axes_[0].get_title().startswith("class ")


def test_a_title_says_what_the_network_predicts_instead_and_does_not_believe():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(16, 2))
    nn.init.zeros_(net[2].weight)
    with torch.no_grad():
        net[2].bias.copy_(torch.tensor([4.0, 0.0]))
    display = CamDisplay.from_estimator(net, np.zeros((1, 6, 6)), 1).plot()
    assert display.axes_[0].get_title() == "class 1: p = 0.02\npredicted class 0: p = 0.98\nnot seen by the network"
    display = OcclusionDisplay.from_estimator(net, np.zeros((1, 6, 6))).plot()
    assert display.axes_[0].get_title() == "class 0: p = 0.98"


def test_activations_stand_at_their_places_on_one_scale(net, X):
    display = ActivationsDisplay.from_estimator(net, X[:2], "conv2d3").plot()
    values = read_activations(net.module_, X[:2], "conv2d3").values
    for place in range(2):
        assert np.array_equal(drawn(display.maps_[place]), arrange(values[place]), equal_nan=True)
        assert np.array_equal(drawn(display.images_[place]), X[place, 0])
        assert display.maps_[place].get_clim() == pytest.approx((0, values.max()))
    height, width = values.shape[2:]
    assert np.array_equal(display.tiles_[1][height + 1 :, width + 1 : 2 * width + 1], values[1, 4])
    assert display.axes_[1].get_title() == f"conv2d3: 5 channels of {height} x {width}"


def test_activations_of_dense_layers_and_with_signs(net, X):
    display = ActivationsDisplay.from_estimator(net, X, "output5").plot()
    assert display.axes_[1].get_title() == "output5: 3 units"
    assert display.maps_[0].get_cmap().name == "RdBu_r"
    assert display.tiles_[2][0, 0] == display.activations.values[2, 0]


def test_images_stand_below_their_labels():
    X = np.random.default_rng(0).random((5, 6, 7, 1))
    display = ImagesDisplay(X, ["a", "b", "c", "d", "e"]).plot()
    assert len(display.axes_) == 6 and not display.axes_[5].axison
    for place in range(5):
        np.testing.assert_allclose(drawn(display.images_[place]), X[place, :, :, 0], rtol=1e-6)
        assert display.axes_[place].get_title() == "abcde"[place]
        assert display.images_[place].get_clim() == pytest.approx((X.min(), X.max()))


def test_colors_are_shown_as_given_or_on_one_scale():
    X = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    for images, wanted in (
        (X, X), ((X * 255).astype(np.uint8), (X * 255).astype(np.uint8) / 255),
        (X * 4 - 2, (X - X.min()) / (X.max() - X.min())),
    ):  # fmt: skip
        display = ImagesDisplay(images).plot()
        np.testing.assert_allclose(drawn(display.images_[1]), wanted[1].transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_allclose(drawn(ImagesDisplay(X[:, :2]).plot().images_[1]), X[1, :2].mean(0), rtol=1e-5)


def test_predictions_stand_above_images_and_mistakes_say_both(net, X):
    predicted = net.predict(X)
    assert ImagesDisplay.from_estimator(net, X).labels == predicted.tolist()
    true = ["horse", *predicted[1:]]
    assert ImagesDisplay.from_estimator(net, X, true).labels == [f"horse, not {predicted[0]}", *predicted[1:]]


def test_the_predecessors_names_draw_the_same(net, X):
    entry = net.layers_[1]
    assert entry.network is net.module_
    activity = dw.plot_conv_activity(entry, X[:1], figsize=(4, 3))
    assert activity.activations.layer == "conv2d1" and activity.figure_.get_size_inches().tolist() == [4, 3]
    assert np.array_equal(activity.activations.values, read_activations(net.module_, X[:1], "conv2d1").values)
    assert dw.plot_conv_activity(net, X[:1]).activations.layer == "conv2d1"
    assert dw.plot_conv_weights(net.layers_["conv2d3"]).weights.layer == "conv2d3"
    assert dw.plot_conv_weights(net).weights.layer == "conv2d1"
    occlusion = dw.plot_occlusion(net, X, ["cow", "cow", "dog"], square_length=4).found
    assert occlusion.targets.tolist() == [1, 1, 2] and occlusion.square == (4, 4)
    assert np.array_equal(occlusion.fill, net.module_.input.mean.numpy())
    assert dw.plot_saliency(net, X).maps_
    assert len(dw.plot_loss(net).axes_[0].get_lines()) == 2


def test_entries_of_layers_survive_pickling(net, X):
    import pickle

    copied = pickle.loads(pickle.dumps(net))
    assert copied.layers_[1].network is copied.module_
    assert dw.plot_conv_activity(copied.layers_[1], X[:1]).maps_


def test_a_regressor_is_explained_by_its_output():
    X, y = np.random.default_rng(0).random((20, 1, 6, 6)).astype(np.float32), np.arange(20.0)
    net = dw.NeuralNetRegressor([dw.Conv2D(2), dw.Output()], max_epochs=1, random_state=0, verbose=0).fit(X, y)
    display = OcclusionDisplay.from_estimator(net, X[:2], square=3).plot()
    assert display.found.score == "output" and "output = " in display.axes_[0].get_title()
    assert SaliencyDisplay.from_estimator(net, X[:1]).plot().axes_[0].get_title().startswith("output ")


def test_of_two_classes_with_one_output_the_second_is_explained():
    X, y = np.random.default_rng(0).random((20, 1, 6, 6)).astype(np.float32), np.array(["no", "yes"] * 10)
    net = dw.NeuralNetClassifier([dw.Conv2D(2), dw.Output(1)], max_epochs=1, random_state=0, verbose=0).fit(X, y)
    for make in (OcclusionDisplay, SaliencyDisplay, CamDisplay):
        display = make.from_estimator(net, X[:2], y[:2]).plot()
        assert [ax.get_title().partition(":")[0] for ax in display.axes_[::3]] == ["yes", "yes"]
    assert display.axes_[0].get_title() == f"yes: p = {net.predict_proba(X[:1])[0, 1]:.2f}"
    with pytest.raises(DataError, match=r"^y: the label 'maybe' is none of the 2 classes of training"):
        CamDisplay.from_estimator(net, X[:1], "maybe")


def test_every_picture_is_saved(net, X, tmp_path):
    for display in (ImagesDisplay(X), ActivationsDisplay.from_estimator(net, X), CamDisplay.from_estimator(net, X)):
        display.save(tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as picture:
            pixels = np.asarray(picture.convert("L"))
        # Nothing is cut off: all around the picture there is a white border.
        assert all(edge.min() == 255 for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
        assert pixels.min() < 100


def test_what_cannot_be_looked_at_is_told(net, X):
    unfit = dw.NeuralNetClassifier([dw.Output()])
    for make in (OcclusionDisplay, SaliencyDisplay, CamDisplay, ActivationsDisplay, ImagesDisplay):
        for target, images, message in (
            (unfit, X, "this NeuralNetClassifier is not trained yet. Call fit(X, y) before looking inside."),
            ("net", X, "'net' is no trained network. Give a fitted estimator or a torch module."),
            (net, X[:0], "X: holds no images. Select at least one."),
            (net, np.array(["cat"]), "X: holds values of type <U3, no numbers. Give the pixels of images."),
            (net, X[:, :, 1:], "X: holds images of 1x9x12 but the network is made for 1x10x12. Resize them."),
            (net, np.zeros((1, 3, 10, 12)), "X: holds images of 3x10x12 but the network is made for 1x10x12. "
             "Convert them to grey (1 channel)."),
        ):  # fmt: skip
            with pytest.raises((DataError, TargetError)) as raised:
                make.from_estimator(target, images)
            assert str(raised.value) == message
    for call in (dw.plot_loss, dw.plot_conv_weights, HistoryDisplay.from_estimator):
        with pytest.raises(TargetError, match="is not trained yet"):
            call(unfit)
    with pytest.raises(TargetError, match=r"^this Network has no history of training\. Call fit"):
        HistoryDisplay.from_estimator(net.module_)
    with pytest.raises(TargetError, match=r"^'conv2d2' is no convolution\. Did you mean 'conv2d3'\?"):
        WeightsDisplay.from_estimator(net, "conv2d2")


def test_kernels_of_a_layer_by_every_name(net):
    for layer in ("conv2d3", 3, -3, net.layers_[3], net.layers_["conv2d3"], net.module_.conv2d3):
        assert WeightsDisplay.from_estimator(net, layer).weights.layer == "conv2d3"


def test_unknown_classes_are_told(net, X):
    for y, message in (
        (["cat", "dog", "horse"], "y: the label 'horse' is none of the 3 classes of training ('cat', 'cow', 'dog')"),
        (7, "y: the label 7 is none of the 3 classes of training ('cat', 'cow', 'dog')"),
        (["cat", "dog"], "y: holds 2 classes for 3 images. Give one for each, or one for all."),
    ):
        for make in (OcclusionDisplay, SaliencyDisplay, CamDisplay):
            with pytest.raises(DataError) as raised:
                make.from_estimator(net, X, y)
            assert str(raised.value).startswith(message)
    with pytest.raises(DataError, match=r"labels: holds 2 for 3 images\. Give one for each\."):
        ImagesDisplay(X, ["a", "b"])
    with pytest.raises(TargetError, match=r"there is no layer 'conv2d2'\. Did you mean 'conv2d3' or 'conv2d1'\?"):
        CamDisplay.from_estimator(net, X, layer="conv2d2")


def test_a_class_may_be_called_what_is_no_formula(X, tmp_path):
    y = ["$x_{$", "2$ bill", "^"] * 4
    net = dw.NeuralNetClassifier([dw.Conv2D(2), dw.Output()], max_epochs=1, verbose=0).fit(np.tile(X, (4, 1, 1, 1)), y)
    OcclusionDisplay.from_estimator(net, X, ["$x_{$"] * 3, square=5).plot().save(tmp_path / "a.png")
    ImagesDisplay(X, ["$x_{$"] * 3).plot().save(tmp_path / "b.png")
