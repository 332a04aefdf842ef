"""What the network really sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from depthwise.data.augmentation import Augmented, as_augmentation
from depthwise.displays.asking import read_module, read_pictures
from depthwise.displays.display import Display
from depthwise.displays.pictures import COLOR, TITLE_SIZE, draw_grid, value_range
from depthwise.errors import DataError
from depthwise.inspection.asking import to_tensor, undisturbed
from depthwise.modules import Network
from depthwise.training.targets import check_lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class BatchDisplay(Display):
    """A batch as the first layer gets it, standardized, with labels; all images on one scale.

    Parameters
    ----------
    values
        Shape ``(n_images, channels, height, width)``.
    labels
        One for each image.
    standardized
        Whether values are standard deviations from the mean of the training images.

    Attributes
    ----------
    images_ : list of matplotlib.image.AxesImage
        What was drawn, after :meth:`plot`.

    Raises
    ------
    DataError
        There is not one label for each image.

    Examples
    --------
    >>> display = BatchDisplay(np.linspace(-1, 2, 8, dtype=np.float32).reshape(2, 1, 2, 2), ["cat", "dog"]).plot()
    >>> len(display.images_), display.images_[0].get_clim()
    (2, (-1.0, 2.0))
    """

    def __init__(
        self, values: NDArray[np.float32], labels: ArrayLike | None = None, *, standardized: bool = True
    ) -> None:
        self.values = values
        self.labels = None if labels is None else [str(label) for label in np.asarray(labels).tolist()]
        self.standardized = standardized
        if self.labels is not None:
            check_lengths(values, self.labels)

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, n_images: int = 16, *, augment: Any = None) -> Self:
        """Standardize the first images as a fitted estimator does; a module gets the values as they are.

        With ``augment=net.augment`` they are what training shows to the network.  A mixed image is titled with both
        labels and their weights.  Another ``torch.manual_seed`` gives another draw.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X, y
            Images, and their labels.
        n_images
            How many to show, at most.
        augment
            As the argument of an estimator.
        """
        if n_images < 1:
            raise DataError(f"n_images is {n_images} but must be 1 or more.")
        module, images = read_module(net), read_pictures(net, X)
        if y is not None:
            check_lengths(images, y)
        augmentation, tensor = as_augmentation(augment), to_tensor(module, images[:n_images])
        with undisturbed(module), torch.no_grad():
            batch = augmentation(tensor) if augmentation else Augmented(tensor)
            tensor = module.input(batch.images) if isinstance(module, Network) else batch.images
        values = tensor.float().cpu().numpy().copy()
        labels = None if y is None else _mix_labels(np.asarray(y)[:n_images].tolist(), batch)
        return cls(values, labels, standardized=isinstance(module, Network))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the batch, into ``ax`` if it is given, and return the display."""
        self.figure_, axes, self.images_ = draw_grid(ax, self.values, self.labels or ())
        self.axes_ = list(axes.flat)
        low, high = value_range(self.values)
        unit = "standard deviations from the mean" if self.standardized else "value"
        if self.values.shape[1] in COLOR:
            if ax is None:
                self.figure_.supxlabel(f"colors from {low:.2g} to {high:.2g}, {unit}", fontsize=TITLE_SIZE)
        else:
            bar = axes[:, -1] if ax is None else ax
            self.figure_.colorbar(self.images_[0], ax=bar, label=unit, shrink=0.8)
        return self


def _mix_labels(labels: list[Any], batch: Augmented) -> list[Any]:
    if batch.partners is None:
        return labels
    share = float(batch.share)
    others = [labels[partner] for partner in batch.partners.tolist()]
    return [f"{share:.0%} {own}\n{1 - share:.0%} {other}" for own, other in zip(labels, others, strict=True)]
