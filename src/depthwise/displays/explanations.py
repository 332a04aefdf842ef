"""What speaks for a class: occlusion, saliency and class activation, each beside its image."""

from __future__ import annotations

from typing import Any

from depthwise.displays.explaining import ExplanationDisplay
from depthwise.inspection import ClassActivation, Occlusion, Saliency, compute_cam, compute_saliency, occlude

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
    found
        What :func:`depthwise.inspection.occlude` returns; an estimator is covered in its own precision.
    names
        Names of the classes.
    """

    compute = staticmethod(occlude)
    found: Occlusion

    @classmethod
    def _options(cls, net: Any) -> dict[str, Any]:
        return {"precision": getattr(net, "precision_", "float32")}

    def _titles(self) -> tuple[str, str, bool]:
        return "critical parts", DROP[self.found.score], True

    def _lines(self) -> list[str]:
        sign = "p" if self.found.score == "probability" else "output"
        return [
            f"{f'class {target}' if self.names is None else self.names[target]}: {sign} = {clean:.2f}"
            for target, clean in zip(self.found.targets.tolist(), self.found.clean, strict=True)
        ]


class SaliencyDisplay(ExplanationDisplay):
    """The pixels that move a prediction: image, saliency, and both superimposed.

    Parameters
    ----------
    found
        What :func:`depthwise.inspection.compute_saliency` returns.
    names
        Names of the classes.
    """

    compute = staticmethod(compute_saliency)
    found: Saliency

    def _titles(self) -> tuple[str, str, bool]:
        return self.found.method.replace("_", " "), SALIENCY[self.found.method], self.found.signed


class CamDisplay(ExplanationDisplay):
    """Where a layer found what speaks for a class: image, class activation map, and both superimposed.

    Parameters
    ----------
    found
        What :func:`depthwise.inspection.compute_cam` returns.
    names
        Names of the classes.
    """

    compute = staticmethod(compute_cam)
    found: ClassActivation

    def _titles(self) -> tuple[str, str, bool]:
        return f"{self.found.method} at {self.found.layer}", "class activation", False
