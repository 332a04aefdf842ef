"""A healthy training, from which the examples of the rules of training are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from depthwise.analysis.health import DataHealth, EpochHealth, LayerHealth, TrainingHealth
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.rule import Example

LAYERS = (
    Conv2D(16, padding="same"),
    MaxPool2D(),
    *[Conv2D(32, padding="same")] * 2,
    GlobalAvgPool2D(),
    Output(10),
)
INPUT_SHAPE = (1, 16, 16)
UNITS = {"conv2d1": 16, "conv2d3": 32, "conv2d4": 32, "output6": 10}
EPOCHS = 5
DATA = DataHealth(4000, 1000, 0, 255, 0.1, (400,) * 10, 2.303, duplicates=0)
LOSSES = ((1.2, 0.7, 0.72), (0.6, 0.5, 0.81), (0.42, 0.4, 0.87), (0.35, 0.36, 0.89), (0.3, 0.33, 0.9))


def trained(
    *,
    data: Mapping[str, Any] | None = None,
    layers: Mapping[str, Mapping[str, Any]] | None = None,
    epochs: Mapping[str, Sequence[float]] | None = None,
    **changes: Any,
) -> Example:
    """The example, with what is otherwise in it.

    Parameters
    ----------
    data
        Of the images and targets.
    layers
        Of some layers: name -> column -> a value an epoch, or one for all.
    epochs
        Of the epochs: column -> a value an epoch.
    changes
        Of the rest of the record.
    """
    records = [_layer(name, (layers or {}).get(name, {})) for name in UNITS]
    course = [EpochHealth(32, *losses, learning_rate=1e-3, certain=0.1) for losses in LOSSES]
    for column, values in (epochs or {}).items():
        changed: list[dict[str, Any]] = [{column: value} for value in values]
        course = [replace(epoch, **change) for epoch, change in zip(course, changed, strict=True)]
    about = replace(DATA, **(data or {}))
    health = TrainingHealth(about, tuple(records), tuple(course), 128, "float32", "Adam", 1e-3)
    return Example(LAYERS, INPUT_SHAPE, health=replace(health, **changes))


def _layer(name: str, otherwise: Mapping[str, Any]) -> LayerHealth:
    columns = {"gradient": 0.1, "update": 2e-3, "input_mean": 0.5, "input_std": 1.0, "dead": 0, **otherwise}
    each = {column: value if isinstance(value, tuple) else (value,) * EPOCHS for column, value in columns.items()}
    return LayerHealth(name, UNITS[name], False, **each)
