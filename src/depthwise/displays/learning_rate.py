"""Loss over a growing learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from depthwise.displays.display import Display
from depthwise.training import LearningRateRange, lr_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RAW, SMOOTH, CHOSEN = "0.75", "#0072B2", "#D55E00"
"""Gray, and blue and vermillion of Okabe and Ito's palette."""
ROOM = 1.1
"""How far above the loss of the first half the picture goes; what lies higher has diverged."""


class LearningRateDisplay(Display):
    """Loss of each step of a learning-rate range test, its average, and the suggested rate.

    Parameters
    ----------
    found
        What :func:`depthwise.lr_range` returns.

    Examples
    --------
    >>> from depthwise.layers import Dense, Output
    >>> from depthwise.training import NeuralNetClassifier
    >>> X, y = [[0.0], [1.0]] * 32, [0, 1] * 32
    >>> display = LearningRateDisplay.from_estimator(NeuralNetClassifier([Dense(8), Output()]), X, y).plot()
    >>> display.axes_[0].get_xscale()
    'log'
    """

    def __init__(self, found: LearningRateRange) -> None:
        self.found = found

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """Run the test on a copy of an estimator; `options` are those of :func:`depthwise.lr_range`."""
        return cls(lr_range(net, X, y, **options))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curves, into ``ax`` if it is given, and return the display."""
        found, ax = self.found, self._start(ax, figsize=(7, 4))
        ax.plot(found.rates, found.losses, color=RAW, linewidth=1, label="loss of each step")
        ax.plot(found.rates, found.smoothed, color=SMOOTH, label="smoothed")
        if found.suggestion is not None:
            label = f"suggestion: {found.suggestion:.1e}"
            ax.axvline(found.suggestion, color=CHOSEN, linestyle="--", label=label)
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        begun = found.smoothed[: max(len(found.smoothed) // 2, 1)]
        ax.set_ylim(0.95 * float(found.losses.min()), ROOM * float(begun.max()))
        ax.legend(loc="lower left")
        return self
