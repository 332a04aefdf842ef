"""Pictures of a network while it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from depthwise.displays.display import Display
from depthwise.errors import FileError
from depthwise.training import Callback


class SaveEachEpoch(Callback):
    """Save a picture of the network after each epoch: ``kernels/epoch-001.png``, ``kernels/epoch-002.png``, ...

    Looking does not disturb training: the network learns the same with and without it.

    Parameters
    ----------
    make
        What makes a display of the network: ``WeightsDisplay.from_estimator``, or a function of your own such as
        ``lambda net: ActivationsDisplay.from_estimator(net, X[:1])``.
    folder
        Where the pictures go; it is made where it is missing.

    Raises
    ------
    FileError
        The folder or a picture cannot be written; the folder is tried before the first epoch.

    Examples
    --------
    >>> from depthwise.displays import WeightsDisplay
    >>> SaveEachEpoch(WeightsDisplay.from_estimator, "kernels").folder
    'kernels'
    """

    def __init__(self, make: Callable[[Any], Display], folder: str | Path) -> None:
        self.make = make
        self.folder = folder

    def on_train_begin(self, net: Any) -> None:
        try:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise FileError(f"{self.folder}: the folder cannot be made ({problem}). Give another one.") from problem

    def on_epoch_end(self, net: Any, record: Any) -> None:
        self.make(net).save(Path(self.folder) / f"epoch-{record.epoch:03d}.png")
