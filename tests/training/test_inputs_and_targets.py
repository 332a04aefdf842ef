"""Images and labels as they come."""

import numpy as np
import pytest
import torch

from depthwise.displays.asking import put_channels_first
from depthwise.errors import DataError, TrainingError
from depthwise.layers import Output
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.batches import DeviceData
from depthwise.training.inputs import arrange, input_shape_of, statistics
from depthwise.training.validation import choose_validation


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7), (7,)),
        ((5, 28, 28), (1, 28, 28)),
        ((5, 1, 28, 28), (1, 28, 28)),
        ((5, 28, 28, 1), (1, 28, 28)),
        ((5, 32, 30, 3), (3, 32, 30)),
        ((5, 32, 30, 4), (4, 32, 30)),
        ((5, 3, 30, 4), (3, 30, 4)),  # channels first wins where both ends could be channels
        ((5, 16, 9, 2), (16, 9, 2)),
    ],
)
def test_the_shape_of_an_image_is_read_off_the_array(shape, expected):
    assert input_shape_of(np.zeros(shape), None) == expected


def test_a_declared_shape_decides():
    assert input_shape_of(np.zeros((5, 3, 30, 4)), (4, 3, 30)) == (4, 3, 30)
    assert arrange(np.zeros((5, 3, 30, 4)), (4, 3, 30)).shape == (5, 4, 3, 30)


def test_arranging_moves_axes_and_copies_nothing():
    images = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    tensor = arrange(images, (3, 4, 5))
    assert tensor[1, 2, 3, 4] == images[1, 3, 4, 2] and tensor.data_ptr() == images.ctypes.data
    assert arrange(np.zeros((2, 60)), (3, 4, 5)).shape == (2, 3, 4, 5)
    assert arrange(np.zeros((2, 3, 4, 5)), (60,)).shape == (2, 60)
    assert arrange(np.zeros((2, 4, 5)), (1, 4, 5)).shape == (2, 1, 4, 5)
    with pytest.raises(DataError, match="X: holds images of 5x4 but the network is made for 3x4x5"):
        arrange(np.zeros((2, 5, 4)), (3, 4, 5))


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2"])
def test_images_in_the_other_byte_order_are_the_same_images(kind):
    images = np.random.default_rng(0).integers(0, 99, (12, 1, 6, 5)).astype(kind)
    native = images.astype(images.dtype.newbyteorder("="))
    assert not images.dtype.isnative
    for shape in ((1, 6, 5), (30,)):
        assert torch.equal(arrange(images, shape), arrange(native, shape))
    assert put_channels_first(images).tolist() == native.tolist()
    options = {"max_epochs": 1, "verbose": 0, "random_state": 0, "validation": None}
    y = (np.arange(12) % 2).astype(">i8")
    first, second = (NeuralNetClassifier([Output()], **options).fit(X, y) for X in (images, native))
    assert np.array_equal(first.predict_proba(native), second.predict_proba(images))
    numbers = NeuralNetRegressor([Output()], **options).fit(images, y.astype(">f8")).predict(images)
    assert np.array_equal(numbers, NeuralNetRegressor([Output()], **options).fit(native, y).predict(native))


@pytest.mark.parametrize(
    ("given", "wanted", "remedy"),
    [
        ((5, 1, 8, 8), (1, 9, 8), "Resize them."),
        ((5, 3, 8, 8), (1, 8, 8), "Convert them to grey (1 channel)."),
        ((5, 8, 8), (3, 8, 8), "Convert them to color (3 channels)."),
        ((5, 3, 8, 8), (2, 9, 8), "Resize them and give them 2 channels."),
        ((5, 65), (64,), "Give them the shape 64."),
    ],
)
def test_images_of_another_shape_are_told_what_to_do(given, wanted, remedy):
    with pytest.raises(DataError) as caught:
        arrange(np.zeros(given), wanted)
    assert str(caught.value).partition(". ")[2] == remedy


