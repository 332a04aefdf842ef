"""Computing only what the squares change gives what computing everything gives."""

import numpy as np
import pytest
import torch
from torch import nn

from depthwise.graph import Graph
from depthwise.inspection import occlude, occlusion, patches
from depthwise.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    GlobalAvgPool2D,
    Input,
    LeakyReLU,
    MaxPool2D,
    Output,
    Residual,
)
from depthwise.modules import build

NETWORKS = {
    "valid": [Conv2D(4, 5), Conv2D(4), MaxPool2D(), Conv2D(6), Dense(8), Output(3)],
    "same": [Conv2D(4, padding="same"), Conv2D(4, 4, padding="same"), MaxPool2D(), Conv2D(6, padding=1), Output(3)],
    "strided": [Conv2D(4, 3, stride=2, padding="same"), Conv2D(4, (3, 2), padding=1), GlobalAvgPool2D(), Output(3)],
    "dilated": [Conv2D(4, 3, dilation=2, padding="same"), LeakyReLU(), Conv2D(4, groups=2), BatchNorm(), Output(3)],
    "pooled": [
        Conv2D(4, padding=1, activation=None), MaxPool2D(3, 2, padding=1), Conv2D(4, 1), MaxPool2D(3, 2), Output(3),
    ],
    "gaps": [Conv2D(4, 1, stride=3), Conv2D(4, padding=1), Output(3)],
    "residual": [
        Conv2D(4, padding=1), Residual([Conv2D(4, padding=1), Conv2D(4, padding=1)]), AvgPool2D(), Conv2D(4), Output(3)
    ],
    "branches": [
        Input(name="x"), Conv2D(4, padding=1, name="a"), Conv2D(4, padding=1, name="b"),
        Add(inputs=("a", "b")), Output(3),
    ],
}  # fmt: skip


def made(name, shape=(2, 17, 20)):
    net = build(Graph.from_layers(NETWORKS[name]).at(shape))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in net.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) / 3)
    return net, torch.rand(2, *shape, generator=generator)


@pytest.fixture
def everything(monkeypatch):
    """Occlusion without rectangles."""

    def compute(*arguments, **options):
        with monkeypatch.context() as patched:
            patched.setattr(occlusion, "find_chain", lambda module: ())
            return occlude(*arguments, **options)

    return compute


@pytest.mark.parametrize("options", [{"square": 3}, {"square": (4, 1), "stride": 2}], ids=["odd", "even"])
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_the_same(name, options, everything, monkeypatch):
    net, images = made(name)
    whole = everything(net, images, score="output", **options)
    calls = []
    monkeypatch.setattr(occlusion, "is_worthwhile", lambda *_: not calls.append(1))
    found = occlude(net, images, score="output", **options)
    assert calls and len(patches.find_chain(net)) >= 2
    assert whole.drops.std() > 1e-3
    np.testing.assert_allclose(found.scores, whole.scores, rtol=0, atol=1e-4 * np.abs(whole.drops).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_or_not_the_maps_are_the_same(name, monkeypatch):
    net, images = made(name)
    found = occlude(net, images, square=3)
    monkeypatch.setattr(occlusion, "fold", lambda module: module)
    plain = occlude(net, images, square=3)
    assert plain.maps.std() > 1e-4
    np.testing.assert_allclose(found.maps, plain.maps, rtol=0, atol=1e-5)


def test_a_chain_ends_before_what_is_read_twice_and_at_what_reads_everything():
    lengths = {name: len(patches.find_chain(made(name)[0])) for name in NETWORKS}
    # The input and each convolution with its activation; a pool, a norm and LeakyReLU are one each.
    assert lengths["valid"] == 1 + 2 + 2 + 1 + 2
    assert lengths["residual"] == 3 and lengths["branches"] == 3
    assert lengths["dilated"] == 1 + 2 + 1 + 2 + 1
    assert patches.find_chain(nn.Sequential(nn.Conv2d(1, 1, 3))) == ()


def test_hooks_and_modules_of_others_are_run():
    net, _ = made("valid")
    net.conv2d2 = nn.Sequential(nn.Conv2d(4, 4, 3))
    assert len(patches.find_chain(net)) == 3
    net.conv2d1.register_forward_hook(lambda part, inputs, output: None)
    assert patches.find_chain(net) == ()


def test_it_is_worth_while_only_where_squares_are_small(everything, monkeypatch):
    runs = []
    true = occlusion.covered_outputs
    monkeypatch.setattr(occlusion, "covered_outputs", lambda *arguments: runs.append(1) or true(*arguments))
    net, images = made("valid")
    occlude(net, images, square=3)
    assert runs
    runs.clear()
    np.testing.assert_array_equal(occlude(net, images, square=40).scores, everything(net, images, square=40).scores)
    assert not runs


def test_batches_stay_within_the_bytes(monkeypatch):
    net, images = made("valid")
    sizes = []
    true = patches.Chain.finish
    monkeypatch.setattr(patches.Chain, "finish", lambda chain, maps: sizes.append(len(maps)) or true(chain, maps))
    whole = occlude(net, images, square=3)
    assert 1 < max(sizes) <= patches.GROUP**2 * len(images)
    sizes.clear()
    found = occlude(net, images, square=3, max_bytes=1)
    assert max(sizes) == 1
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-5)
