"""How large activations and gradients are in each layer, and which units are dead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.errors import DataError, TargetError, did_you_mean
from depthwise.graph import SizedNode
from depthwise.inspection.asking import (
    batch_length,
    choose_targets,
    demand_module,
    read_array,
    to_tensor,
    undisturbed,
)
from depthwise.inspection.choosing import CLOSEST, hookable, hooked
from depthwise.inspection.running import differentiate, run_module
from depthwise.layers.ops import Activation, Conv, Dense, Norm, format_shape
from depthwise.modules import Network
from depthwise.tables import Column, Table
from depthwise.trace.tracing import is_out_of_memory

NEARLY_DEAD = 0.025
"""A unit whose mean |activation| is at most this share of the mean over its layer is nearly dead.  Sokar, Agarwal,
Castro, Evci: The Dormant Neuron Phenomenon in Deep Reinforcement Learning, ICML 2023: tau-dormant units."""

BY_LAST_AXIS = (nn.Linear, nn.LayerNorm)
"""Their units lie along the last axis also where there are more than two; those of all else along the second."""

Objective = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """What one layer gives on the data; a unit is a channel of a map, or one value of a dense layer.

    Attributes
    ----------
    layer
        Declared layer, measured behind its norm and activation; or path of a submodule.
    mean, std
        Of all its outputs.
    active
        Share of each unit's outputs that are above zero, shape ``(n_units,)``.
    scale
        Mean |output| of each unit, shape ``(n_units,)``.
    rectified
        Whether no output was below zero.  Only then can a unit be dead.
    gradient
        Root mean square of d loss / d output over outputs and images, the loss that of one image; ``None`` where no
        targets were given.
    """

    layer: str
    mean: float
    std: float
    active: NDArray[np.float64]
    scale: NDArray[np.float64]
    rectified: bool
    gradient: float | None

    @property
    def dead(self) -> tuple[int, ...] | None:
        """Units that were never above zero; ``None`` where outputs below zero occur, too."""
        return tuple(np.flatnonzero(self.active == 0).tolist()) if self.rectified else None

    @property
    def nearly_dead(self) -> tuple[int, ...] | None:
        """Units that are not dead, but at most `NEARLY_DEAD` times as large as the mean of the layer."""
        if not self.rectified:
            return None
        weak = (self.scale <= NEARLY_DEAD * self.scale.mean()) & (self.active > 0)
        return tuple(np.flatnonzero(weak).tolist())

    @property
    def dead_share(self) -> float | None:
        """Number of dead units by that of all."""
        return None if self.dead is None else len(self.dead) / len(self.active)


@dataclass(frozen=True)
class Statistics:
    """Activations and gradients of a network on some images, layer by layer; prints as a table.

    Attributes
    ----------
    layers
        One :class:`LayerStatistics` a layer, in the order in which they run.
    n_images
        Images that were looked at.
    """

    layers: tuple[LayerStatistics, ...]
    n_images: int

    def __getitem__(self, name: str) -> LayerStatistics:
        """Statistics of a layer, by name."""
        for layer in self.layers:
            if layer.layer == name:
                return layer
        names = [layer.layer for layer in self.layers]
        meant = did_you_mean(name, names, CLOSEST)
        raise TargetError(f"there is no layer {name!r}.{meant} There are: {', '.join(names)}.")

    def table(self) -> Table:
        """The layers as a table."""
        titles = ("layer", "units", "dead", "nearly dead", "mean", "std", "gradient")
        return Table([Column(title, "right" if place else "left") for place, title in enumerate(titles)], [
            [
                layer.layer, str(len(layer.active)), _count(layer.dead), _count(layer.nearly_dead),
                f"{layer.mean:.3g}", f"{layer.std:.3g}", "" if layer.gradient is None else f"{layer.gradient:.2e}",
            ]
            for layer in self.layers
        ])  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return {
            "n_images": self.n_images,
            "layers": [
                {
                    "layer": layer.layer,
                    "units": len(layer.active),
                    "mean": layer.mean,
                    "std": layer.std,
                    "gradient": layer.gradient,
                    "dead": None if layer.dead is None else list(layer.dead),
                    "nearly_dead": None if layer.nearly_dead is None else list(layer.nearly_dead),
                }
                for layer in self.layers
            ],
        }

    def __str__(self) -> str:
        return self.table().text(head_padding=0)

    def _repr_html_(self) -> str:
        return self.table().html()


def measure_statistics(
    module: nn.Module,
    images: ArrayLike | Tensor,
    targets: ArrayLike | Tensor | None = None,
    loss: Objective | None = None,
    *,
    max_bytes: int | None = None,
) -> Statistics:
    """Activations of every layer with weights or an activation, and, with targets, the gradients that reach it.

    In evaluation mode and float32; the module, its gradients included, is left as it was.  Sums run over the batches,
    so that no maps of more than one batch are kept.

    Parameters
    ----------
    module
        Any network of one input.  An activation that is called as a function is not seen: the layer before it is
        measured before it.
    images
        Shape ``(n_images, channels, height, width)``.
    targets
        Places of the classes, whole numbers of shape ``(n_images,)``; or numbers as the network's output.
    loss
        ``loss(output, target)``, the mean over a batch; by default the cross-entropy for whole numbers, else the
        squared error.
    max_bytes
        Memory that the maps of a batch may take.

    Raises
    ------
    TargetError
        The network has no layer to measure.
    DataError
        There are no images, they do not go through the network, or targets do not fit them.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(98, 3))
    >>> with torch.no_grad():
    ...     net[0].bias[:] = torch.tensor([-9.0, 9.0])
    >>> found = measure_statistics(net, torch.rand(4, 1, 9, 9), [0, 1, 2, 0])
    >>> found["1"].dead, found["0"].dead
    ((0,), None)
    """
    module = demand_module(module)
    tensor = to_tensor(module, images)
    wanted = None if targets is None else _targets(targets, tensor)
    watched = _watched(module)
    if not watched:
        raise TargetError("the network has no layer with weights or an activation, so there is nothing to measure.")
    sums: dict[str, _Sums] = {}
    with undisturbed(module), torch.set_grad_enabled(wanted is not None):
        step = batch_length(module, tensor, max_bytes, gradients=wanted is not None)
        for start in range(0, len(tensor), step):
            part = tensor[start : start + step]
            with _summing(watched, sums):
                if wanted is None:
                    run_module(module, part)
                    continue
                part = part.clone().requires_grad_()
                total = _total_loss(run_module(module, part), wanted[start : start + step], loss)
                # Of each image's own loss, through all layers down to the images; parameters get none.
                differentiate(module, total, part)
    return Statistics(tuple(sums[name].result(name) for name in sums), len(tensor))


def _total_loss(output: Tensor, target: Tensor, loss: Objective | None) -> Tensor:
    """Sum of the images' losses."""
    if not isinstance(output, Tensor):
        raise TargetError(f"the network gives {type(output).__name__}, no tensor, so that there is no loss of it.")
    if target.is_floating_point() and target.numel() == output.numel():
        target = target.view_as(output)
    if loss is None and target.is_floating_point() and target.shape != output.shape:
        raise _no_loss(output, target, "their shapes differ")  # PyTorch would stretch one of them
    if loss is None and not target.is_floating_point() and output.ndim == 2:
        choose_targets(output, target)  # refuses places of no class
    usual = F.mse_loss if target.is_floating_point() else F.cross_entropy
    try:
        return (loss or usual)(output.float(), target) * len(target)
    except (RuntimeError, ValueError, IndexError) as problem:
        if is_out_of_memory(problem):
            raise
        raise _no_loss(output, target, str(problem)) from problem


