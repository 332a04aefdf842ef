"""A faster way through a network that does not learn: norms folded into weights, activations fused with convolutions.

A BatchNorm that no longer changes is a scale and a shift of each channel.  They go into the weights before it:
w' = w gamma / sqrt(var + eps), b' = (b - mean) gamma / sqrt(var + eps) + beta (Jacob et al.: Quantization and Training
of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR 2018, section 3.2).  On a processor oneDNN then
computes a convolution and its activation in one pass over the map.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthwise.graph import SizedGraph
from depthwise.modules.network import Network, plan_steps
from depthwise.modules.parts import GemmConv2d, PaddedConv2d

FUSABLE = (nn.Conv2d, PaddedConv2d)
CONVOLUTIONS = (*FUSABLE, GemmConv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
DROPOUTS = (nn.Dropout, nn.Dropout2d)


def fold(module: nn.Module, *, fuse: bool = True) -> nn.Module:
    """Return what computes the same as a network in evaluation mode, only faster; made anew for every use.

    Convolutions and dense layers have the BatchNorm behind them in their weights, convolutions on the processor compute
    their activation, dropout is gone.  All else is the network's own modules.  Weights are copied only where a norm is
    folded into them, so it takes the memory of those, and a millisecond for a million of them: too little to keep a
    copy that might grow stale.  A module comes back as it is if it is not a :class:`Network`, if it is in training
    mode, or if hooks wait for its parts to run.

    Parameters
    ----------
    module
        Not changed.  Its weights must not change while the result is in use.
    fuse
        Whether to fuse activations, too; without it every convolution is PyTorch's own.

    Returns
    -------
    nn.Module
        For use without gradients.

    Examples
    --------
    >>> from depthwise.graph import Graph
    >>> from depthwise.layers import Conv2D, Output
    >>> from depthwise.modules import build
    >>> network = build(Graph.from_layers([Conv2D(8, norm="batch"), Output(10)]).at((1, 28, 28))).eval()
    >>> [type(part).__name__ for part in fold(network).parts]
    ['Standardize', 'FusedConv2d', 'Identity', 'Identity', 'Flatten', 'Linear']
    """
    if type(module) is not Network or any(_is_watched(part) for part in module.modules()):
        return module
    nodes, parts = module.sized.nodes, module.parts
    places = {node.name: place for place, node in enumerate(nodes)}
    readers: list[list[int]] = [[] for _ in nodes]
    for place, node in enumerate(nodes):
        for name in node.node.inputs:
            readers[places[name]].append(place)
    with torch.no_grad():
        for place, part in enumerate(parts):
            if type(part) in DROPOUTS:
                parts[place] = nn.Identity()
            elif type(part) in (*CONVOLUTIONS, nn.Linear):
                parts[place] = _absorb(parts, readers, place, fuse)
    return Folded(module.sized, parts).eval()


class Folded(Network):
    """A network's operations by other modules, one a node; those that have nothing left to do are identities."""

    def __init__(self, sized: SizedGraph, parts: Sequence[nn.Module]) -> None:
        nn.Module.__init__(self)
        self.sized = sized
        self.made = made = nn.ModuleList(parts)
        self._plan = plan_steps(sized, [(made._modules, str(place)) for place in range(len(parts))])


