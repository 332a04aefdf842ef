"""What speaks for a class: occlusion, saliency and class activation, each beside its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from depthwise.displays.asking import class_names, read_classes, read_module, read_pictures, title_classes
from depthwise.displays.explaining import ExplanationDisplay
from depthwise.inspection import ClassActivation, Occlusion, Saliency, compute_cam, compute_saliency, occlude

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DROP = {"probability": "drop of probability when covered", "output": "drop of output when covered"}
SALIENCY = {
    "gradient": "|gradient of the output|",
    "smoothgrad": "|mean gradient of the output|",
    "integrated_gradients": "share of the output",
}


class OcclusionDisplay(ExplanationDisplay):
    """The parts of images that a prediction hangs on: image, critical parts, and both superimposed.

    Parameters
    ----------
    occlusion
        What :func:`depthwise.inspection.occlude` returns.
    lines
        A title an image; by default the explained class.
    """

    def __init__(self, occlusion: Occlusion, lines: list[str] | None = None) -> None:
        self.occlusion = occlusion
        self.lines = lines

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """Cover the images of a fitted estimator, in its own precision, or of a module.

        Parameters
        ----------
        net
            A fitted estimator, or a ``torch.nn.Module``.
        X
            Images.
        y
            Classes to explain, one for each image or for all (of a module or a regressor: columns of the output); by
            default the predicted ones.
        **options
            ``square, stride, fill, score, precision, max_bytes`` of :func:`depthwise.inspection.occlude`.
        """
        module, images = read_module(net), read_pictures(net, X)
        options.setdefault("precision", getattr(net, "precision_", "float32"))
        found = occlude(module, images, read_classes(net, y, len(images)), **options)
        names = class_names(net)
        lines = [_said(names, found, place) for place in range(len(images))]
        return cls(found, lines)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a row an image, into ``ax`` if it is given, and return the display."""
        found = self.occlusion
        lines = self.lines or [_said(None, found, place) for place in range(len(found.images))]
        titles = ("critical parts", DROP[found.score])
        return self._draw(ax, found.images, found.maps, lines, titles=titles, signed=True)


class SaliencyDisplay(ExplanationDisplay):
    """The pixels that move a prediction: image, saliency, and both superimposed.

    Parameters
    ----------
    saliency
        What :func:`depthwise.inspection.compute_saliency` returns.
    names
        Names of the classes.
    """

    def __init__(self, saliency: Saliency, names: list[str] | None = None) -> None:
        self.saliency = saliency
        self.names = names

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """Compute the saliency of images for a fitted estimator or a module.

        Parameters
        ----------
        net, X, y
            As for :meth:`OcclusionDisplay.from_estimator`.
        **options
            ``method, baseline, samples, noise, steps, random_state, max_bytes`` of
            :func:`depthwise.inspection.compute_saliency`.
        """
        module, images = read_module(net), read_pictures(net, X)
        return cls(compute_saliency(module, images, read_classes(net, y, len(images)), **options), class_names(net))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a row an image, into ``ax`` if it is given, and return the display."""
        found = self.saliency
        lines = title_classes(found.targets, found.outputs, self.names)
        titles = (found.method.replace("_", " "), SALIENCY[found.method])
        return self._draw(ax, found.images, found.maps, lines, titles=titles, signed=found.signed)


class CamDisplay(ExplanationDisplay):
    """Where a layer found what speaks for a class: image, class activation map, and both superimposed.

    Parameters
    ----------
    cam
        What :func:`depthwise.inspection.compute_cam` returns.
    names
        Names of the classes.
    """

    def __init__(self, cam: ClassActivation, names: list[str] | None = None) -> None:
        self.cam = cam
        self.names = names

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: Any = None, **options: Any) -> Self:
        """Compute the class activation maps of images for a fitted estimator or a module.

        Parameters
        ----------
        net, X, y
            As for :meth:`OcclusionDisplay.from_estimator`.
        **options
            ``layer, method, max_bytes`` of :func:`depthwise.inspection.compute_cam`.
        """
        module, images = read_module(net), read_pictures(net, X)
        return cls(compute_cam(module, images, read_classes(net, y, len(images)), **options), class_names(net))

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a row an image, into ``ax`` if it is given, and return the display."""
        found = self.cam
        lines = title_classes(found.targets, found.outputs, self.names)
        titles = (f"{found.method} at {found.layer}", "class activation")
        return self._draw(ax, found.images, found.maps, lines, titles=titles, signed=False)


def _said(names: list[str] | None, found: Occlusion, place: int) -> str:
    target = int(found.targets[place])
    name = f"class {target}" if names is None else names[target]
    sign = "p" if found.score == "probability" else "output"
    return f"{name}: {sign} = {found.clean[place]:.2f}"
