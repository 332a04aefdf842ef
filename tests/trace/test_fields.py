"""The fields of random modules are those that images of NaN show."""

from collections import Counter

import pytest
import torch
from random_modules import KINDS, RandomModule
from torch import nn
from torch.nn import functional as F

from depthwise.inspection.verify import verify_module

DEEPEST = 20


@pytest.fixture(autouse=True)
def one_thread():
    """Maps this small only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check(seeds):
    kinds = Counter()
    for seed in seeds:
        module = RandomModule(seed, depth=1 + seed % DEEPEST)
        kinds += module.kinds
        result = verify_module(module, module.shape)
        assert {layer.verdict for layer in result.layers} == {"equal"}, f"seed {seed}\n{result}\n{module.plan}"
        assert not result.sampled
    return kinds


def test_fields_of_random_modules_are_exact():
    assert set(check(range(50))) == set(KINDS)


@pytest.mark.slow
def test_fields_of_many_random_modules_are_exact():
    kinds = check(range(1000, 1600))
    assert min(kinds[kind] for kind in set(KINDS)) >= 20


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(1, 2, 1, padding=3),
        nn.Sequential(nn.Conv2d(1, 2, 1, padding=2), nn.MaxPool2d(2, 3)),
        nn.ConvTranspose2d(1, 2, 2, stride=3),
        nn.ConvTranspose2d(1, 2, 3, stride=2, dilation=2),
        nn.MaxPool2d((1, 4), (2, 3), (0, 2), (2, 1), ceil_mode=True),
    ],
    ids=str,
)
def test_units_that_read_nothing_but_padding(module):
    result = verify_module(module, (1, 19, 2))
    assert {layer.verdict for layer in result.layers} == {"equal"}, str(result)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_by_the_values_of_the_map(mode):
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, padding=2, padding_mode=mode)

        def forward(self, x):
            return F.max_pool2d(self.conv(x), 2)

    result = verify_module(Padded(), (1, 9, 12))
    assert {layer.verdict for layer in result.layers} == {"equal"}, str(result)
