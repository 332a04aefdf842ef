"""Single layers as parameters of the estimator: ``conv2d1__out_channels``, ``conv2d1=Conv2D(8)``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Self

from sklearn.base import BaseEstimator
from torch import nn

from depthwise.errors import TrainingError, did_you_mean
from depthwise.layers import Input, Layer, Residual, layer_names, with_input
from depthwise.notation import read_layers

SEPARATOR = "__"


class LayerParams(BaseEstimator):
    """Parameters that reach into ``layers``."""

    layers: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; ``deep`` adds every layer and its arguments: ``conv2d1``, ``conv2d1__out_channels``."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and not isinstance(self.layers, nn.Module):
            params |= layer_params(declared_layers(self.layers), params)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, whole layers, or arguments of layers; all of them, or none if one is refused.

        Raises
        ------
        TrainingError
            There is no such parameter or layer.
        LayerError
            A value is not right for its layer.

        Examples
        --------
        >>> from depthwise.layers import Conv2D, Output
        >>> from depthwise.training import NeuralNetClassifier
        >>> NeuralNetClassifier([Conv2D(32), Output()]).set_params(conv2d1__out_channels=8).layers
        [Conv2D(8), Output()]
        """
        own = self.get_params(deep=False)
        layers = params.get("layers", self.layers)
        inner = {name: value for name, value in params.items() if name not in own}
        if inner and isinstance(layers, nn.Module):
            raise unknown_param(next(iter(inner)), own)
        if inner:
            declared = declared_layers(layers)
            known = [*own, *layer_params(declared, own)]
            params["layers"] = as_declared(set_layer_params(declared, inner, known), layers)
        for name in own.keys() & params.keys():
            setattr(self, name, params[name])
        return self


def declared_layers(layers: object) -> tuple[Layer, ...]:
    """Layer records of whatever ``layers=`` may be but a module, the input written out.

    >>> from depthwise.layers import Dense
    >>> declared_layers([(Dense, {"units": 3})])
    (Input(), Dense(3))
    """
    if isinstance(layers, (str, os.PathLike)):
        layers = read_layers(layers)
    if isinstance(layers, type):
        name = layers.__name__
        raise TrainingError(f"layers is the class {name}, not a network. Give an object of it: {name}(...).")
    return with_input(layers)  # type: ignore[arg-type]


def layer_params(layers: Sequence[Layer], taken: Iterable[str]) -> dict[str, Any]:
    """Every layer and every argument of one, by the names that ``set_params`` takes.

    Parameters
    ----------
    layers
        With the input.
    taken
        Parameters of the estimator, which no layer may be called after.

    Examples
    --------
    >>> from depthwise.layers import Dense
    >>> list(layer_params(with_input([Dense(3)]), ()))[-4:]
    ['dense1__inputs', 'dense1__units', 'dense1__activation', 'dense1__bias']
    """
    refuse_taken_names(layers, taken)
    return dict(_walk(layers, ""))


def refuse_taken_names(layers: Sequence[Layer], taken: Iterable[str]) -> None:
    """No layer may bear the name of an estimator's parameter: ``set_params(loss=...)`` would mean two things."""
    for name, _ in layer_names(layers):
        if name in set(taken):
            raise TrainingError(f"layer {name!r}: the estimator has a parameter of this name. Choose another name=.")


def set_layer_params(layers: Sequence[Layer], changes: Mapping[str, Any], known: Iterable[str]) -> list[Layer]:
    """The layers with changes made, whole layers first.

    Parameters
    ----------
    layers
        With the input.
    changes
        As ``{"conv2d1__out_channels": 8, "dense3": Dense(5)}``.
    known
        All names there are, for the error.

    Raises
    ------
    TrainingError
        A name is unknown.
    LayerError
        A value is not right for its layer.
    """
    changed = list(layers)
    for key in sorted(changes, key=lambda key: key.count(SEPARATOR)):
        name, *path = key.split(SEPARATOR)
        places = {own: place for place, (own, _) in enumerate(layer_names(changed))}
        if name not in places:
            raise unknown_param(key, known)
        place = places[name]
        changed[place] = _changed(changed[place], path, changes[key], key, known)
    return changed


def unknown_param(key: str, known: Iterable[str]) -> TrainingError:
    """What to say of a parameter that is not there."""
    listed = list(known)
    meant = did_you_mean(key, listed, most=3)
    tops = ", ".join(name for name in listed if SEPARATOR not in name)
    return TrainingError(f"there is no parameter {key!r}.{meant} There are: {tops}, and arguments of layers.")


def _walk(layers: Sequence[Layer], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, layer in layer_names(layers):
        yield f"{prefix}{name}", layer
        for entry in fields(layer):
            yield f"{prefix}{name}{SEPARATOR}{entry.name}", getattr(layer, entry.name)
        if isinstance(layer, Residual):
            yield from _walk(layer.layers, f"{prefix}{name}{SEPARATOR}")
            yield from _walk(layer.shortcut or (), f"{prefix}{name}{SEPARATOR}shortcut{SEPARATOR}")


def _changed(layer: Layer, path: Sequence[str], value: Any, key: str, known: Iterable[str]) -> Layer:
    if not path:
        return _replaced(layer, value, key)
    head, *rest = path
    if isinstance(layer, Residual):
        for argument, inner, steps in (("layers", layer.layers, path), ("shortcut", layer.shortcut or (), rest)):
            if steps and steps[0] in dict(layer_names(inner)) and (argument == "layers" or head == "shortcut"):
                changes = {SEPARATOR.join(steps): value}
                return replace(layer, **{argument: tuple(set_layer_params(inner, changes, known))})  # type: ignore[arg-type]
    if rest or head not in {entry.name for entry in fields(layer)}:
        raise unknown_param(key, known)
    return replace(layer, **{head: value})


def _replaced(layer: Layer, value: Any, key: str) -> Layer:
    """Another layer in the place of one, whose own name and wiring stay unless the new one brings its own."""
    if not isinstance(value, Layer):
        raise TrainingError(f"{key} is {value!r} but must be a layer such as {layer!r}.")
    kept = {name: getattr(layer, name) for name in ("name", "inputs") if getattr(value, name) is None}
    return replace(value, **kept) if any(kept.values()) else value


def as_declared(layers: Sequence[Layer], before: object) -> list[Layer]:
    """The list as the user writes it: without the input, if that was implied and says nothing."""
    implied = not (isinstance(before, Sequence) and len(before) > 0 and isinstance(before[0], Input))
    return list(layers[1:] if implied and layers[0] == Input() else layers)
