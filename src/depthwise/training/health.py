"""Measures while training runs: gradients and steps of the weights, what layers read, units that are dead.

It costs little (``benchmarks/health.py``): lengths of gradients and steps are taken in a few steps of an epoch, and
after it some images are sent through the layers.  Nothing waits for the device but once an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from depthwise.analysis.health import EpochHealth, LayerHealth, NonFinite, TrainingHealth
from depthwise.layers.ops import Activation
from depthwise.training.batches import DeviceData
from depthwise.training.data_health import measure_data, rounded, spread
from depthwise.training.history import EpochRecord
from depthwise.training.loop import compute_output
from depthwise.training.randomness import reading
from depthwise.training.watching import Watched, batch_norms, watched_layers

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

SAMPLED_STEPS = 4
"""Steps of an epoch at most whose gradients are measured."""
STEPS_A_SAMPLE = 16
"""Steps of an epoch at least for each one that is measured; of a short epoch one is."""
LOOKED_AT_SHARE, LOOKED_AT_LEAST, LOOKED_AT = 32, 64, 256
"""Images that are sent through the layers: one for so many training images, at least and at most so many.  Forward
alone is a third of a step, so that they are 1 % of the work of an epoch from 2,048 images on."""
FEWEST = 32
"""Images from which on a unit that gives one value for all of them is counted as dead."""
CERTAIN = 0.9999
"""Probability from which on float32 tells an answer from a sure one by few more digits."""

RANGES: dict[str, tuple[float | None, float | None]] = {
    "relu": (0, None), "relu6": (0, 6), "softplus": (0, None), "sigmoid": (0, 1), "tanh": (-1, 1), "softmax": (0, 1),
    "hardsigmoid": (0, 1), "hardtanh": (-1, 1), "elu": (-1, None), "softsign": (-1, 1),
}  # fmt: skip
"""Least and greatest value of activations, as their formulas have them."""

COLUMNS = ("gradient", "update", "input_mean", "input_std", "dead")


class HealthRecorder:
    """Measures one fit.

    Parameters
    ----------
    net
        With its network.  The record it has grows where it goes on learning.
    train, valid
        The data of the fit.
    """

    def __init__(self, net: NeuralNet, train: DeviceData, valid: DeviceData | None) -> None:
        self.net, self.train, self.valid = net, train, valid
        self.layers = watched_layers(net.module_)
        with reading(net):
            self.data = measure_data(net, train, valid)
        self.epochs: list[EpochHealth] = []
        self.columns: list[dict[str, list[Any]]] = [{name: [] for name in COLUMNS} for _ in self.layers]
        self.units = [0] * len(self.layers)
        self.batch_size = 0
        self.non_finite: NonFinite | None = None
        self._step, self._steps, self._sampled = 0, 0, frozenset[int]()
        self._weights: list[Tensor] = []
        self._before: list[Tensor] = []
        self._lengths: list[tuple[list[Tensor], Tensor]] = []
        self._seen: dict[tuple[int, str], list[Tensor]] = {}
        self._certain: list[Tensor] = []
        self._looked_at = 0

    def restore(self, health: TrainingHealth | None) -> None:
        """Go on from the record of an earlier fit, or of one that was interrupted, of the same network."""
        if health is None or [each.layer for each in health.layers] != [each.name for each in self.layers]:
            return
        self.epochs = list(health.epochs)
        self.units, self.batch_size = [each.units for each in health.layers], health.batch_size
        self.columns = [{name: list(getattr(each, name)) for name in COLUMNS} for each in health.layers]

    def begin_epoch(self, sizes: Sequence[int]) -> None:
        """Choose the steps of an epoch that are measured."""
        self._step, self._steps, self.batch_size = 0, len(sizes), max(sizes)
        count = max(1, min(SAMPLED_STEPS, len(sizes) // STEPS_A_SAMPLE))
        self._sampled = frozenset((2 * place + 1) * len(sizes) // (2 * count) for place in range(count))
        self._before, self._lengths, self._seen, self._certain = [], [], {}, []

    def on_gradients(self) -> None:
        """The gradients of a step are there."""
        if self._step in self._sampled and not self._before:
            self._weights = [weight for layer in self.layers for weight in layer.weights if weight.grad is not None]
            self._before = [weight.detach().clone() for weight in self._weights]

    def on_step_end(self) -> None:
        """The weights have moved; where they are measured, the gradients are still there."""
        if self._before:
            gradients = [weight.grad for weight in self._weights if weight.grad is not None]
            with torch.no_grad():
                moved = torch._foreach_sub(self._weights, self._before)
                parts = [torch._foreach_norm(each) for each in (gradients, moved, self._before)]
            self._lengths.append((self._weights, torch.stack([torch.stack(part) for part in parts])))
            self._before = []
        self._step += 1

    def look(self) -> None:
        """Send some images through the layers: validation images if there are any, the same after every epoch."""
        data = self.train if self.valid is None else self.valid
        rows = spread(data.rows, min(max(LOOKED_AT_LEAST, len(self.train) // LOOKED_AT_SHARE), LOOKED_AT))
        self._looked_at = len(rows)
        module = self.net.module_.eval()
        compiled, module._compiled_call_impl = module._compiled_call_impl, None  # hooks would not be called
        try:
            with torch.no_grad(), self._hooked():
                for batch in data.part(rows).in_order():
                    compute_output(module, batch.images, self.net.precision_)
        finally:
            module._compiled_call_impl = compiled

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = [self.net.module_.register_forward_hook(self._see_answers)]
        for place, layer in enumerate(self.layers):
            if layer.reads is not None:
                handles.append(layer.reads.register_forward_hook(partial(self._see_input, place)))
            handles.append(layer.gives.register_forward_hook(partial(self._see_output, place, layer)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _see_input(self, place: int, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
            self._add(place, "input", torch.stack(torch.var_mean(inputs[0].float(), correction=0)))

    def _see_output(self, place: int, layer: Watched, part: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim > 1 and output.is_floating_point():
            axis = output.ndim - 1 if layer.by_last_axis else 1
            others = [other for other in range(output.ndim) if other != axis]
            self.units[place] = output.shape[axis]
            self._add(place, "greatest", output.amax(others))
            self._add(place, "least", output.amin(others))

    def _see_answers(self, part: nn.Module, inputs: Any, output: Tensor) -> None:
        if self.net.outputs_are == "classes" and not getattr(self.net, "multilabel_", False):
            scores = output.float()
            likeliest = scores.softmax(1).amax(1) if output.shape[1] > 1 else scores[:, 0].abs().sigmoid()
            self._certain.append((likeliest > CERTAIN).float())

    def _add(self, place: int, name: str, value: Tensor) -> None:
        self._seen.setdefault((place, name), []).append(value)

    def end_epoch(self, record: EpochRecord) -> None:
        """Keep what was measured in an epoch: the only time that the device is waited for."""
        samples = [dict(zip(weights, lengths.T.tolist(), strict=True)) for weights, lengths in self._lengths]
        for place, (layer, column) in enumerate(zip(self.layers, self.columns, strict=True)):
            column["gradient"].append(_by_weights(samples, layer.weights, 0))
            column["update"].append(_by_weights(samples, layer.weights, 1))
            mean, std = self._read_input(place)
            column["input_mean"].append(mean)
            column["input_std"].append(std)
            column["dead"].append(self._count_dead(place))
        certain = rounded(float(torch.cat(self._certain).mean())) if self._certain else None
        self.epochs.append(
            EpochHealth(
                self._steps, record.train_loss, record.valid_loss, record.valid_accuracy, record.learning_rate, certain
            )
        )

    def _read_input(self, place: int) -> tuple[float | None, float | None]:
        found = self._seen.get((place, "input"))
        if not found:
            return None, None
        variances, means = torch.stack(found).double().T
        variance = (variances + means.square()).mean() - means.mean().square()
        return rounded(float(means.mean())), rounded(sqrt(max(float(variance), 0.0)))

    def _count_dead(self, place: int) -> int | None:
        greatest, least = self._seen.get((place, "greatest")), self._seen.get((place, "least"))
        if not greatest or not least or self._looked_at < FEWEST:
            return None
        return int((torch.stack(greatest).amax(0) == torch.stack(least).amin(0)).sum())

    @property
    def record(self) -> TrainingHealth:
        """Everything that was measured so far."""
        net = self.net
        layers = (
            LayerHealth(layer.name, units, layer.normed, **{name: tuple(column[name]) for name in COLUMNS})
            for layer, units, column in zip(self.layers, self.units, self.columns, strict=True)
        )
        return TrainingHealth(
            data=self.data,
            layers=tuple(layers),
            epochs=tuple(self.epochs),
            batch_size=self.batch_size,
            precision=net.precision_,
            optimizer=type(net.optimizer_).__name__,
            learning_rate=float(net.learning_rate),
            hindrances=_hindrances(net),
            batch_norms=batch_norms(net.module_),
            output_range=_output_range(net),
            non_finite=self.non_finite,
        )


def _by_weights(samples: list[dict[Tensor, list[float]]], weights: Sequence[nn.Parameter], which: int) -> float | None:
    """Length of the gradient (0) or step (1) of a layer by that of its weights, median of the samples."""
    ratios = []
    for lengths in samples:
        known = [lengths[weight] for weight in weights if weight in lengths]
        if size := sqrt(sum(each[2] ** 2 for each in known)):
            ratios.append(sqrt(sum(each[which] ** 2 for each in known)) / size)
    return rounded(median(ratios)) if ratios else None


def _hindrances(net: NeuralNet) -> tuple[str, ...]:
    """What makes training harder than validation."""
    drops = any(isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0 for part in net.module_.modules())
    return ("dropout",) * drops + ("augmentation",) * (net.augment is not None)


def _output_range(net: NeuralNet) -> tuple[float | None, float | None]:
    if net.analysis_ is None:
        return None, None
    last = net.analysis_.graph.nodes[-1].op
    return RANGES.get(last.function, (None, None)) if isinstance(last, Activation) else (None, None)
