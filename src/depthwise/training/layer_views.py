"""The declared layers of a fitted network, with their submodules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import overload

from torch import nn

from depthwise.errors import did_you_mean
from depthwise.layers import Layer, layer_names


@dataclass(frozen=True)
class LayerEntry:
    """A declared layer of a fitted network.

    Attributes
    ----------
    name
        As in every table.
    layer
        The record; ``None`` in a network that was given as a module.
    module
        Its submodule, which carries norm and activation as submodules of its own.
    network
        The whole network, so that a layer alone is enough to look at what it makes of images.
    """

    name: str
    layer: Layer | None
    module: nn.Module | None
    network: nn.Module | None = field(default=None, repr=False, compare=False)


class Layers(Sequence[LayerEntry]):
    """The declared layers of a fitted network, by name, index or slice."""

    def __init__(self, entries: Iterable[LayerEntry]) -> None:
        self._entries = tuple(entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(entry.name for entry in self._entries)

    @overload
    def __getitem__(self, key: int | str) -> LayerEntry: ...
    @overload
    def __getitem__(self, key: slice) -> Layers: ...

    def __getitem__(self, key: int | str | slice) -> LayerEntry | Layers:
        if isinstance(key, slice):
            return Layers(self._entries[key])
        if isinstance(key, str):
            if key not in self.names:
                meant = did_you_mean(key, self.names)
                raise KeyError(f"no layer is called {key!r}.{meant} There are: {', '.join(self.names)}.")
            return self._entries[self.names.index(key)]
        return self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self.names or key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Layers: {', '.join(self.names)}>"


def view_layers(layers: Sequence[Layer] | None, module: nn.Module) -> Layers:
    """Layers with their submodules; without records, the module's own children."""
    modules = dict(module.named_modules())
    if layers is None:
        return Layers(LayerEntry(name, None, child, module) for name, child in module.named_children())
    return Layers(LayerEntry(name, layer, modules.get(name), module) for name, layer in layer_names(layers))
