"""Twice the multiply-accumulates are the operations that PyTorch's own counter counts."""

import architectures as nets
import pytest
import torch
from odd_networks import ConvNeXtBlock, Focus, Gate, Patchify, ResNet18, Transformer, UNet
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from depthwise.analysis import analyze_graph
from depthwise.trace import trace_module


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (ResNet18(10), (3, 64, 64)),
        (UNet(), (1, 40, 36)),
        (Focus(), (3, 24, 32)),
        (Patchify(), (3, 32, 48)),
        (nn.Sequential(nn.Conv2d(3, 8, 4, 4), ConvNeXtBlock(8)), (3, 32, 48)),
        (nn.Sequential(nn.Conv2d(3, 8, 3), Gate(8)), (3, 20, 24)),
        (
            nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, dilation=2), nn.ConvTranspose2d(8, 6, 3, 2, groups=2)),
            (4, 13, 11),
        ),
        (nn.Sequential(nn.Conv1d(2, 4, 5), nn.ConvTranspose1d(4, 2, 3, 3)), (2, 30)),
        (nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 4 * 5, 7)), (1, 8, 6, 7)),
        (nets.write(nets.INCEPTION_V3)[0], (3, 96, 96)),
        (Transformer(class_token=False), (3, 32, 32)),
        (Transformer(class_token=True), (3, 32, 32)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_twice_the_macs_are_the_counted_operations(module, shape):
    module.train()  # in evaluation PyTorch fuses an encoder layer, of which the counter sees nothing
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        (module if any(isinstance(part, nn.MultiheadAttention) for part in module.modules()) else module.eval())(
            torch.rand(1, *shape)
        )
    assert 2 * analyze_graph(trace_module(module, shape).at()).macs == counter.get_total_flops()


class Attention(nn.Module):
    """The same attention by PyTorch's function, and written out."""

    def __init__(self, fused):
        super().__init__()
        self.fused = fused

    def forward(self, x):
        heads = x.flatten(2).transpose(1, 2).unflatten(2, (2, -1)).transpose(1, 2)
        if self.fused:
            return nn.functional.scaled_dot_product_attention(heads, heads, heads[..., :3])
        return (heads @ heads.mT).softmax(-1) @ heads[..., :3]


def test_attention_costs_what_its_two_products_cost():
    fused, written = (analyze_graph(trace_module(Attention(fused), (8, 5, 6)).at()).macs for fused in (True, False))
    assert fused == written == 2 * 30 * 30 * (4 + 3)


class Folded(nn.Module):
    """Filters each channel with the same weights, as images of their own in the batch."""

    def __init__(self, pool):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 8, 3), pool

    def forward(self, x):
        maps = self.pool(self.conv(x.reshape(x.shape[0] * x.shape[1], 1, *x.shape[2:])))
        return maps.reshape(x.shape[0], -1, *maps.shape[2:])


@pytest.mark.parametrize("pool", [nn.Identity(), nn.MaxPool2d(2)])
def test_a_convolution_of_channels_in_the_batch_is_counted(pool):
    analysis = analyze_graph(trace_module(Folded(pool), (3, 10, 12)).at())
    assert (analysis.params, analysis.macs, analysis.not_understood) == (80, 3 * 8 * 9 * 8 * 10, ())
    assert analysis["conv"].receptive_field == (3, 3)


class Clip(nn.Module):
    """Filters each frame of a clip as an image of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x.transpose(1, 2).flatten(0, 1))


def test_weights_of_a_function_that_is_not_understood_make_the_counts_a_bound():
    analysis = analyze_graph(trace_module(Clip(), (3, 4, 8, 8)).at())
    assert analysis.not_understood == (("conv", "conv2d"),)
    assert "at least 0 MACs" in str(analysis)
    assert "fields behind and work inside are not known: conv (conv2d)" in str(analysis)


def test_what_only_moves_values_leaves_the_counts_exact():
    class Rolled(nn.Module):
        def forward(self, x):
            return x.roll(1, 2).softmax(2).amin(2)

    text = str(analyze_graph(trace_module(nn.Sequential(nn.Conv2d(1, 4, 3), Rolled()), (1, 8, 8)).at()))
    assert "at least" not in text
    assert text.endswith("fields behind are not known: 1.roll (roll), 1.softmax (softmax), 1 (amin)")