@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 6, 5)])
def test_one_image_is_no_batch(shape):
    X = np.random.default_rng(0).normal(size=(12, *shape)).astype(np.float32)
    net = NeuralNetClassifier([Output()], max_epochs=1, verbose=0, random_state=0).fit(X, np.arange(12) % 2)
    singles = [X[0, 0], X[0]] if shape[0] == 1 else [X[0]]
    for single in singles:
        if single.shape == (1, 6, 5):  # of one grey image, which may come without channels
            assert net.predict(single).shape == (1,)
            continue
        with pytest.raises(DataError) as caught:
            net.predict(single)
        assert str(caught.value) == (
            f"X: {'x'.join(map(str, single.shape))} is the shape of one image, but a batch of them is needed. "
            "Write X[:1] instead of X[0], or image[None]."
        )


def test_statistics_are_exact_even_far_from_zero():
    X = np.random.default_rng(0).normal(1e4, 0.5, (9000, 2, 3, 3)).astype(np.float32)
    rows = torch.arange(100, 9000)
    mean, std = statistics(torch.from_numpy(X), rows)
    assert mean.numpy() == pytest.approx(X[100:].astype(np.float64).mean((0, 2, 3)), rel=1e-9)
    assert std.numpy() == pytest.approx(X[100:].astype(np.float64).std((0, 2, 3)), rel=1e-6)
    mean, std = statistics(torch.full((10, 2), 7.3), torch.arange(10))
    assert mean.tolist() == pytest.approx([7.3, 7.3]) and std.tolist() == [1, 1]


@pytest.mark.parametrize(
    "images", [torch.zeros(40, 3, 8, 8, dtype=torch.uint8), torch.zeros(40, 5)], ids=["maps", "2-D"]
)
def test_statistics_stay_on_the_device_of_the_images(images):
    # Tensors of this device hold no values: sums on another one are an error, and so is a question that waits for it.
    data = DeviceData.on(torch.device("meta"), images).part(torch.arange(30))
    mean, std = statistics(data.X, data.rows)
    assert mean.device.type == std.device.type == "meta"
    assert mean.shape == std.shape == images.shape[1:2]


@pytest.mark.parametrize(("n_images", "share"), [(100, 0.25), (97, 0.3), (1000, 0.51), (10, 0.6), (60, 0.001 + 1 / 60)])
@pytest.mark.parametrize("stratified", [False, True])
def test_the_share_is_exact_and_the_parts_are_disjoint(n_images, share, stratified):
    classes = np.sort(np.random.default_rng(0).integers(0, 3, n_images)) if stratified else None
    train, valid = choose_validation(n_images, share, classes, seed=0)
    assert len(valid) == round(share * n_images)
    assert sorted(torch.cat([train, valid]).tolist()) == list(range(n_images))
    if classes is not None:
        wanted = np.bincount(classes, minlength=3) * len(valid) / n_images
        assert np.abs(np.bincount(classes[valid.numpy()], minlength=3) - wanted).max() < 1


def test_the_images_to_validate_on_are_drawn_at_random():
    _, valid = choose_validation(100, 0.2, None, seed=0)
    assert valid.tolist() != list(range(20)) and not torch.equal(valid, choose_validation(100, 0.2, None, seed=1)[1])
    classes = np.repeat([0, 1], 50)
    _, valid = choose_validation(100, 0.2, classes, seed=0)
    assert valid[valid < 50].tolist() != list(range(10))


def test_every_class_keeps_an_image_to_learn_from():
    classes = np.array([0] * 97 + [1, 2, 3])
    train, valid = choose_validation(100, 0.5, classes, seed=0)
    assert set(classes[train.numpy()]) == {0, 1, 2, 3} and set(classes[valid.numpy()]) == {0}


def test_a_share_that_leaves_nothing_is_told():
    message = "validation=0.01 of n_samples = 20 leaves 0 images to validate on and 20 to train on"
    with pytest.raises(TrainingError, match=message):
        choose_validation(20, 0.01, None, seed=0)
    with pytest.raises(TrainingError, match="leaves 3 images to validate on and 0 to train on"):
        choose_validation(3, 0.99, None, seed=0)
