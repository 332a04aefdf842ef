"""How much images and classes count."""

import numpy as np
import pytest
import torch

from depthwise.errors import DataError, TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor


def net(**params):
    settings = {"batch_size": 1000, "optimizer": "sgd", "learning_rate": 0.1, "max_epochs": 5, "validation": None}
    return NeuralNetClassifier([Dense(6), Output()], **settings | {"verbose": 0, "random_state": 0} | params)


def weights(fitted):
    return torch.cat([p.detach().flatten() for p in fitted.module_.parameters()])


def test_a_weight_is_an_image_so_many_times(two_classes):
    # In one batch of all images both are the same sum; standardization does not know of weights.
    X, y = two_classes
    counts = np.arange(len(X)) % 3
    repeated = net(standardize=False).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    weighted = net(standardize=False).fit(X, y, sample_weight=counts)
    torch.testing.assert_close(weights(weighted), weights(repeated))
    assert weighted.history_["train_loss"] == pytest.approx(repeated.history_["train_loss"])


def test_equal_weights_are_none(two_classes):
    X, y = two_classes
    torch.testing.assert_close(weights(net().fit(X, y, sample_weight=[3] * len(X))), weights(net().fit(X, y)))


def test_a_class_weight_is_a_weight_of_its_images(two_classes):
    X, y = two_classes
    by_class = net(class_weight={"left": 3.0}).fit(X, y)
    by_image = net().fit(X, y, sample_weight=np.where(y == "left", 3.0, 1.0))
    torch.testing.assert_close(weights(by_class), weights(by_image))


def test_balanced_classes_count_alike(two_classes):
    X, y = two_classes
    counts = {label: (y == label).sum() for label in ("left", "right")}
    balanced = net(class_weight="balanced").fit(X, y)
    by_hand = net(class_weight={label: 1 / count for label, count in counts.items()}).fit(X, y)
    torch.testing.assert_close(weights(balanced), weights(by_hand))


def test_validation_images_are_weighted_with_their_own_mean(two_classes):
    X, y = two_classes
    weight = np.where(y == "left", 5.0, 1.0)
    fitted = net(validation=0.5, learning_rate=1e-9).fit(X, y, sample_weight=weight)
    assert fitted.history_[0].valid_loss == pytest.approx(fitted.history_[0].train_loss, rel=0.3)
    equal = net(validation=0.5, learning_rate=1e-9).fit(X, y)
    assert fitted.history_[0].valid_loss != pytest.approx(equal.history_[0].valid_loss, rel=1e-3)


@pytest.mark.parametrize("class_weight", ["balanced", {"left": 9.0, "right": 0.5}])
def test_images_given_to_validate_on_count_as_their_classes_do_in_training(two_classes, class_weight):
    X, y = two_classes
    train = np.r_[np.flatnonzero(y == "left")[:5], np.flatnonzero(y == "right")]
    X, y = X[train], y[train]
    still = {"class_weight": class_weight, "learning_rate": 1e-9, "max_epochs": 1}
    same = net(validation=(X, y), **still).fit(X, y)
    assert same.history_[0].valid_loss == pytest.approx(same.history_[0].train_loss, rel=1e-5)
    assert net(validation=(X, y), **still | {"class_weight": None}).fit(X, y).history_[0].valid_loss != pytest.approx(
        same.history_[0].valid_loss, rel=0.05
    )
    # Balanced are the classes of training, whatever the shares of those to validate on.
    few = np.r_[0:5, 5:8]
    other = net(validation=(X[few], y[few]), **still).fit(X, y)
    by_class = (
        {"left": len(y) / 10, "right": len(y) / (2 * (len(y) - 5))} if class_weight == "balanced" else class_weight
    )
    each = -np.log(other.predict_proba(X[few])[np.arange(8), (y[few] == "right").astype(int)])
    expected = np.average(each, weights=[by_class[label] for label in y[few]])
    assert other.history_[0].valid_loss == pytest.approx(expected, rel=1e-5)


def test_regression_is_weighted_too(two_classes):
    X, _ = two_classes
    y = X[:, 0] * 2
    counts = np.arange(len(X)) % 2
    settings = {"batch_size": 100, "max_epochs": 3, "validation": None, "standardize": False, "verbose": 0}
    repeated = NeuralNetRegressor([Output()], random_state=0, **settings).fit(X[counts == 1], y[counts == 1])
    weighted = NeuralNetRegressor([Output()], random_state=0, **settings).fit(X, y, sample_weight=counts)
    torch.testing.assert_close(weights(weighted), weights(repeated))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], r"sample_weight has shape \(1,\) but there are 60 images\. Give one number for each\."),
        ([0.0] * 60, r"all 60 images to train or to validate on have weight zero"),
        ([np.nan] * 60, r"sample_weight: 60 of 60 values are NaN"),
        ([-2.0] * 60, r"sample_weight: -2 at index 0 is negative"),
    ],
)
def test_wrong_weights(two_classes, weight, message):
    with pytest.raises(DataError, match=message):
        net().fit(*two_classes, sample_weight=weight)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({"up": 2.0}, r"class_weight: 'up' is none of the 2 classes of training \('left', 'right'\)"),
        ({"left": -1.0}, r"class_weight is .* but must be 'balanced', a dictionary of labels and numbers of 0 or more"),
        (2.0, r"class_weight is 2\.0 but must be 'balanced'"),
    ],
)
def test_wrong_class_weights(two_classes, weight, message):
    with pytest.raises(TrainingError, match=message):
        net(class_weight=weight).fit(*two_classes)