class FusedConv2d(nn.Module):
    """A convolution and its activation in one kernel; with gradients, or where the kernel is missing, in two."""

    def __init__(self, convolution: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.convolution: Any = convolution
        self.activation = activation
        self.kernel = _kernel_of(activation)
        self.halved: tuple[Tensor, Tensor | None] | None = None

    def forward(self, images: Tensor) -> Tensor:
        pads = getattr(self.convolution, "pads", None)
        return self.convolve(images if pads is None else F.pad(images, pads), self.convolution.padding)

    def convolve(self, images: Tensor, padding: tuple[int, int]) -> Tensor:
        """Convolve with another padding, and activate."""
        made = self.convolution
        lowered = torch.is_autocast_enabled("cpu")
        if torch.is_grad_enabled() or not len(images) or (lowered and not _has_bfloat16()):
            maps = F.conv2d(images, made.weight, made.bias, made.stride, padding, made.dilation, made.groups)
            return cast(Tensor, self.activation(maps))
        weight, bias = self._halved() if lowered else (made.weight, made.bias)
        images, options = images.to(weight.dtype), (padding, made.stride, made.dilation, made.groups)
        return cast(Tensor, _fused_convolution()(images, weight, bias, *options, *self.kernel))

    def _halved(self) -> tuple[Tensor, Tensor | None]:
        if self.halved is None:
            weight, bias = self.convolution.weight, self.convolution.bias
            self.halved = weight.bfloat16(), None if bias is None else bias.bfloat16()
        return self.halved


def _absorb(parts: list[nn.Module], readers: list[list[int]], place: int, fuse: bool) -> nn.Module:
    """The convolution or dense layer with what stands behind it; that becomes identities."""
    made = parts[place]
    while len(readers[place]) == 1:
        place = readers[place][0]
        behind = parts[place]
        if type(behind) in NORMS and cast(Any, behind).running_var is not None:
            made = _scaled(made, behind)
        elif fuse and _can_fuse(made, behind):
            parts[place] = nn.Identity()
            return FusedConv2d(made, behind)
        elif type(behind) not in (*DROPOUTS, nn.Identity):
            break
        parts[place] = nn.Identity()
    return made


def _scaled(part: Any, norm: Any) -> nn.Module:
    """A copy with the norm in its weights."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -norm.running_mean if part.bias is None else part.bias - norm.running_mean
    shift = shift * scale
    if norm.bias is not None:
        shift = shift + norm.bias
    made = copy.copy(part)
    weight = part.weight * scale.to(part.weight).view(-1, *[1] * (part.weight.ndim - 1))
    frozen = {"weight": weight, "bias": shift.to(weight)}
    made._parameters = {name: nn.Parameter(value, requires_grad=False) for name, value in frozen.items()}
    made._modules = {}
    return cast(nn.Module, made)


def _is_watched(part: nn.Module) -> bool:
    """Whether to leave a network alone, since its parts must really run."""
    return part.training or bool(part._forward_hooks or part._forward_pre_hooks) or "forward" in vars(part)


def _can_fuse(part: Any, activation: nn.Module) -> bool:
    return (
        type(part) in FUSABLE
        and part.padding_mode == "zeros"
        and isinstance(part.padding, tuple)
        and part.weight.device.type == "cpu"
        and part.weight.dtype == torch.float32
        and bool(_kernel_of(activation))
        and _fused_convolution() is not None
    )


def _kernel_of(activation: Any) -> tuple[Any, ...]:
    """Name, numbers and variant of an activation as PyTorch hands them to oneDNN; empty where it has none."""
    match activation:
        case nn.ReLU6():
            return "hardtanh", [0.0, 6.0], ""
        case nn.LeakyReLU():
            return "leaky_relu", [activation.negative_slope], ""
        case nn.GELU():
            return "gelu", [], activation.approximate
        case nn.ReLU():
            return "relu", [], ""
        case nn.SiLU():
            return "swish", [], ""
        case nn.Hardswish():
            return "hardswish", [], ""
        case nn.Tanh():
            return "tanh", [], ""
        case nn.Sigmoid():
            return "sigmoid", [], ""
    return ()


@cache
def _fused_convolution() -> Any:
    """PyTorch's operator, if it is there and does what it should; its name is private and may go."""
    try:
        operator = torch.ops.mkldnn._convolution_pointwise.default
        images, weight = torch.ones(1, 1, 2, 2), -torch.ones(1, 1, 1, 1)
        made = operator(images, weight, None, (0, 0), (1, 1), (1, 1), 1, *_kernel_of(nn.LeakyReLU(0.5)))
    except (AttributeError, RuntimeError, TypeError):
        return None
    return operator if torch.equal(made, -0.5 * images) else None


def _has_bfloat16() -> bool:
    """Whether autocast asks for bfloat16 and oneDNN has it for this processor."""
    return torch.get_autocast_dtype("cpu") == torch.bfloat16 and _multiplies_bfloat16()


@cache
def _multiplies_bfloat16() -> bool:
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False
