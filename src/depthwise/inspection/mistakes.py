"""The images that a classifier gets most wrong, and the classes that it takes for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depthwise.errors import DataError, TargetError
from depthwise.tables import Column, Table


@dataclass(frozen=True, eq=False)
class TopLosses:
    """The images of the largest losses, the largest first.

    Attributes
    ----------
    rows
        Places of the images among those that were given, shape ``(n_images,)``.
    images
        Their pixels as given, shape ``(n_images, channels, height, width)``.
    true, predicted
        Label, and the most probable class, of each.
    probabilities
        What the network gives to the predicted class.
    losses
        -ln(probability of the true class).
    """

    rows: NDArray[np.int64]
    images: NDArray[Any]
    true: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64]
    losses: NDArray[np.float64]


def find_top_losses(
    images: ArrayLike,
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: ArrayLike | None = None,
    *,
    n_images: int = 9,
) -> TopLosses:
    """The images whose cross-entropy -ln(probability of the true class) is largest.

    Parameters
    ----------
    images
        Shape ``(n_images, channels, height, width)``.
    labels
        True class of each image.
    probabilities
        Of each image and class, shape ``(n_images, n_classes)``: ``net.predict_proba(X)``.
    classes
        Labels in the order of the columns, ``net.classes_``; 0, 1, 2, ... by default.
    n_images
        How many to return, at most.

    Raises
    ------
    DataError
        There are no images, counts differ, or a label is no class.

    Examples
    --------
    >>> found = find_top_losses(np.zeros((3, 1, 8, 8)), [0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]], n_images=2)
    >>> found.rows.tolist(), found.predicted.tolist(), found.losses.round(2).tolist()
    ([1, 2], [0, 1], [1.61, 0.51])
    """
    if n_images < 1:
        raise DataError(f"n_images is {n_images} but must be 1 or more.")
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    pictures = np.asarray(images)
    if not len(pictures):
        raise DataError("images: there are none to look at. Give at least one.")
    if shares.ndim != 2 or not len(pictures) == len(truth) == len(shares):
        raise DataError(
            f"there are {len(pictures)} images, {len(truth)} labels and probabilities of shape {shares.shape}. "
            "Give one label and one row of probabilities for each image."
        )
    named = np.arange(shares.shape[1]) if classes is None else np.asarray(classes)
    hits = truth[:, None] == named[None]
    if not hits.any(1).all():
        strange = truth[~hits.any(1)].tolist()[0]
        raise DataError(f"labels: {strange!r} is none of the {len(named)} classes. Remove its images.")
    # A probability below the smallest float is a large loss, not an infinite one.
    losses = -np.log(np.maximum(shares[hits], np.finfo(np.float64).tiny))
    order = np.argsort(-losses, kind="stable")[:n_images]
    best = shares[order].argmax(1)
    return TopLosses(
        order, pictures[order].copy(), truth[order], named[best], shares[order].max(1), np.abs(losses[order])
    )


@dataclass(frozen=True)
class ConfusedPair:
    """A class that is taken for another.

    Attributes
    ----------
    true, predicted
        The two labels.
    count
        Images of the first that were taken for the second.
    share
        The same by all images of the first.
    """

    true: Any
    predicted: Any
    count: int
    share: float


@dataclass(frozen=True)
class ConfusedPairs(Sequence[ConfusedPair]):
    """The pairs of classes that are confused most, the most frequent first; prints as a table.

    The whole confusion matrix, ROC curves and calibration are drawn by scikit-learn, which takes our estimators:
    ``ConfusionMatrixDisplay.from_estimator(net, X, y)``, ``RocCurveDisplay``, ``CalibrationDisplay``.

    Attributes
    ----------
    pairs
        A :class:`ConfusedPair` each.

    Examples
    --------
    >>> print(ConfusedPairs.from_predictions(["cat", "cat", "cat", "dog"], ["dog", "dog", "cat", "dog"]))
    true  predicted  count   share
    ----  ---------  -----  ------
    cat   dog            2  66.7 %
    """

    pairs: tuple[ConfusedPair, ...]

    @classmethod
    def from_predictions(cls, labels: ArrayLike, predicted: ArrayLike, n_pairs: int = 10) -> Self:
        """Count the mistakes of predictions, whoever made them.

        Parameters
        ----------
        labels, predicted
            True and predicted class of each image.
        n_pairs
            How many pairs to keep, at most.

        Raises
        ------
        DataError
            There are none, or counts differ.
        """
        truth, answers = np.asarray(labels).tolist(), np.asarray(predicted).tolist()
        if not truth or len(truth) != len(answers):
            raise DataError(
                f"there are {len(truth)} labels and {len(answers)} predictions. Give at least one, and as many of both."
            )
        totals = Counter(truth)
        wrong = Counter((label, answer) for label, answer in zip(truth, answers, strict=True) if label != answer)
        # Equal counts in the order of their labels, so that the order of the images does not matter.
        order = sorted(wrong, key=lambda pair: (-wrong[pair], *map(str, pair)))[:n_pairs]
        return cls(tuple(ConfusedPair(*pair, wrong[pair], wrong[pair] / totals[pair[0]]) for pair in order))

    @classmethod
    def from_estimator(cls, net: Any, X: Any, y: ArrayLike, n_pairs: int = 10) -> Self:
        """Count the mistakes of a fitted classifier.

        Raises
        ------
        TargetError
            The estimator tells no classes, or is not trained.
        """
        if not hasattr(net, "classes_"):
            raise TargetError(f"{type(net).__name__} has no classes to confuse. Give a trained classifier.")
        if not len(X):
            raise DataError("X: there are no images to look at. Give at least one.")
        return cls.from_predictions(y, net.predict(X), n_pairs)

    @overload
    def __getitem__(self, place: int) -> ConfusedPair: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ConfusedPair, ...]: ...

    def __getitem__(self, place: int | slice) -> ConfusedPair | tuple[ConfusedPair, ...]:
        return self.pairs[place]

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[ConfusedPair]:
        return iter(self.pairs)

    def table(self) -> Table:
        """The pairs as a table."""
        columns = [Column("true"), Column("predicted"), Column("count", "right"), Column("share", "right")]
        rows = [[str(p.true), str(p.predicted), str(p.count), f"{100 * p.share:.1f} %"] for p in self.pairs]
        return Table(columns, rows)

    def to_dict(self) -> list[dict[str, Any]]:
        """The pairs as values that JSON can hold."""
        return [asdict(pair) for pair in self.pairs]

    def __str__(self) -> str:
        return self.table().text(head_padding=0) if self.pairs else "No class is taken for another."

    def _repr_html_(self) -> str:
        return self.table().html()
