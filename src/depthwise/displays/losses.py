"""The images that a classifier gets most wrong."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from torch import nn

from depthwise.displays.asking import read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.pictures import draw_grid
from depthwise.errors import TargetError
from depthwise.inspection import TopLosses, find_top_losses
from depthwise.inspection.probabilities import compute_probabilities
from depthwise.training.targets import check_lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE = 28
"""Characters above a picture."""


class TopLossesDisplay(Display):
    """The images of the largest losses: true label, predicted class with its probability, and loss.

    Parameters
    ----------
    losses
        What :func:`depthwise.inspection.find_top_losses` returns.

    Attributes
    ----------
    images_ : list of matplotlib.image.AxesImage
        What was drawn, after :meth:`plot`.

    Examples
    --------
    >>> found = find_top_losses(np.zeros((2, 1, 8, 8)), ["cat", "dog"], [[0.9, 0.1], [0.8, 0.2]], ["cat", "dog"])
    >>> print(TopLossesDisplay(found).plot().axes_[0].get_title())
    true dog, predicted cat
    p = 0.80, loss 1.61
    """

    def __init__(self, losses: TopLosses) -> None:
        self.losses = losses

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any, n_images: int = 9) -> Self:
        """Find the largest losses of a fitted classifier, or of a module that gives logits or probabilities.

        Parameters
        ----------
        net
            A fitted classifier, or a ``torch.nn.Module``.
        X
            Images.
        y
            Their labels; for a module places of the classes.
        n_images
            How many to show, at most.

        Raises
        ------
        TargetError
            The estimator is not trained, or tells no classes.
        """
        module, images = read_module(net), read_pictures(net, X)
        check_lengths(images, y)
        if isinstance(net, nn.Module):
            probabilities, classes = compute_probabilities(module, images), None
        elif hasattr(net, "predict_proba"):
            probabilities, classes = net.predict_proba(X), net.classes_
        else:
            raise TargetError(f"{type(net).__name__} has no classes, and this shows wrong ones. Give a classifier.")
        return cls(find_top_losses(images, np.asarray(y), probabilities, classes, n_images=n_images))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the images, into ``ax`` if it is given, and return the display."""
        images = self.losses.images
        titles = [self._title(place) for place in range(len(images))]
        self.figure_, axes, self.images_ = draw_grid(ax, images, titles)
        self.axes_ = list(axes.flat)
        return self

    def _title(self, place: int) -> str:
        found = self.losses
        words = [f"true {found.true[place]}", f"predicted {found.predicted[place]}"]
        names = ", ".join(words)
        if len(names) > LINE:
            names = "\n".join(shorten(word, LINE, placeholder=" ...") for word in words)
        return f"{names}\np = {found.probabilities[place]:.2f}, loss {found.losses[place]:.2f}"