def _no_loss(output: Tensor, target: Tensor, reason: str) -> DataError:
    given, wanted = format_shape(tuple(output.shape)), format_shape(tuple(target.shape))
    return DataError(
        f"targets: there is no loss between an output of {given} and targets of {wanted} ({reason}). "
        "Give targets of the output's shape, places of the classes, or another loss."
    )


def _targets(targets: ArrayLike | Tensor, images: Tensor) -> Tensor:
    if isinstance(targets, Tensor):
        values = targets
    else:
        array = read_array(targets, "targets")
        if array.dtype.kind not in "biuf":
            raise DataError(f"targets: are {targets!r:.60} but must be numbers, or places of the classes.")
        values = torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))
    if values.ndim == 0 or len(values) != len(images):
        count = len(values) if values.ndim else 1
        raise DataError(f"targets: there are {count} for {len(images)} images. Give one for each image.")
    return values.to(images.device, torch.float32 if values.is_floating_point() else torch.int64)


@dataclass
class _Sums:
    """Running sums of one layer; the first of each batch tells how many units there are."""

    count: int = 0
    units: dict[str, Tensor] = field(default_factory=dict)
    least: float = float("inf")
    squared_gradient: float = 0.0
    with_gradient: int = 0

    def add(self, output: Tensor, axis: int) -> None:
        values = output.detach().float()
        others = [other for other in range(values.ndim) if other != axis]
        parts = {
            "total": values.sum(others, dtype=torch.float64),
            "squares": values.square().sum(others, dtype=torch.float64),
            "size": values.abs().sum(others, dtype=torch.float64),
            "positive": (values > 0).sum(others),
        }
        for name, part in parts.items():
            self.units[name] = self.units[name] + part if name in self.units else part
        self.count += values.numel()
        self.least = min(self.least, float(values.min()))

    def add_gradient(self, gradient: Tensor) -> None:
        self.squared_gradient += float(gradient.float().square().sum(dtype=torch.float64))
        self.with_gradient += gradient.numel()

    def result(self, name: str) -> LayerStatistics:
        units = {key: value.double().cpu().numpy() for key, value in self.units.items()}
        each = self.count / len(units["total"])
        mean = float(units["total"].sum() / self.count)
        variance = max(0.0, float(units["squares"].sum() / self.count) - mean * mean)
        gradient = sqrt(self.squared_gradient / self.with_gradient) if self.with_gradient else None
        return LayerStatistics(
            name, mean, sqrt(variance), units["positive"] / each, units["size"] / each, self.least >= 0, gradient
        )


