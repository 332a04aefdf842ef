"""Whole fits on a GPU that is none: tensors of two devices never meet."""

import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu
from torch import nn
from torch.utils.data import Dataset

from depthwise.data.augmentation import CutMix, MixUp, RandomCrop
from depthwise.layers import Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.training import GradientClipping, NeuralNetClassifier, NeuralNetRegressor, WeightAveraging

SETTINGS = {"max_epochs": 2, "batch_size": 32, "precision": "float32", "random_state": 0, "verbose": 0}


def classifier(**params):
    layers = [Conv2D(4, norm="batch"), MaxPool2D(), Dropout(0.1), Output()]
    return NeuralNetClassifier(layers, **SETTINGS | {"device": "cuda"} | params)


def weighted():
    loss = nn.CrossEntropyLoss(weight=torch.linspace(0.5, 2, 10))
    return {"loss": loss, "class_weight": "balanced", "scoring": ["f1_macro", "neg_log_loss"]}


@pytest.fixture
def images(digits):
    return digits[0][:200], digits[1][:200]


class Pairs(Dataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, place):
        return self.X[place], int(self.y[place])


@pytest.mark.parametrize(
    "params",
    [
        {},
        weighted(),
        {"l1": 1e-4, "l2": 1e-4, "label_smoothing": 0.1, "callbacks": [GradientClipping(1.0), WeightAveraging()]},
        {"augment": [RandomCrop(1), MixUp(), CutMix()], "early_stopping": 1, "schedule": "plateau"},
        {"optimizer": "lbfgs", "standardize": False, "loss": "hinge"},
    ],
    ids=["plain", "weighted", "penalties", "augmented", "lbfgs"],
)
def test_a_fit_learns_what_it_does_on_the_processor(images, params):
    X, y = images
    with pretended_gpu():
        net = classifier(**params).fit(X, y)
        assert net.device_.type == "cuda" and all(each.is_cuda for each in net.module_.parameters())
        losses, answers, loss = net.history_["valid_loss"], net.predict_proba(X), net.evaluate(X, y)[0]
    same = classifier(**params, device="cpu").fit(X, y)
    assert losses == pytest.approx(same.history_["valid_loss"], rel=1e-4)
    np.testing.assert_allclose(answers, same.predict_proba(X), atol=1e-4)
    assert loss == pytest.approx(same.evaluate(X, y)[0], rel=1e-4)


def test_images_given_to_validate_on_and_a_warm_start(images):
    X, y = images
    with pretended_gpu():
        net = classifier(validation=(X[:50], y[:50]), class_weight="balanced", warm_start=True)
        net.fit(X, y, sample_weight=np.arange(200) % 3).fit(X, y).partial_fit(X, y)
        assert len(net.history_) == 5


def test_a_warm_start_moves_to_the_device_that_is_asked_for(images):
    with pretended_gpu():
        net = classifier(warm_start=True, device="cpu").fit(*images)
        net.set_params(device="cuda").fit(*images)
        assert net.device_.type == "cuda" and all(each.is_cuda for each in net.module_.parameters())
        assert net.set_params(device="cpu").fit(*images).device_.type == "cpu"
        assert len(net.history_) == 6


def test_images_of_a_data_set(images):
    with pretended_gpu():
        assert len(classifier().fit(Pairs(*images)).history_) == 2


def test_numbers_for_targets(images):
    X, y = images
    with pretended_gpu():
        net = NeuralNetRegressor([Dense(8), Output()], scoring="r2", **SETTINGS, device="cuda").fit(X, y / 10)
        assert net.predict(X).shape == (200,)


@pytest.mark.parametrize("params", [{}, {"early_stopping": 3}, {"optimizer": "lbfgs"}])
def test_a_training_goes_on_from_a_folder(images, tmp_path, params):
    with pretended_gpu():
        classifier(**params).fit(*images, resume=tmp_path)
        net = classifier(**params).set_params(max_epochs=4).fit(*images, resume=tmp_path)
        whole = classifier(**params).set_params(max_epochs=4).fit(*images)
    assert net.history_["valid_loss"] == pytest.approx(whole.history_["valid_loss"], rel=1e-4)


def test_the_pretended_gpu_tells_devices_apart():
    with pretended_gpu():
        here, there = torch.ones(3), torch.ones(3, device="cuda")
        assert (there * 2 + torch.tensor(1.0)).is_cuda and not there.cpu().is_cuda and there[1:].is_cuda
        assert here.to(there).is_cuda and here.to("cuda").double().device == there.device
        for mix in (lambda: here + there, lambda: torch.stack([here, there]), lambda: here[there.long()]):
            with pytest.raises(RuntimeError, match=r"device"):
                mix()
        with pytest.raises(TypeError, match=r"can't convert cuda:0"):
            there.numpy()
