"""What folding gives computes the same as the network, and nothing is folded that must run as it is."""

import copy

import pytest
import torch
from hypothesis import given, settings
from strategies import layer_lists
from torch import nn
from tutorial_networks import CIFAR, CIFAR_TAKE_2, DIGITS, NET1, NET3, NETZ_MUCH_POOLING

from depthwise.graph import Graph
from depthwise.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    GroupNorm,
    LeakyReLU,
    Output,
    Residual,
)
from depthwise.layers.layer import ACTIVATIONS
from depthwise.modules import Network, build, folding
from depthwise.modules.folding import FusedConv2d, fold

torch.set_num_threads(1)


def network_of(layers, shape) -> Network:
    """A network in evaluation mode whose norms have something to say."""
    network = build(Graph.from_layers(layers).at(shape)).to(memory_format=torch.channels_last).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.running_mean.normal_(generator=generator)
                part.running_var.uniform_(0.5, 2, generator=generator)
                if part.affine:
                    part.weight.normal_(generator=generator)
                    part.bias.normal_(generator=generator)
    return network


def images_of(shape, count=3):
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))
    return images.contiguous(memory_format=torch.channels_last) if len(shape) == 3 else images


def in_bfloat16(images, weight, bias, padding, stride, dilation, groups, name, numbers, variant):
    """What oneDNN's kernel does where the processor multiplies bfloat16; elsewhere it refuses."""
    assert images.dtype == weight.dtype == torch.bfloat16 and name == "leaky_relu"
    maps = torch.nn.functional.conv2d(images, weight, bias, stride, padding, dilation, groups)
    return torch.nn.functional.leaky_relu(maps, *numbers)


def check_equal(network, images, **options):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold(network, **options)
    assert folded is not network
    with torch.inference_mode():
        got, expected = folded(images), network(images)
    scale = expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * scale)
    after = network.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)
    return folded


@given(layer_lists())
@settings(max_examples=40)
def test_a_folded_network_gives_the_same(drawn):
    layers, shape = drawn
    network, images = network_of(layers, shape), images_of(shape)
    check_equal(network, images)
    check_equal(network, images, fuse=False)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [(NET1, DIGITS), (NET3, DIGITS), (NETZ_MUCH_POOLING, DIGITS), (CIFAR_TAKE_2, CIFAR)],
    ids=["nolearn", "padded", "netz", "keras"],
)
def test_the_tutorials_networks_keep_no_norm_and_no_dropout(layers, shape):
    folded = check_equal(network_of(layers, shape), images_of(shape))
    kinds = {type(part) for part in folded.parts}
    assert FusedConv2d in kinds and not kinds & {nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout}


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if "softmax" not in name])
def test_every_activation_behind_a_convolution(activation):
    layers = [Conv2D(4, activation=activation), Conv2D(4, 2, padding="same", norm="batch", activation=activation)]
    check_equal(network_of([*layers, Output(2)], (2, 9, 8)), 3 * images_of((2, 9, 8)))


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        ([Conv2D(4), BatchNorm()], nn.BatchNorm2d),  # a norm behind the activation
        ([Conv2D(4, norm=None, activation=None), GroupNorm(2), Activation("relu")], nn.GroupNorm),
        ([Conv2DTranspose(4, norm="batch")], nn.BatchNorm2d),
        ([Dense(4), BatchNorm()], nn.BatchNorm1d),
        ([Dense(4, "relu")], nn.ReLU),
        ([Residual([Conv2D(2, padding="same", activation=None)], activation="relu")], nn.ReLU),
    ],
)
def test_what_cannot_be_folded_runs_as_it_is(layers, kept):
    folded = check_equal(network_of([*layers, Output(3)], (2, 6, 6)), images_of((2, 6, 6)))
    assert kept in {type(part) for part in folded.parts}


def test_a_map_that_is_read_twice_is_not_changed():
    layers = [Conv2D(2, activation=None, padding="same"), Residual([BatchNorm(), LeakyReLU()], activation=None)]
    folded = check_equal(network_of([*layers, Output(3)], (2, 6, 6)), images_of((2, 6, 6)))
    assert nn.BatchNorm2d in {type(part) for part in folded.parts}


def test_weights_without_a_norm_are_not_copied_and_every_fold_reads_the_newest():
    network, images = network_of([Conv2D(4), Dense(5), Dropout(), Output(3)], (2, 6, 6)), images_of((2, 6, 6))
    own = {value.data_ptr() for value in network.parameters()}
    assert {value.data_ptr() for value in fold(network).parameters()} == own
    network = network_of([Conv2D(4, norm="batch"), Output(3)], (2, 6, 6))
    first = fold(network)
    network.conv2d1.weight.data.mul_(2)  # PyTorch's version counters do not see this
    with torch.no_grad():
        assert not torch.allclose(first(images), network(images))
    check_equal(network, images)


def test_hooks_training_and_modules_of_others_are_left_alone():
    def made():
        return network_of([Conv2D(4), Dropout(), Output(3)], (2, 6, 6))

    assert fold(other := nn.Sequential(nn.Conv2d(1, 1, 1))) is other
    hooked, trained, patched, changed = made(), made(), made(), made()
    calls = []
    hooked.conv2d1.register_forward_hook(lambda *_: calls.append(1))
    trained.dropout2.train()
    patched.conv2d1.forward = lambda images: images
    for network in (hooked, trained, patched):
        assert fold(network) is network
    fold(hooked)(images_of((2, 6, 6)))
    assert calls == [1]
    changed.conv2d1 = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)).eval()
    check_equal(changed, images_of((2, 6, 6)))


def test_without_the_kernel_of_onednn_only_norms_are_folded(monkeypatch):
    monkeypatch.setattr(folding, "_fused_convolution", lambda: None)
    folded = check_equal(network_of(CIFAR_TAKE_2, CIFAR), images_of(CIFAR))
    kinds = {type(part) for part in folded.parts}
    assert FusedConv2d not in kinds and nn.BatchNorm2d not in kinds and nn.LeakyReLU in kinds


def test_a_kernel_that_is_gone_or_wrong_is_not_used(monkeypatch):
    for kernel in (None, type("Kernel", (), {"default": staticmethod(lambda images, *_: images)})):
        with monkeypatch.context() as patched:
            patched.setattr(torch.ops.mkldnn, "_convolution_pointwise", kernel, raising=False)
            folding._fused_convolution.cache_clear()
            assert folding._fused_convolution() is None
    folding._fused_convolution.cache_clear()


def test_other_numbers_gradients_and_no_images():
    network = network_of([Conv2D(4, norm="batch"), Output(3)], (2, 6, 6))
    images = images_of((2, 6, 6))
    check_equal(copy.deepcopy(network).double(), images.double())
    folded = fold(network)
    with torch.no_grad():
        assert folded(images[:0]).shape == (0, 3)
    leaf = images.clone().requires_grad_()
    folded(leaf).sum().backward()
    assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("native", [False, True])
def test_bfloat16_is_as_near_as_without_folding(native, monkeypatch):
    if native and not folding._multiplies_bfloat16():
        monkeypatch.setattr(folding, "_multiplies_bfloat16", lambda: True)
        monkeypatch.setattr(folding, "_fused_convolution", lambda: in_bfloat16)
    network, images = network_of(CIFAR_TAKE_2, CIFAR), images_of(CIFAR)
    with torch.inference_mode():
        exact = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            plain, folded = network(images).float(), fold(network)(images).float()
    assert folded.dtype == plain.dtype and (folded - exact).abs().max() < 2 * (plain - exact).abs().max() + 1e-3
