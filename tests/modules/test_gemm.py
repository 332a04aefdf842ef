"""A convolution by one product of matrices is a convolution."""

import pytest
import torch
from torch import nn
from tutorial_networks import BLOG_NET, DIGITS

import depthwise as dw
from depthwise.graph import Graph
from depthwise.layers import Conv2D, Output
from depthwise.modules import build
from depthwise.modules.folding import fold
from depthwise.modules.parts import GemmConv2d
from depthwise.trace import trace_module

torch.set_num_threads(1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 1)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), ((2, 3), 1), (2, 2), ((1, 2), 1), (3, (1, 2))])
def test_values_and_gradients_are_those_of_pytorchs(kernel, dilation, padding, stride, bias):
    generator = torch.Generator().manual_seed(0)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "bias": bias}
    plain, gemm = nn.Conv2d(5, 7, kernel, **options), GemmConv2d(5, 7, kernel, **options)
    gemm.load_state_dict(plain.state_dict())
    assert list(gemm.state_dict()) == list(plain.state_dict())
    images = torch.randn(3, 5, 8, 7, generator=generator).contiguous(memory_format=torch.channels_last)
    found = []
    for module in (plain, gemm.to(memory_format=torch.channels_last)):
        leaf = images.clone(memory_format=torch.preserve_format).requires_grad_()
        output = module(leaf)
        weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
        (output * weights).sum().backward()
        found.append([output.detach(), leaf.grad, *[value.grad for value in module.parameters()]])
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
    assert output.is_contiguous(memory_format=torch.channels_last)


def test_only_large_layers_on_tiny_maps_are_computed_so():
    def kinds(layers, shape, **options):
        with torch.device("meta"):
            network = build(Graph.from_layers(layers).at(shape), **options)
        return [name for name, part in network.named_modules() if isinstance(part, GemmConv2d)]

    assert kinds(BLOG_NET, DIGITS) == ["conv2d8"]  # 512 to 1024 channels on 5x5 units
    assert kinds(BLOG_NET, DIGITS, gemm=False) == []
    wide = [Conv2D(700)]
    assert kinds(wide, (700, 5, 5)) == ["conv2d1"]
    assert kinds(wide, (700, 6, 5)) == []  # 4x3 outputs
    assert kinds(wide, (600, 5, 5)) == []  # 3.8 million weights
    assert kinds([Conv2D(1400, groups=2)], (1400, 5, 5)) == []
    assert kinds([Conv2D(1100, 2, padding="same")], (1000, 3, 3)) == []  # more padding on one side


def test_such_a_network_is_read_folded_and_compared_as_any_other():
    layers = [Conv2D(1024, norm="batch"), Output(2)]
    sized = Graph.from_layers(layers).at((512, 4, 4))
    network, plain = build(sized).eval(), build(sized, gemm=False).eval()
    plain.load_state_dict(network.state_dict())
    assert type(network.conv2d1) is GemmConv2d and type(plain.conv2d1) is nn.Conv2d
    images = torch.randn(2, 512, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = plain(images)
        for module in (network, fold(network)):
            torch.testing.assert_close(module(images), expected, rtol=1e-5, atol=1e-5)
    shape = sized.input_shape
    assert trace_module(network, shape) == trace_module(plain, shape)
    assert dw.analyze(network, shape).macs == dw.analyze(layers, shape).macs
