"""Scripts, named results, lazy modules and shapes of every kind are read, or told in the house's words."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from depthwise.analysis import analyze_graph
from depthwise.errors import SizeError, TargetError
from depthwise.trace import trace_module


class Calls(nn.Module):
    """One function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def analyze(module, *shape):
    return analyze_graph(trace_module(module, shape).at())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("compile", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(1, 1, 9, 9))])
@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.Linear(324, 3)),
        nn.Sequential(nn.ConvTranspose2d(1, 4, 3, 2), nn.BatchNorm2d(4)),
    ],
    ids=["conv", "dense", "transposed"],
)
def test_both_kinds_of_scripts_are_counted_as_the_module(net, compile):
    net.eval()
    plain, script = analyze(net, 1, 9, 9), analyze(compile(net), 1, 9, 9)
    assert (script.params, script.macs, script.output_shape) == (plain.params, plain.macs, plain.output_shape)
    assert script.not_understood == ()
    assert "run once, on a random image" in str(script)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: x.max(1, keepdim=True).values, (1, 10, 12)),
        (lambda x: x.max(1).indices + 1, (1, 10, 12)),
        (lambda x: x.min(2).values, (4, 12)),
        (lambda x: x.median(1, True).values, (1, 10, 12)),
        (lambda x: x.sort(1).values, (4, 10, 12)),
        (lambda x: x.topk(2, 1)[0], (2, 10, 12)),
        (lambda x: x.cummax(2).values, (4, 10, 12)),
        (lambda x: torch.linalg.svd(x).S, (4, 10)),
        (lambda x: torch.linalg.qr(x)[0], (4, 10, 10)),
        (lambda x: x.gather(1, x.max(1, keepdim=True).indices), (1, 10, 12)),
        (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (4, 10, 12)),
        (lambda x: x.max(1).values if x.sum() > -1e9 else x, (1, 10, 12)),
    ],
)  # fmt: skip
def test_named_results_keep_their_names(function, shape):
    assert trace_module(Calls(function), (4, 10, 12)).at().output_shape == shape


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.from_numpy(x.numpy() * 2),
        lambda x: torch.tensor(x.tolist()),
        torch.vmap(lambda y: y * 2),
    ],
)
def test_a_way_that_cannot_be_followed_is_told(function):
    with pytest.raises(TargetError) as raised:
        trace_module(Calls(function), (1, 4, 4))
    assert str(raised.value) == (
        "Calls returns Tensor, which no function of PyTorch was seen to make of the image: numpy(), tolist() and "
        "torch.vmap cannot be followed. Write what they do with PyTorch's functions of whole batches, or give a module "
        "that returns what it makes of the image."
    )


def test_a_lazy_module_that_does_not_fit_is_told_as_others_are():
    with pytest.raises(SizeError, match="layer '2': a dense layer made for 7 inputs gets 144"):
        trace_module(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.Linear(7, 3), nn.LazyLinear(2)), (1, 8, 8))
    with pytest.raises(TargetError, match="cannot be traced: layer '1': ZeroDivisionError"):
        trace_module(nn.Sequential(nn.LazyConv2d(4, 3), Calls(lambda x: 1 // 0)), (1, 8, 8))
    with pytest.raises(TargetError, match="Sequential cannot be run: ZeroDivisionError"):
        trace_module(nn.Sequential(nn.LazyConv2d(4, 3), Calls(lambda x: x.sum().item() // 0)), (1, 8, 8))


def test_whole_numbers_of_every_kind_are_a_shape():
    conv = nn.Sequential(nn.Conv2d(3, 4, 3))
    wanted = trace_module(conv, (3, 10, 12))
    assert trace_module(conv, np.array([3, 10, 12])) == trace_module(conv, [np.int64(3), np.int8(10), 12]) == wanted
    assert trace_module(conv, inputs=(np.int64(3), 10, 12)) == wanted
    assert wanted.at((np.int64(3), 10, 12)) == wanted.at()


def test_a_shape_with_its_batch_is_told():
    with pytest.raises(SizeError) as raised:
        trace_module(nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 3, 10, 12))
    assert str(raised.value) == (
        "layer '0': needs a map with height and width but gets 1x3x10x12. If its first number counts images, leave the "
        "batch out: 3x10x12."
    )


@pytest.mark.parametrize("shape", [10, "wide", (3, 10.0, 12)])
def test_what_is_no_shape_is_told(shape):
    with pytest.raises(SizeError) as raised:
        trace_module(nn.Conv2d(3, 4, 3), shape)
    assert str(raised.value) == (
        f"input_shape is {shape!r} but must be whole numbers of 1 or more: (channels, height, width) or (features,)."
    )
