"""What tells one parameter's value from another, in whatever process."""

import copy
import itertools
import logging
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.model_selection import ShuffleSplit
from torch import nn

from depthwise.data.augmentation import RandomCrop, RandomFlip
from depthwise.training import Callback, EarlyStopping
from depthwise.training.spelling import spell


def loss_with(gamma):
    return lambda output, target: gamma * (output - target).abs().mean()


class Logs(Callback):
    def __init__(self, level):
        self.log = logging.getLogger("depthwise")
        self.level = level
        self.owner = self


DIFFERENT = {
    "numbers": [1, 2, 1.5, True, None, np.float64(1.25), "1"],
    "containers": [[1, 2], [2, 1], {1, 2}, {"a": 1}, {"a": 2}, [[1], 2]],
    "weights of a loss": [nn.CrossEntropyLoss(weight=torch.tensor(each)) for each in ([1.0, 1.0], [1.0, 9.0])],
    "settings of a loss": [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)],
    "functions": [loss_with(1), loss_with(2), lambda x: x, lambda x: x + 1, abs, partial(loss_with, 1), partial(max)],
    "keywords": [partial(loss_with, gamma=2), partial(loss_with, gamma=5)],
    "arrays": [np.zeros(20), np.ones(20), np.zeros((4, 5)), np.zeros(20, np.float32), torch.zeros(20)],
    "callbacks": [EarlyStopping(3), EarlyStopping(4), Logs(1), Logs(2)],
    "augmentations": [RandomFlip(), RandomCrop(2), RandomCrop(3), [RandomFlip(), RandomCrop(2)]],
    "splitters": [ShuffleSplit(1), ShuffleSplit(2)],
    "classes": [torch.optim.SGD, torch.optim.Adam],
}


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_told_apart(values):
    assert all(spell(one) != spell(other) for one, other in itertools.combinations(values, 2))


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_what_is_equal_is_not(values):
    for value in values:
        assert spell(value) == spell(copy.deepcopy(value))
        assert " at 0x" not in spell(value)


def test_another_process_says_the_same():
    code = (
        "from test_spelling import DIFFERENT\nfrom depthwise.training.spelling import spell\n"
        "for values in DIFFERENT.values():\n    for value in values: print(spell(value))"
    )
    path = f"import sys\nsys.path[:0] = {[str(each) for each in [*sys.path, __file__.rpartition('/')[0]]]!r}\n"
    told = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=True).stdout
    here = [spell(value).replace(__name__, "test_spelling") for values in DIFFERENT.values() for value in values]
    assert told.splitlines() == here
