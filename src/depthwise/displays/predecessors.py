"""nolearn's functions by their names; each returns a display that is drawn."""

from __future__ import annotations

from typing import Any

from depthwise.displays.activations import ActivationsDisplay
from depthwise.displays.explanations import OcclusionDisplay, SaliencyDisplay
from depthwise.displays.history import HistoryDisplay
from depthwise.displays.weights import WeightsDisplay
from depthwise.inspection.occlusion import SQUARE

Figsize = tuple[float, float] | None


def plot_loss(net: Any, figsize: Figsize = None) -> HistoryDisplay:
    """Draw the losses of a fitted estimator over the epochs.

    Raises
    ------
    TargetError
        It is not trained.
    """
    return _sized(HistoryDisplay.from_estimator(net).plot(), figsize)


def plot_conv_weights(layer: Any, figsize: Figsize = None) -> WeightsDisplay:
    """Draw the kernels of a convolution: ``plot_conv_weights(net.layers_[1])``; of a network the first one's."""
    return _sized(WeightsDisplay.from_estimator(*_split(layer)).plot(), figsize)


def plot_conv_activity(layer: Any, x: Any, figsize: Figsize = None) -> ActivationsDisplay:
    """Draw what a layer makes of images: ``plot_conv_activity(net.layers_[1], X[:1])``; of a network the first one."""
    net, chosen = _split(layer)
    return _sized(ActivationsDisplay.from_estimator(net, x, chosen).plot(), figsize)


def plot_occlusion(
    net: Any, X: Any, target: Any = None, square_length: int = SQUARE, figsize: Figsize = None
) -> OcclusionDisplay:
    """Draw the parts of images that their class hangs on: ``plot_occlusion(net, X[:5], y[:5])``."""
    return _sized(OcclusionDisplay.from_estimator(net, X, target, square=square_length).plot(), figsize)


def plot_saliency(net: Any, X: Any, figsize: Figsize = None) -> SaliencyDisplay:
    """Draw the pixels that move the predicted class: ``plot_saliency(net, X[:5])``."""
    return _sized(SaliencyDisplay.from_estimator(net, X).plot(), figsize)


def _split(layer: Any) -> tuple[Any, Any]:
    """The network of an entry of ``net.layers_``, and the entry; anything else is a network itself."""
    network = getattr(layer, "network", None)
    return (layer, None) if network is None else (network, layer)


def _sized(display: Any, figsize: Figsize) -> Any:
    if figsize is not None:
        display.figure_.set_size_inches(figsize)
    return display