@contextmanager
def _summing(watched: dict[nn.Module, str], sums: dict[str, _Sums]) -> Iterator[None]:
    """Add up what the watched parts give, for one batch; a part that runs again is a layer of its own."""
    runs: Counter[str] = Counter()

    def add(part: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim < 2 or not output.is_floating_point():
            return
        runs[watched[part]] += 1
        again = runs[watched[part]]
        own = sums.setdefault(watched[part] + (f"#{again}" if again > 1 else ""), _Sums())
        own.add(output, output.ndim - 1 if isinstance(part, BY_LAST_AXIS) else 1)
        if output.requires_grad:
            # On the tensor, not on the module: backward hooks of modules clash with activations that work in place.
            output.register_hook(own.add_gradient)

    with hooked(watched, add):
        yield


def _watched(module: nn.Module) -> dict[nn.Module, str]:
    """Parts to measure, with their names."""
    if isinstance(module, Network):
        layers: dict[str, list[SizedNode]] = {}
        for node in module.sized.nodes[1:]:
            layers.setdefault(node.node.layer, []).append(node)
        kept = {
            nodes[-1].name: name
            for name, nodes in layers.items()
            if any(isinstance(node.op, (Conv, Dense, Norm, Activation)) for node in nodes)
        }
        return {module.get_submodule(path): name for path, name in kept.items()}
    return {
        part: path or type(module).__name__
        for part, path in hookable(module).items()
        if next(part.children(), None) is None
        and (next(part.parameters(), None) is not None or type(part).__module__ == nn.ReLU.__module__)
    }


def _count(units: tuple[int, ...] | None) -> str:
    return "" if units is None else str(len(units))
