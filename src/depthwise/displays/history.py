"""Loss and accuracy over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from depthwise.displays.asking import read_module
from depthwise.displays.display import Display
from depthwise.displays.judging import judge
from depthwise.errors import DataError, TargetError
from depthwise.rules import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, VALID = "#0072B2", "#D55E00"
"""Blue and vermillion of Okabe and Ito's palette, told apart by color-blind readers too."""
MARKED = 30
"""Epochs that are marked one by one, at most."""
CODES = (
    *("HED001", "HED002", "HED004", "REG"),
    *("TRN001", "TRN005", "TRN006", "TRN010", "TRN016", "TRN017", "TRN018"),
)
"""Beginnings of the codes of the rules that judge losses, and what they can come to: the head, regularization."""


class HistoryDisplay(Display):
    """Training and validation loss of each epoch; beside them the validation accuracy, where there is one.

    Parameters
    ----------
    history
        The ``history_`` of a fitted estimator.
    findings
        What the rules say of the head and of regularization.

    Raises
    ------
    DataError
        There is no epoch in it.
    """

    def __init__(self, history: Any, findings: Findings | None = None) -> None:
        if not len(history):
            raise DataError("the history holds no epoch. Train for one at least.")
        self.history = history
        self.findings = findings or Findings(())

    @classmethod
    def from_estimator(cls, net: Any) -> Self:
        """Read the history of a fitted estimator.

        Raises
        ------
        TargetError
            It is not trained, or is a module, which has no history.
        """
        if not hasattr(net, "history_"):
            read_module(net)
            raise TargetError(f"this {type(net).__name__} has no history of training. Call fit(X, y) on an estimator.")
        return cls(net.history_, judge(net, CODES))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curves, into ``ax`` if it is given, and return the display."""
        from matplotlib.ticker import MaxNLocator

        own, ax = ax, self._start(ax, figsize=(7, 4))
        epochs = [record.epoch for record in self.history]
        lines = []
        marks: Any = {"marker": "o" if len(epochs) <= MARKED else "", "markersize": 4}  # a single epoch is no line
        for name, color in (("train_loss", TRAIN), ("valid_loss", VALID)):
            values = [getattr(record, name) for record in self.history]
            if None not in values:
                style = "-" if name == "train_loss" else "--"
                lines += ax.plot(epochs, values, style, color=color, label=name.replace("_", " "), **marks)
        ax.set(xlabel="epoch", ylabel="loss", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        accuracy = [record.valid_accuracy for record in self.history]
        if None not in accuracy:
            beside = ax.twinx()
            lines += beside.plot(epochs, accuracy, ":", color="black", label="valid accuracy", **marks)
            beside.set_ylabel("accuracy")
            self.axes_.append(beside)
        ax.legend(handles=lines, loc="center right")
        self._write_findings(own)
        return self
