"""Results -> matplotlib.  A display computes once, draws on ``plot()``, and never shows or restyles anything else."""

from depthwise.displays.history import HistoryDisplay
from depthwise.displays.weights import WeightsDisplay

__all__ = ["HistoryDisplay", "WeightsDisplay"]
