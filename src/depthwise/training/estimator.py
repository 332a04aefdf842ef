"""The two estimators: what is their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from depthwise.errors import DataError, DepthwiseError
from depthwise.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from depthwise.training.neural_net import NeuralNet
from depthwise.training.preparing import read_pairs
from depthwise.training.targets import (
    check_columns,
    encode_labels,
    find_classes,
    means_several_labels,
    read_indicators,
    read_labels,
    read_targets,
)

TEXTS = "UO"
"""Kinds of numpy types that labels have which are no numbers."""


def _score(score: Callable[..., float], X: Any, y: NDArray[Any], sample_weight: Any) -> float:
    """A score of scikit-learn's, whose own errors say what is wrong with `y`."""
    try:
        return float(score(X, y, sample_weight))
    except DepthwiseError:
        raise
    except (TypeError, ValueError) as problem:
        raise DataError(f"y: {problem}") from None


class NeuralNetClassifier(ClassifierMixin, NeuralNet):
    """Train a layer list to tell classes of images, in scikit-learn's manner.

    The list ends in ``Output()``, as wide as there are classes, or in a layer with one value a class and no activation;
    a softmax at its end is left to the loss.

    Parameters
    ----------
    layers
        Layer records or nolearn's pairs, a notation such as ``"32C3-MP2-64N-N"``, the path of a TOML file, or a
        ``torch.nn.Module`` (copied; it gives logits).
    max_epochs
        Passes over the training images; stages of `batch_size` bring their own.
    batch_size
        Images a step, or stages ``[(epochs, images a step), ...]`` that follow each other.
    optimizer
        ``"adam"``, ``"adamw"``, ``"sgd"`` (also called ``"momentum"``), ``"nesterov"``, ``"rmsprop"`` and all others of
        ``torch.optim`` by their names in small letters, or a class of ``torch.optim``.
    learning_rate
        Step size.
    schedule
        How the step size moves: ``None`` or ``"constant"``, ``"cosine"``, ``"one_cycle"``, ``"step"`` (a tenth after
        half and after three quarters), ``"warmup"``, ``"warmup_cosine"``, ``"plateau"`` (a tenth when the loss has not
        fallen for ten epochs), or a function of the optimizer that gives one of PyTorch's schedulers, which goes on by
        one each epoch.
    momentum
        Of ``"sgd"`` and ``"nesterov"``; 0 for plain gradient descent.
    weight_decay
        The optimizer's own, on weights without biases and norms; decoupled in ``"adamw"``.
    l1, l2
        The loss is that of the images + l1 Σ|w| + l2 Σw², over weights without biases and norms.  Both printed losses
        hold it.
    loss
        ``"cross_entropy"``; ``"bce"`` for one output that tells two classes apart, or for several labels an image;
        ``"hinge"``; for a regressor ``"squared_error"``, ``"absolute_error"``, ``"huber"``; or a function of
        ``(output, target)`` that gives the mean over a batch.
    label_smoothing
        Share of each target that is spread evenly over all classes.
    class_weight
        ``{label: weight}``, or ``"balanced"``: classes count alike, however many images they have.  Images to validate
        on count as their classes do in training.
    validation
        Share of the images that is held out to check on (of every class, drawn by `random_state`), a pair ``(X, y)``
        or a data set, a splitter of scikit-learn's, whose first split is taken, or ``None``.
    early_stopping
        Epochs to wait for a lower validation loss before training ends, with the best weights back; or an
        :class:`~depthwise.training.EarlyStopping` that says more.
    augment
        Changes of the training images, made batch by batch: one or a list of :class:`~depthwise.data.RandomFlip` and
        its kin, or functions of a batch.
    standardize
        Subtract the mean of the training images and divide by their standard deviation, per channel, or per feature of
        2-D data.  The network does it itself, in ``input0``; a module of your own gets the values as they are.
    init
        First weights: ``"he"``, ``"glorot"``, ``"torch"``; see :func:`~depthwise.modules.initialize_weights`.
    callbacks
        :class:`~depthwise.training.Callback` objects, or functions of ``(net, record)`` called after every epoch, where
        ``True`` ends training.
    scoring
        Further figures of the validation images: names of scikit-learn's scorers, or ``{name: scorer}``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ...
    precision
        ``"float32"``, ``"bfloat16"`` (autocast), or ``"auto"``: bfloat16 where the hardware multiplies it natively.
    compile
        Whether ``torch.compile`` makes the network faster on a GPU; its first epoch takes a minute longer.
    random_state
        Seed of weights, split, batches and dropout.  Equal seeds give equal bits on one machine.
    warm_start
        Whether another ``fit`` goes on with the weights, the optimizer and the history there are.
    processes
        How many share every batch in ``fit``, each with a GPU of its own or its part of the processor's cores.  They
        are started and ended by ``fit``; in a script that ``torchrun`` has started, ``fit`` takes its processes.
    verbose
        0 silent; 1 a line an epoch; 2 also the table of capacity and coverage and the automatic choices; 3 also filter
        and field.

    Attributes
    ----------
    module_
        The trained ``torch.nn.Module``; its parameters are called ``conv2d1.weight``, ``conv2d1.norm.weight``.
    graph_, analysis_
        Its operations with their sizes, and what :func:`depthwise.analyze` says of it; ``None`` for a module.
    findings_
        What :func:`depthwise.check` says of it; errors and warnings are printed before training.
    layers_
        Declared layers with their submodules, by name, index or slice.
    history_
        A record an epoch.
    classes_
        Labels in the order of the outputs; places of the labels where there are several an image.
    multilabel_
        Whether an image has several labels.
    n_features_in_, input_shape_
        Values of one image, and their shape.
    device_, precision_, seed_
        What was chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from depthwise.layers import Dense, Output
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> y = np.where(X[:, 0] > 0, "right", "left")
    >>> net = NeuralNetClassifier(
    ...     [Dense(16), Output()], max_epochs=20, learning_rate=0.02, batch_size=8, random_state=0, verbose=0
    ... )
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    """

    losses = CLASSIFICATION_LOSSES
    outputs_are = "classes"

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class, shape ``(n_images, n_classes)``, in the order of ``classes_``.

        Where an image has several labels, the probability of each of them.
        """
        return self._probabilities(self._predict_outputs(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each image, shape ``(n_images,)``.

        Where an image has several labels, 1 for those that are more probable than not, shape ``(n_images, n_labels)``.
        """
        return self._decode_outputs(self._predict_outputs(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of images whose class, or all of whose labels, are told right; in the forms that ``fit`` takes.

        Raises
        ------
        DataError
            Labels are of another kind than those of training.
        """
        check_is_fitted(self)
        X, y = read_pairs(X, y)
        if self.multilabel_:
            return _score(super().score, X, y, sample_weight)
        labels = read_labels(y)
        if (labels.dtype.kind in TEXTS) != (self.classes_.dtype.kind in TEXTS):
            encode_labels(labels, self.classes_)  # says what is wrong
        return _score(super().score, X, labels, sample_weight)

    def _probabilities(self, outputs: Tensor) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = self._answers(outputs.double()).numpy()
        return probabilities

    def _answers(self, outputs: Tensor) -> Tensor:
        if self.multilabel_:
            return torch.sigmoid(outputs)
        if self.n_outputs_ == 1:
            second = torch.sigmoid(outputs)
            return torch.cat([1 - second, second], 1)
        return torch.softmax(outputs, 1)

    def _decode_outputs(self, outputs: Tensor) -> NDArray[Any]:
        if self.multilabel_:
            return (outputs > 0).numpy().astype(np.int64)
        places = (outputs[:, 0] > 0).long() if self.n_outputs_ == 1 else outputs.argmax(1)
        return self._decode_targets(places)

    def _decode_targets(self, targets: Tensor) -> NDArray[Any]:
        if self.multilabel_:
            return targets.numpy().astype(np.int64)
        labels: NDArray[Any] = self.classes_[targets.numpy()]
        return labels

    def _read_targets(self, y: Any, *, reset: bool, classes: Any = None) -> Tensor:
        if reset:
            self.multilabel_ = means_several_labels(y, self.loss)
        if self.multilabel_:
            return self._read_several_labels(y, reset)
        labels = read_labels(y)
        if reset:
            self.classes_ = find_classes(labels if classes is None else read_labels(classes))
        return encode_labels(labels, self.classes_)

    def _read_several_labels(self, y: Any, reset: bool) -> Tensor:
        rows = torch.from_numpy(read_indicators(y))
        if reset:
            self.classes_ = np.arange(rows.shape[1])
        check_columns(rows.shape[1], self.classes_.shape, "labels")
        return rows

    def _count_outputs(self, targets: Tensor) -> int:
        return len(self.classes_)


class NeuralNetRegressor(RegressorMixin, NeuralNet):
    """Train a layer list to tell numbers from images, in scikit-learn's manner.

    The list ends in ``Output()``, as wide as there are targets, or in a layer with one value a target and no
    activation.  The loss is the squared error if no other is named.

    See :class:`NeuralNetClassifier` for parameters and attributes; there are no ``classes_``.

    Examples
    --------
    >>> import numpy as np
    >>> from depthwise.layers import Dense, Output
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> net = NeuralNetRegressor(
    ...     [Dense(16), Output()], max_epochs=40, learning_rate=0.02, batch_size=8, random_state=0, verbose=0
    ... )
    >>> net.fit(X, X[:, 0] + 1).score(X, X[:, 0] + 1) > 0.9
    True
    """

    losses = REGRESSION_LOSSES
    outputs_are = "targets"

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R2: 1 less the mean squared error by the variance of `y`, meaned over the targets.

        Raises
        ------
        DataError
            Targets are no numbers, or not as many an image as in training.
        """
        check_is_fitted(self)
        X, y = read_pairs(X, y)
        return _score(super().score, X, read_targets(y), sample_weight)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predicted targets, of the shape that `y` had: ``(n_images,)`` or ``(n_images, n_targets)``."""
        return self._decode_outputs(self._predict_outputs(X))

    def _decode_outputs(self, outputs: Tensor) -> NDArray[np.float64]:
        targets: NDArray[np.float64] = self._answers(outputs.double()).numpy()
        return targets

    def _answers(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0] if self.target_shape_ == () else outputs

    _decode_targets = _decode_outputs

    def _read_targets(self, y: Any, *, reset: bool, classes: Any = None) -> Tensor:
        targets = read_targets(y)
        if reset:
            self.target_shape_ = targets.shape[1:]
        # One column is (n, 1) beside an output of (n, 1): PyTorch would broadcast (n,) to (n, n).
        columns = torch.from_numpy(targets.reshape(len(targets), -1))
        if not reset:
            check_columns(columns.shape[1], self.target_shape_)
        return columns

    def _count_outputs(self, targets: Tensor) -> int:
        return targets.shape[1]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
