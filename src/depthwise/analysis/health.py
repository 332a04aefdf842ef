"""What a training was like: the record that the rules of training judge.  Facts, no judgement; knows nothing of torch.

It is plain numbers with four digits, so that it is saved with the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any, Literal

from depthwise.tables import Column, Table

Place = Literal["image", "output", "loss", "gradient", "weights"]


@dataclass(frozen=True)
class DataHealth:
    """Images and targets, as training got them.

    Attributes
    ----------
    n_train, n_valid
        Number of images.
    lowest, highest
        Of the pixels of some training images, before they are standardized.
    constant_pixels
        Share of the places whose value is the same in all of these images, channels apart.
    class_counts
        Training images of each class; ``None`` where there are no classes.
    chance_loss
        Loss of the best answer that is the same for all images, in nats or squared units; ``None`` where it is unknown.
    duplicates
        Validation images that are among the training images, pixel for pixel; ``None`` where they were not compared.
    least_target, greatest_target
        Of the training targets of a regression.
    weighted
        Whether images or classes count unlike.
    """

    n_train: int
    n_valid: int
    lowest: float
    highest: float
    constant_pixels: float
    class_counts: tuple[int, ...] | None = None
    chance_loss: float | None = None
    duplicates: int | None = None
    least_target: float | None = None
    greatest_target: float | None = None
    weighted: bool = False


@dataclass(frozen=True)
class LayerHealth:
    """One layer, an entry an epoch in every tuple; ``None`` where it does not apply.

    Attributes
    ----------
    layer
        Name of the declared layer, or path of the submodule.
    units
        Channels of its map, or values of a dense layer.
    normed
        Whether it normalizes its output, or the next layer does.
    gradient
        Length of the gradient of its weights by the length of the weights, median of the sampled steps.
    update
        Length of a step of the weights by the length of the weights, median of the sampled steps.
    input_mean, input_std
        Of what it reads, over some validation images; the same in every epoch.
    dead
        Number of units that give one value on all of these images.
    """

    layer: str
    units: int
    normed: bool
    gradient: tuple[float | None, ...]
    update: tuple[float | None, ...]
    input_mean: tuple[float | None, ...]
    input_std: tuple[float | None, ...]
    dead: tuple[int | None, ...]

    @property
    def dead_share(self) -> float:
        """Dead units by all, after the last epoch."""
        return (self.dead[-1] or 0) / max(self.units, 1) if self.dead else 0.0


@dataclass(frozen=True)
class EpochHealth:
    """One epoch.

    Attributes
    ----------
    steps
        Steps of the optimizer.
    train_loss, valid_loss, valid_accuracy, learning_rate
        As in the history.
    certain
        Share of the sampled validation images whose class has a probability above 0.9999.
    """

    steps: int
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None
    learning_rate: float | None
    certain: float | None = None


@dataclass(frozen=True)
class NonFinite:
    """The first value of a training that was not finite.

    Attributes
    ----------
    epoch, batch
        Counted from 1; the batch is ``None`` where a replay of the epoch did not meet it again.
    place
        What it was.
    layer
        Where it was, if in one layer.
    value
        ``"nan"`` or ``"inf"``.
    """

    epoch: int
    batch: int | None
    place: Place
    layer: str | None
    value: str


@dataclass(frozen=True)
class TrainingHealth:
    """What was measured while a network was trained.

    Attributes
    ----------
    data
        Images and targets.
    layers
        Layers with weights or an activation, in the order in which they run.
    epochs
        All epochs that were completed.
    batch_size
        Of the last epoch.
    precision, optimizer, learning_rate
        As chosen.
    hindrances
        What makes training harder than validation: ``"dropout"``, ``"augmentation"``.
    batch_norms
        Layers that normalize over a batch.
    output_range
        Least and greatest value that the output can take; ``None`` where it is not bounded.
    non_finite
        What ended training, if anything did.

    Examples
    --------
    >>> data = DataHealth(100, 20, 0, 1, 0.0, (50, 50), 0.6931)
    >>> layer = LayerHealth("conv2d1", 8, False, (0.1,), (0.001,), (0.0,), (1.0,), (2,))
    >>> health = TrainingHealth(data, (layer,), (EpochHealth(10, 0.5, 0.4, 0.8, 0.001),), 10, "float32", "adam", 0.001)
    >>> print(health)
    layer    units  dead  gradient  update  input mean  input std
    -------  -----  ----  --------  ------  ----------  ---------
    conv2d1      8     2       0.1   0.001           0          1
    >>> TrainingHealth.from_dict(health.to_dict()) == health
    True
    """

    data: DataHealth
    layers: tuple[LayerHealth, ...]
    epochs: tuple[EpochHealth, ...]
    batch_size: int
    precision: str
    optimizer: str
    learning_rate: float
    hindrances: tuple[str, ...] = ()
    batch_norms: tuple[str, ...] = ()
    output_range: tuple[float | None, float | None] = (None, None)
    non_finite: NonFinite | None = None

    @property
    def train_losses(self) -> list[float]:
        """Of every epoch."""
        return [epoch.train_loss for epoch in self.epochs]

    @property
    def valid_losses(self) -> list[float]:
        """Of every epoch, or none at all."""
        losses = [epoch.valid_loss for epoch in self.epochs]
        return [loss for loss in losses if loss is not None] if None not in losses else []

    @property
    def updates(self) -> list[float]:
        """Median over the layers of how far a step moves their weights, epoch by epoch."""
        by_epoch = zip(*(layer.update for layer in self.layers), strict=True)
        known = ([value for value in values if value is not None] for values in by_epoch)
        return [median(values) for values in known if values]

    def table(self) -> Table:
        """The layers as they are after the last epoch."""
        titles = ("layer", "units", "dead", "gradient", "update", "input mean", "input std")
        names = ("dead", "gradient", "update", "input_mean", "input_std")
        rows = [
            [layer.layer, str(layer.units), *(_write(getattr(layer, name)) for name in names)] for layer in self.layers
        ]
        return Table([Column(title, "right" if place else "left") for place, title in enumerate(titles)], rows)

    def __str__(self) -> str:
        return self.table().text(head_padding=0)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TrainingHealth:
        """Read what :meth:`to_dict` wrote."""
        made = {name: _as_tuples(value) for name, value in plain.items()}
        made["data"] = _record(DataHealth, plain["data"])
        made["layers"] = tuple(_record(LayerHealth, layer) for layer in plain["layers"])
        made["epochs"] = tuple(_record(EpochHealth, epoch) for epoch in plain["epochs"])
        made["non_finite"] = None if plain["non_finite"] is None else _record(NonFinite, plain["non_finite"])
        return cls(**made)


def _record(kind: type[Any], plain: Mapping[str, Any]) -> Any:
    known = {column.name for column in fields(kind)}
    return kind(**{name: _as_tuples(value) for name, value in plain.items() if name in known})


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, (list, tuple)) else value


def _write(values: tuple[float | None, ...]) -> str:
    return "" if not values or values[-1] is None else f"{values[-1]:.3g}"
