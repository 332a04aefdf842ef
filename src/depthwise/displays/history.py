"""Loss and accuracy over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from depthwise.displays.display import Display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, VALID = "#0072B2", "#D55E00"
"""Blue and vermillion of Okabe and Ito's palette, told apart by color-blind readers too."""


class HistoryDisplay(Display):
    """Training and validation loss of each epoch; beside them the validation accuracy, where there is one.

    Parameters
    ----------
    history
        The ``history_`` of a fitted estimator.
    """

    def __init__(self, history: Any) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, net: Any) -> Self:
        """Read the history of a fitted estimator."""
        return cls(net.history_)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curves, into ``ax`` if it is given, and return the display."""
        from matplotlib.ticker import MaxNLocator

        ax = self._start(ax, figsize=(7, 4))
        epochs = [record.epoch for record in self.history]
        lines = []
        for name, color in (("train_loss", TRAIN), ("valid_loss", VALID)):
            values = [getattr(record, name) for record in self.history]
            if None not in values:
                style = "-" if name == "train_loss" else "--"
                lines += ax.plot(epochs, values, style, color=color, label=name.replace("_", " "))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        accuracy = [record.valid_accuracy for record in self.history]
        if None not in accuracy:
            beside = ax.twinx()
            lines += beside.plot(epochs, accuracy, ":", color="black", label="valid accuracy")
            beside.set_ylabel("accuracy")
            self.axes_.append(beside)
        ax.legend(handles=lines, loc="center right")
        return self
