"""Modules that fail, each in its own way: what they raise is told in our words."""

import numpy as np
import pytest
import torch
from torch import nn

import depthwise as dw
from depthwise.errors import DataError, TargetError
from depthwise.inspection import (
    compute_cam,
    compute_saliency,
    find_exciting,
    measure_effective_field,
    measure_statistics,
    occlude,
    read_activations,
)
from depthwise.inspection.running import run_module

IMAGES = np.zeros((2, 1, 8, 8), np.float32)
LOOKS = {
    "activations": lambda net: read_activations(net, IMAGES),
    "exciting": lambda net: find_exciting(net, IMAGES),
    "exciting, of a layer": lambda net: find_exciting(net, IMAGES, layer="layer"),
    "statistics": lambda net: measure_statistics(net, IMAGES),
    "gradients": lambda net: measure_statistics(net, IMAGES, [0, 1]),
    "occlusion": lambda net: occlude(net, IMAGES),
    "saliency": lambda net: compute_saliency(net, IMAGES),
    "cam": lambda net: compute_cam(net, IMAGES),
    "effective field": lambda net: measure_effective_field(net, (1, 8, 8)),
    "verify": lambda net: dw.verify(net, (1, 8, 8)),
}


class Two(nn.Module):
    """Two inputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 3)

    def forward(self, images, mask):
        return self.layer(images) * mask


class Raising(nn.Module):
    """Raises an error behind its layer, after so many calls."""

    def __init__(self, problem, calls=0):
        super().__init__()
        self.layer, self.problem, self.calls = nn.Conv2d(1, 2, 3), problem, iter(range(calls))

    def forward(self, images):
        if next(self.calls, None) is None:
            raise self.problem
        return self.layer(images).mean((2, 3))


@pytest.mark.parametrize("look", LOOKS)
def test_a_network_of_two_inputs_is_told(look):
    with pytest.raises(TargetError) as caught:
        LOOKS[look](Two())
    said = "Two.forward() missing 1 required positional argument: 'mask'"
    if look == "verify":
        assert str(caught.value) == f"{said}; it was called with 1 input. " + remedy()
    else:
        assert str(caught.value) == f"Two cannot be run: TypeError: {said}. " + remedy()


def remedy():
    return "Give a module that takes a batch of images and nothing else."


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("calls", [0, 1])
def test_whatever_a_forward_raises_is_told(look, calls):
    for problem, reason in (
        (ValueError("a side of 8 is odd\nto me"), "ValueError: a side of 8 is odd"),
        (AssertionError(), "AssertionError"),
        (RuntimeError("shapes clash"), "shapes clash"),
    ):
        with pytest.raises((DataError, TargetError)) as caught:
            LOOKS[look](Raising(problem, calls))
        if look == "verify":
            assert str(caught.value).startswith(f"Raising cannot be traced: {type(problem).__name__}: ")
        else:
            assert str(caught.value) == (
                f"images: of 1x8x8 do not go through the network ({reason}). "
                "Give images of the size and channels that it was trained on."
            )
        assert caught.value.__cause__ is problem
    with pytest.raises(TargetError, match=r"^Raising cannot be (run|traced): KeyError: 'left'"):
        LOOKS[look](Raising(KeyError("left"), calls))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        KeyboardInterrupt(),
        TargetError("ours"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_what_is_no_fault_of_the_network_passes(look, problem):
    net = Raising(problem)
    with pytest.raises(type(problem)) as caught:
        LOOKS[look](net)
    assert caught.value is problem
    assert net.training and not net.layer._forward_hooks


def test_a_network_without_gradients_is_told():
    class Rounding(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            return values.round()

    class Rounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)

        def forward(self, images):
            return Rounding.apply(self.layer(images)).mean((2, 3))

    for look in ("saliency", "cam", "gradients"):
        with pytest.raises(TargetError) as caught:
            LOOKS[look](Rounded())
        assert str(caught.value).startswith("Rounded passes no gradients back to the images: NotImplementedError: You")
    assert occlude(Rounded(), IMAGES).scores.shape == (2, 8, 8)


def test_targets_that_no_loss_takes_are_told():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    with pytest.raises(DataError) as caught:
        measure_statistics(net, IMAGES, np.zeros((2, 4)))
    told = (
        "targets: there is no loss between an output of 2x3 and targets of {} ({}). "
        "Give targets of the output's shape, places of the classes, or another loss."
    )
    assert str(caught.value) == told.format("2x4", "their shapes differ")

    def refuse(output, target):
        raise ValueError("too few")

    with pytest.raises(DataError) as caught:
        measure_statistics(net, IMAGES, [0, 1], refuse)
    assert str(caught.value) == told.format("2", "too few")


def test_rows_that_are_not_one_an_image_are_told():
    class Joined(nn.Module):
        def forward(self, images):
            return images.reshape(1, -1)

    with pytest.raises(TargetError) as caught:
        compute_saliency(Joined(), IMAGES)
    assert str(caught.value) == "the network gives 1 rows for 2 images, but one for each is needed."


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore::FutureWarning")
def test_a_script_within_a_network_is_run_but_not_looked_into():
    frozen = torch.jit.freeze(torch.jit.script(nn.Identity().eval()))
    net = nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(nn.ReLU()), frozen, nn.Flatten(), nn.Linear(144, 3))
    plain = nn.Sequential(net[0], nn.ReLU(), nn.Identity(), *net[3:])
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(run_module(net, images), plain(images))
    np.testing.assert_allclose(occlude(net, images).maps, occlude(plain, images).maps, atol=1e-6)
    assert [layer.layer for layer in measure_statistics(net, images).layers] == ["0", "4"]
    with pytest.raises(TargetError) as caught:
        read_activations(net, images, "1")
    assert str(caught.value) == (
        "the layer ReLU is a TorchScript, which cannot be looked into. Name another, or give the module that it was "
        "made of."
    )
