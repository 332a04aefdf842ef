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
