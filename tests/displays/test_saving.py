"""A picture after each epoch, and a network that has learned nothing from being looked at."""

import numpy as np
import pytest
import torch
from PIL import Image

import depthwise as dw
from depthwise.displays import SaveEachEpoch, WeightsDisplay
from depthwise.errors import FileError


def fitted(**options):
    X = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    options = {"validation": None, "random_state": 0, "verbose": 0} | options
    return dw.NeuralNetClassifier("3C3-2N", max_epochs=2, **options).fit(X, np.arange(20) % 2)


def test_each_epoch_has_its_picture_and_training_is_the_same(tmp_path):
    shown = []

    def make(net):
        shown.append(WeightsDisplay.from_estimator(net))
        return shown[-1]

    net = fitted(callbacks=[SaveEachEpoch(make, tmp_path / "new" / "kernels")])
    names = sorted(path.name for path in (tmp_path / "new" / "kernels").iterdir())
    assert names == ["epoch-001.png", "epoch-002.png"]
    with Image.open(tmp_path / "new" / "kernels" / names[0]) as picture:
        assert min(picture.size) > 150
    first, second = (display.weights.kernels for display in shown)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, WeightsDisplay.from_estimator(net).weights.kernels)
    alone = fitted().module_.state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in net.module_.state_dict().items())


def test_a_folder_that_cannot_be_made_is_told_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"the folder cannot be made \(.*\)\. Give another one\."):
        fitted(callbacks=[SaveEachEpoch(WeightsDisplay.from_estimator, tmp_path / "file" / "kernels")])
