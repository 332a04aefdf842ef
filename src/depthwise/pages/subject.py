"""What a report is about: analysis, findings, and, where there are images, what the network answers to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from depthwise.analysis import Analysis
from depthwise.displays.asking import put_channels_first, read_classes, read_names, read_pictures
from depthwise.errors import DataError
from depthwise.inspection.probabilities import compute_probabilities
from depthwise.layers.ops import format_shape
from depthwise.network import analyze, check
from depthwise.rules import Findings
from depthwise.targets import Target, open_target
from depthwise.training.targets import read_targets


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and what is at hand of it.

    Attributes
    ----------
    title
        What it is called.
    target
        The network, opened.
    analysis, findings
        What can be said without running it.
    images
        Shape ``(n_images, channels, height, width)``, or ``None``.
    labels
        One for each image, or ``None``.
    n_samples
        Images to look at one by one, at most.
    command
        How this report came about.
    """

    title: str
    target: Target
    analysis: Analysis
    findings: Findings
    images: NDArray[Any] | None
    labels: NDArray[Any] | None
    n_samples: int
    command: str

    @property
    def net(self) -> Any:
        """The estimator, if it is fitted."""
        return self.target.fitted

    @property
    def module(self) -> nn.Module | None:
        """The module with its weights, if there is one to run."""
        return self.target.module if self.target.estimator is None else getattr(self.net, "module_", None)

    @property
    def looks(self) -> bool:
        """Whether there are a network to run and two-dimensional images to run it on."""
        return self.module is not None and self.images is not None and len(self.analysis.input_shape) == 3

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes; empty for a regressor, and where an image has several labels."""
        if getattr(self.net, "multilabel_", False):
            return []
        if self.net is not None:
            return [str(label) for label in getattr(self.net, "classes_", ())]
        if self.module is None:  # nothing learned yet: the data tell
            named = self.labels is not None and self.labels.ndim == 1 and self.labels.dtype.kind != "f"
            return [str(label) for label in np.unique(self.labels)] if named and self.labels is not None else []
        width = self.analysis.output_shape[0]
        return list(map(str, range(width))) if width and len(self.analysis.output_shape) == 1 and width > 1 else []

    @cached_property
    def probabilities(self) -> NDArray[np.float64] | None:
        """Of each image and class; ``None`` where the network tells none."""
        if not self.looks or not self.classes:
            return None
        if self.net is not None:
            found: NDArray[np.float64] = self.net.predict_proba(self.images)
            return found
        assert self.module is not None and self.images is not None
        return compute_probabilities(self.module, self.images)

    @cached_property
    def columns(self) -> NDArray[np.int64] | None:
        """Column of the output that each label stands for; ``None`` without labels or classes."""
        if self.labels is None or not self.classes:
            return None
        if self.module is None:
            return np.unique(self.labels, return_inverse=True)[1]
        columns = read_classes(self.target.network, self.labels, len(self.labels))
        assert columns is not None
        if columns.dtype.kind not in "iub" or columns.min() < 0 or columns.max() >= len(self.classes):
            values = sorted(set(columns.tolist()))
            raise DataError(
                f"y: holds {values[0]!r} to {values[-1]!r}, but the network has {len(self.classes)} classes. "
                "Give the number of the output that each image belongs to, counted from 0."
            )
        whole: NDArray[np.int64] = columns.astype(np.int64)
        return whole

    @cached_property
    def answers(self) -> NDArray[np.int64] | None:
        """Column of the most probable class of each image."""
        return None if self.probabilities is None else self.probabilities.argmax(1)

    @cached_property
    def accuracy(self) -> float | None:
        """Share of right answers."""
        if self.answers is None or self.columns is None:
            return None
        return float((self.answers == self.columns).mean())

    @cached_property
    def samples(self) -> NDArray[np.int64]:
        """Images to look at, one at least."""
        assert self.images is not None
        if self.columns is None or self.probabilities is None:
            return np.arange(len(self.images))[: self.n_samples]
        return choose_samples(self.probabilities, self.columns, self.n_samples)


def choose_samples(probabilities: NDArray[np.float64], columns: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of images to look at: half of them the gravest mistakes, the others right ones, class after class.

    Where there are too few of one kind, the other fills up.

    >>> choose_samples(np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 1, 1, 0]), 2)
    array([3, 0])
    """
    everything = np.arange(len(columns))
    truth, hit = probabilities[everything, columns], probabilities.argmax(1) == columns
    wrong, right = everything[~hit], everything[hit]
    turn = np.zeros(len(everything), int)  # first of its class, second of its class, ...
    for column in np.unique(columns[right]):
        members = right[columns[right] == column]
        turn[members] = np.arange(len(members))
    n_right = min(len(right), max(count // 2, count - len(wrong)))
    wrong = wrong[np.argsort(truth[wrong], kind="stable")][: count - n_right]
    return np.concatenate([wrong, np.sort(right[np.argsort(turn[right], kind="stable")][:n_right])])


def gather(
    network: object,
    X: Any,
    y: Any,
    input_shape: Iterable[int] | None,
    *,
    title: str | None,
    n_samples: int,
    command: str | None,
) -> Subject:
    """Read what was handed over, and refuse what does not fit together before anything is computed."""
    if not isinstance(n_samples, int) or n_samples < 1:
        raise DataError(f"n_samples is {n_samples!r} but must be a whole number of 1 or more.")
    if X is None and y is not None:
        raise DataError("y: holds labels, but there are no images. Give X too.")
    target = open_target(network)
    net = target.fitted
    runs = net is not None or (target.estimator is None and target.module is not None)
    images = None if X is None else read_pictures(target.network, X) if runs else put_channels_first(X)
    shape = input_shape if input_shape is not None or images is None else images.shape[1:]
    if images is not None and input_shape is not None and tuple(input_shape) != images.shape[1:]:
        raise DataError(
            f"X: has images of {format_shape(images.shape[1:])} but input_shape is {format_shape(tuple(input_shape))}. "
            "Give images of that size, or leave input_shape out."
        )
    labels = None if y is None else _read_labels(net, y)
    if images is not None and labels is not None and len(labels) != len(images):
        raise DataError(f"X and y: {len(images)} images but {len(labels)} labels. Give each image one.")
    analysis = analyze(target if net is None or target.module is None else net.module_, shape)
    findings = check(target, shape) if net is None else net.findings_
    kind = "Layer list" if target.network is target.layers else type(target.network).__name__
    name = title or (network if isinstance(network, str) else kind)
    return Subject(name, target, analysis, findings, images, labels, n_samples, command or "")


def _read_labels(net: Any, y: Any) -> NDArray[Any]:
    """Labels of one kind; numbers for a regressor."""
    labels = read_names(y)
    return labels if net is None or hasattr(net, "classes_") else read_targets(labels)
