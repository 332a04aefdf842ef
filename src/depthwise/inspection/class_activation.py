"""Where a layer found what speaks for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.analysis.regions import find_region
from depthwise.errors import DepthwiseError, TargetError
from depthwise.inspection.asking import Array, asked, batch_length, demand_choice, to_array
from depthwise.inspection.choosing import Chosen, find_last_map, find_layer, hooked
from depthwise.inspection.probabilities import read_probabilities
from depthwise.inspection.running import differentiate, run_module
from depthwise.layers.shapes import format_shape
from depthwise.modules import Network
from depthwise.trace import trace_module

CamMethod = Literal["layercam", "gradcam", "gradcam++"]
CAM_METHODS = ("layercam", "gradcam", "gradcam++")


@dataclass(frozen=True, eq=False)
class ClassActivation:
    """Maps of one layer, weighted with what they do for a class.

    Attributes
    ----------
    method
        ``"layercam"``, ``"gradcam"`` or ``"gradcam++"``.
    layer
        Name of the layer.
    images
        What was looked at, shape ``(n_images, channels, height, width)``.
    targets
        Column of the output that was explained, for each image.
    outputs, probabilities
        The network's outputs, and the probabilities that they tell, as in :class:`~depthwise.inspection.Saliency`.
    layer_maps
        One map an image at the layer's own size, 0 or more.
    maps
        The same at the size of the images.
    """

    method: CamMethod
    layer: str
    images: Array
    targets: NDArray
    outputs: Array
    probabilities: Array
    layer_maps: Array
    maps: Array


def compute_cam(
    module: nn.Module,
    images: ArrayLike | Tensor,
    targets: ArrayLike | Tensor | None = None,
    *,
    layer: object = None,
    method: CamMethod = "layercam",
    max_bytes: int | None = None,
) -> ClassActivation:
    """Class activation map of any layer, in float32 and evaluation mode.

    With maps A_k of the layer and gradients g_k of the output with respect to them:
    ``"layercam"``: relu(sum_k relu(g_k) A_k), at each position.
    ``"gradcam"``: relu(sum_k mean(g_k) A_k).
    ``"gradcam++"``: relu(sum_k w_k A_k), w_k = sum relu(g_k) g_k^2 / (2 g_k^2 + g_k^3 sum A_k).
    Every unit's value stands at the center of its receptive field, with straight lines in between; where the network
    cannot be traced the map is stretched over the image.  The module is left as it was.

    Parameters
    ----------
    module
        Any network of one input that gives one value a class.
    images
        Shape ``(n_images, channels, height, width)``.
    targets
        Column of the output to explain, one for each image or for all; by default the largest output of each.
    layer
        As for :func:`read_activations`; by default the last convolution with its norm and activation.
    method
        Which of the three.  LayerCAM is right for layers of any depth.
    max_bytes
        Memory that the maps of a batch may take; by default 64 MiB on the processor and 2 GiB on an accelerator.

    Raises
    ------
    TargetError
        There is no such layer, or it gives no maps.
    DataError
        An argument is out of range, or the images do not go through the network.

    References
    ----------
    Jiang et al.: LayerCAM, IEEE TIP 2021.  Selvaraju et al.: Grad-CAM, ICCV 2017.  Chattopadhay et al.: Grad-CAM++,
    WACV 2018.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    >>> found = compute_cam(net, torch.rand(5, 1, 8, 8), method="gradcam")
    >>> found.layer, found.layer_maps.shape, found.maps.shape
    ('1', (5, 6, 6), (5, 8, 8))
    """
    demand_choice("method", method, CAM_METHODS)
    with asked(module, images, targets, max_bytes) as (tensor, outputs, wanted):
        chosen = find_last_map(module, tensor[:1]) if layer is None else find_layer(module, layer)
        step = batch_length(module, tensor, max_bytes, gradients=True)
        found = []
        for part, columns in zip(tensor.split(step), wanted.split(step), strict=True):
            maps, gradients = _maps_and_gradients(module, chosen, part, columns)
            found.append(_weigh(maps.float(), gradients.float(), method))
        layer_maps = torch.cat(found)
        probabilities = read_probabilities(module, tensor, outputs)
        placed = _place(module, chosen, layer_maps, tensor)
    arrays = (to_array(each) for each in (outputs, probabilities, layer_maps, placed))
    return ClassActivation(method, chosen.name, to_array(tensor), wanted.cpu().numpy(), *arrays)


def _maps_and_gradients(module: nn.Module, chosen: Chosen, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    seen: list[Tensor] = []

    def keep(part: nn.Module, inputs: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            given = format_shape(tuple(output.shape[1:])) if isinstance(output, Tensor) else type(output).__name__
            raise TargetError(f"layer {chosen.name!r}: gives {given} for an image, but maps are needed. Name another.")
        seen.append(output if output.requires_grad else output.detach().requires_grad_())
        return seen[-1].clone()  # what follows may work in place

    with torch.enable_grad(), hooked([chosen.part], keep):
        outputs = run_module(module, images.detach().clone().requires_grad_() * 1.0)
        if not seen:
            raise TargetError(f"layer {chosen.name!r}: does not run when images go through the network. Name another.")
        total = outputs.reshape(len(images), -1).float().gather(1, targets[:, None]).sum()
    if not total.requires_grad:
        return seen[-1].detach(), torch.zeros_like(seen[-1])
    return seen[-1].detach(), differentiate(module, total, seen[-1])


def _weigh(maps: Tensor, gradients: Tensor, method: str) -> Tensor:
    if method == "layercam":
        weights = gradients.relu()
    elif method == "gradcam":
        weights = gradients.mean((2, 3), keepdim=True)
    else:
        squares = gradients.square()
        below = 2 * squares + squares * gradients * maps.sum((2, 3), keepdim=True)
        # Where the gradient is 0 its weight is 0, whatever 0 / 0 says.
        shares = torch.where(below == 0, 0.0, squares / torch.where(below == 0, 1.0, below))
        weights = (shares * gradients.relu()).sum((2, 3), keepdim=True)
    return torch.nan_to_num((weights * maps).sum(1).relu())


def _place(module: nn.Module, chosen: Chosen, layer_maps: Tensor, images: Tensor) -> Tensor:
    """Maps at the size of the images, each value at the center of what its unit sees."""
    values = layer_maps
    for axis, (ends, side) in enumerate(
        zip(_centers(module, chosen, layer_maps, images), images.shape[2:], strict=True)
    ):
        count = layer_maps.shape[1 + axis]
        pixels = torch.arange(side, device=values.device, dtype=values.dtype)
        first, last = ends if ends is not None else ((side / count - 1) / 2, side - 1 - (side / count - 1) / 2)
        per_unit = (last - first) / max(count - 1, 1) or 1.0
        units = ((pixels - first) / per_unit).clamp(0, count - 1)
        below = units.floor().long()
        above = (below + 1).clamp(max=count - 1)
        share = (units - below).view(-1, *[1] * (1 - axis))
        low, high = values.index_select(1 + axis, below), values.index_select(1 + axis, above)
        values = low + share * (high - low)
    return values


def _centers(module: nn.Module, chosen: Chosen, layer_maps: Tensor, images: Tensor) -> list[tuple[float, float] | None]:
    """Per axis, the pixels at the middle of what the first and the last unit see; ``None`` where it is not known."""
    count = layer_maps.shape[1:]
    try:
        graph = module.sized if isinstance(module, Network) else trace_module(module, tuple(images.shape[1:])).at()
        nodes = [node for node in graph.nodes if _belongs(chosen.name, node.name, node.node.layer)]
        nodes = [node for node in nodes if tuple(node.output_shape[1:]) == tuple(count)]
        ends = [find_region(graph, nodes[-1].name, unit).unclipped for unit in ((0, 0), tuple(n - 1 for n in count))]
    except (DepthwiseError, RuntimeError, IndexError):
        return [None, None]
    if ends[0] is None or ends[1] is None:
        return [None, None]
    return [
        (sum(first) / 2, sum(last) / 2) if sum(last) > sum(first) or n == 1 else None
        for first, last, n in zip(ends[0], ends[1], count, strict=True)
    ]


def _belongs(name: str, node: str, layer: str) -> bool:
    return name in (node, layer) or node.startswith(f"{name}.") or layer.startswith(f"{name}.")
