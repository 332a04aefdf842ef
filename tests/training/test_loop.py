"""The loop costs little besides its arithmetic."""

import cProfile
import pstats

import numpy as np
import pytest
import torch
from torch import nn

from depthwise.layers import Dense, Output
from depthwise.training import NeuralNetClassifier
from depthwise.training.batches import DeviceData
from depthwise.training.losses import Penalty

MOST_CALLS = {0.0: 330, 0.01: 370}
"""Python calls a batch, by l2; a bare loop makes about 190, skorch 1.4.0 about 3,100."""


def data(n_images, features=3):
    X = torch.randn(n_images, features, generator=torch.Generator().manual_seed(0))
    return DeviceData.on(torch.device("cpu"), X, torch.arange(n_images))


def test_every_image_comes_once_an_epoch_and_in_another_order():
    generator = torch.Generator().manual_seed(0)
    orders = [torch.cat([batch.targets for batch in data(50).shuffled(16, generator)]) for _ in range(2)]
    assert [sorted(order.tolist()) for order in orders] == [list(range(50))] * 2
    assert not torch.equal(*orders)


@pytest.mark.parametrize(
    ("n_images", "batch_size", "sizes"),
    [
        (50, 16, [16, 16, 16, 2]),
        (48, 16, [16, 16, 16]),
        (49, 16, [16, 16, 17]),
        (1, 16, [1]),
        (5, 16, [5]),
        (3, 1, [1] * 3),
    ],
)
def test_the_last_batch_holds_what_is_left_but_never_one_image(n_images, batch_size, sizes):
    batches = data(n_images).shuffled(batch_size, torch.Generator())
    assert [len(batch.images) for batch in batches] == sizes


def test_batches_in_order_are_nearly_equal():
    assert [len(batch.images) for batch in data(10).in_order(4)] == [4, 3, 3]
    assert torch.equal(torch.cat([batch.targets for batch in data(10).in_order(4)]), torch.arange(10))


def test_a_part_shares_the_memory_of_the_whole():
    whole = data(10)
    part = whole.part(torch.tensor([7, 2]))
    assert part.X is whole.X and len(part) == 2
    assert [batch.targets.tolist() for batch in part.in_order()] == [[7, 2]]


def test_images_stay_bytes_until_the_network_and_lie_channels_last():
    X = torch.zeros(6, 3, 4, 4, dtype=torch.uint8)
    (batch,) = DeviceData.on(torch.device("cpu"), X).in_order()
    images = batch.images
    assert images.dtype == torch.uint8 and images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("l2", MOST_CALLS)
def test_python_calls_a_batch_are_few(l2):
    X = np.random.default_rng(0).normal(size=(1280, 20)).astype(np.float32)
    y = np.arange(1280) % 2

    def calls(n_images):
        net = NeuralNetClassifier(
            [Dense(32), Output()], optimizer="sgd", l2=l2, max_epochs=1, validation=None, verbose=0
        )
        net.fit(X[:128], y[:128])  # what only happens once is done
        profile = cProfile.Profile()
        profile.runcall(net.fit, X[:n_images], y[:n_images])
        return pstats.Stats(profile).total_calls

    assert (calls(1280) - calls(256)) / 8 <= MOST_CALLS[l2]


def test_an_epoch_asks_for_the_value_of_its_sum_once(two_classes, monkeypatch):
    X, y = two_classes
    asked = []
    for name in ("item", "__float__", "__int__", "tolist", "__bool__"):
        original = getattr(torch.Tensor, name)

        def counting(tensor, *arguments, original=original, name=name):
            asked.append(name)
            return original(tensor, *arguments)

        monkeypatch.setattr(torch.Tensor, name, counting)

    def count(batch_size):
        asked.clear()
        NeuralNetClassifier([Dense(4), Output()], batch_size=batch_size, max_epochs=3, verbose=0, l2=0.1).fit(X, y)
        return len(asked)

    assert count(4) == count(60)  # as many for twelve batches an epoch as for one


def test_the_penalty_is_that_of_autograd():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    images = torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    module(images).square().mean().backward()
    plain = [p.grad.clone() for p in module.parameters()]
    penalty = Penalty(module, 0.3, 0.7)
    penalty.add_gradient()
    added = [p.grad - before for p, before in zip(module.parameters(), plain, strict=True)]
    matrices = [p for p in module.parameters() if p.ndim > 1]
    expected = 0.3 * sum(p.abs().sum() for p in matrices) + 0.7 * sum(p.square().sum() for p in matrices)
    torch.testing.assert_close(penalty.value(), expected.detach())
    for parameter, gradient in zip(module.parameters(), added, strict=True):
        wanted = torch.autograd.grad(expected, parameter, retain_graph=True)[0] if parameter.ndim > 1 else 0 * gradient
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


def test_no_penalty_is_false_and_frozen_weights_have_none():
    module = nn.Linear(3, 2)
    assert not Penalty(module, 0.0, 0.0) and Penalty(module, 0.0, 0.1)
    module.weight.requires_grad_(False)
    assert not Penalty(module, 0.0, 0.1)
