"""What the classifier and the regressor share: parameters, data to tensors, the network."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import prod
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from depthwise.errors import TrainingError
from depthwise.layers import Layer
from depthwise.modules import Init
from depthwise.rules import Findings
from depthwise.training.batches import EVALUATION_BATCH, DeviceData
from depthwise.training.checkpoint import save
from depthwise.training.datasets import LazyImages
from depthwise.training.device import choose_device, choose_precision
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.export import export
from depthwise.training.fitting import Training, as_before_unless_learned
from depthwise.training.heap import kept_heap
from depthwise.training.history import History
from depthwise.training.inputs import input_shape_of, read_images
from depthwise.training.layer_params import LayerParams, declared_layers, refuse_taken_names
from depthwise.training.layer_views import Layers, view_layers
from depthwise.training.loop import Objective, evaluate, predict_outputs
from depthwise.training.losses import Loss, LossFunction, Smoothed, choose_loss
from depthwise.training.new_networks import NewNetwork, check_network, declared_shape, make_network
from depthwise.training.parallel import train_in_processes
from depthwise.training.parameters import check_parameters
from depthwise.training.preparing import (
    arrange_images,
    read_known,
    read_known_images,
    read_pairs,
    settle,
    split_data,
    standardize,
)
from depthwise.training.ranks import Ranks, is_launched, join_group
from depthwise.training.resume import SavedTraining
from depthwise.training.stages import n_epochs
from depthwise.training.targets import check_lengths
from depthwise.training.transfer import WeightTransfer, load_weights, refuse_changed_layers, take_over
from depthwise.training.weights import read_sample_weight


class NeuralNet(LayerParams):
    """Base of the estimators.  See :class:`~depthwise.training.NeuralNetClassifier` for the parameters."""

    losses: dict[str, Smoothed]
    """Losses by name, the default first."""
    outputs_are: Literal["classes", "targets"]

    def __init__(
        self,
        layers: Sequence[object] | str | os.PathLike[str] | nn.Module,
        *,
        max_epochs: int = 10,
        batch_size: int | Sequence[tuple[int, int]] = 128,
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        schedule: Any = None,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        loss: str | LossFunction | None = None,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        validation: Any = 0.2,
        early_stopping: int | EarlyStopping | None = None,
        augment: Any = None,
        standardize: bool = True,
        init: Init = "he",
        callbacks: Iterable[Any] = (),
        scoring: Any = None,
        device: str | torch.device = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        compile: bool = False,
        random_state: Any = None,
        warm_start: bool = False,
        processes: int = 1,
        verbose: int = 1,
    ) -> None:
        self.layers = layers
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.l2 = l2
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.validation = validation
        self.early_stopping = early_stopping
        self.augment = augment
        self.standardize = standardize
        self.init = init
        self.callbacks = callbacks
        self.scoring = scoring
        self.device = device
        self.precision = precision
        self.compile = compile
        self.random_state = random_state
        self.warm_start = warm_start
        self.processes = processes
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, resume: str | os.PathLike[str] | None = None
    ) -> Self:
        """Train the network.

        A second fit starts anew, unless ``warm_start=True``.  An interrupt (Ctrl-C) ends training with the weights of
        the best whole epoch.  A fit that fails before its first epoch is done leaves the estimator as it was.

        Parameters
        ----------
        X
            Images as numbers, uint8 or any other type: shape ``(n_images, channels, height, width)``; where only the
            last axis is 1, 3 or 4 long, ``(n_images, height, width, channels)``; ``(n_images, height, width)``; or
            ``(n_images, features)``.  Never changed, never kept.  Without `y` an :class:`~depthwise.data.ImageSet` or
            a PyTorch data set of pairs.
        y
            Labels, strings or whole numbers, shape ``(n_images,)``; with ``loss="bce"`` also rows of 0 and 1, several
            labels an image.  For regression numbers, shape ``(n_images,)`` or ``(n_images, n_targets)``.
        sample_weight
            How much each image counts, shape ``(n_images,)``.
        resume
            A folder.  The state of training is kept there after every epoch, and a training that was interrupted goes
            on from there: on a processor it ends bit for bit as if it had never been interrupted.  ``max_epochs``
            counts from the very beginning and may have grown since.

        Raises
        ------
        DataError
            Values are not finite, counts differ, or images have a shape that the network is not made for.
        TrainingError
            A parameter is out of range, the output does not fit the targets, the loss of the first epoch is not finite,
            or `resume` holds another training.
        FileError
            The state cannot be written or read.
        SizeError
            The network does not fit the images.
        """
        check_parameters(self)
        if self.processes > 1 and not is_launched():
            train_in_processes(self, X, y, sample_weight, resume)
            return self
        saved = None if resume is None else SavedTraining(resume, self)
        with as_before_unless_learned(self):
            train, valid = self._prepare(X, y, sample_weight, goes_on=self.warm_start, saved=saved)
            Training(self, train, valid, n_epochs(self.max_epochs, self.batch_size), saved).run()
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these images, none held out; the network there is goes on learning.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.  The first call sets how images are standardized.
        classes
            All labels that will ever come; only the first call reads it, and takes those of `y` without it.
        """
        check_parameters(self)
        with as_before_unless_learned(self):
            train, valid = self._prepare(X, y, sample_weight, goes_on=True, classes=classes, validates=False)
            Training(self, train, valid, 1, stops=False).run()
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        goes_on: bool,
        classes: Any = None,
        validates: bool = True,
        saved: SavedTraining | None = None,
    ) -> tuple[DeviceData, DeviceData | None]:
        join_group(self.device)
        continues = goes_on and self.__sklearn_is_fitted__() and saved is None
        X, y = read_pairs(X, y)
        images: Any = X if isinstance(X, LazyImages) else read_images(self, X, reset=not continues)
        check_lengths(images, y)
        targets = self._read_targets(y, reset=not continues, classes=classes)
        weights = None if sample_weight is None else read_sample_weight(sample_weight, len(images))
        if not continues:
            declared = self._declared()
            shape = input_shape_of(images, declared_shape(declared))
            initialized = vars(self).get("module_") if goes_on and not self.__sklearn_is_fitted__() else None
            self._start(declared, shape, self._count_outputs(targets), None if saved is None else saved.seed)
            if initialized is not None:
                take_over(self.module_, initialized)
        else:
            refuse_changed_layers(self._declared(), self.layers_)
        settle(self, None if saved is None else saved.precision)
        self.n_features_in_ = prod(self.input_shape_)
        arranged = arrange_images(images, self.input_shape_)
        train, valid = split_data(self, arranged, targets, weights, validates=validates)
        if not continues:
            standardize(self, train)
            self.history_ = History()
        return train, valid

    def initialize(self) -> Self:
        """Build the network without data: ``module_``, ``graph_``, ``analysis_``, ``layers_``.

        Raises
        ------
        TrainingError
            The layers declare no input shape, or an ``Output()`` has no width.

        Examples
        --------
        >>> from depthwise.layers import Conv2D, Input, Output
        >>> from depthwise.training import NeuralNetClassifier
        >>> NeuralNetClassifier([Input((1, 8, 8)), Conv2D(2), Output(10)]).initialize().analysis_.params
        750
        """
        check_parameters(self)
        declared = self._declared()
        shape = declared_shape(declared)
        if declared is not None and shape is None:
            raise TrainingError(
                "initialize() needs the shape of the images. "
                "Put Input((channels, height, width)) before the other layers, or call fit."
            )
        self._start(declared, shape, None)
        return self

    def load_weights(self, source: Any) -> WeightTransfer:
        """Take weights and statistics of equal name and shape from another network, to predict or to learn on.

        A network that was not fitted is initialized, and needs ``warm_start=True`` for ``fit`` to go on with them.

        Parameters
        ----------
        source
            The path of what :meth:`save` wrote, or of any safetensors file; a fitted estimator, a module, or tensors
            by name.

        Raises
        ------
        FileError
            The file cannot be read.
        TrainingError
            Nothing fits, or ``fit`` would start anew.
        """
        return load_weights(self, source)

    def evaluate(self, X: Any, y: Any = None) -> tuple[float, int | None]:
        """Mean loss, without penalties, and the number of right answers (``None`` for regression).

        Images and targets come in the forms that ``fit`` takes.
        """
        check_is_fitted(self)
        objective = Objective(self._loss(), self.precision_)
        seen = evaluate(self.module_, read_known(self, X, y, "").in_order(), objective, counts=self._classifies)
        return seen.loss, seen.right

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted network to one safetensors file, from which :func:`depthwise.load` makes the same estimator.

        The file holds weights, layers, classes, preprocessing, history and parameters, and nothing that is executed:
        parameters that are functions or data (a loss of your own, callbacks, validation images) are not in it.

        Parameters
        ----------
        path
            Ends in ``.safetensors``.  A file that is there is replaced, whole or not at all.

        Raises
        ------
        FileError
            The file cannot be written, or the network was given as a module.
        """
        save(self, path)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted network for programs without depthwise.

        ``.onnx``: from images to the probabilities of :meth:`predict_proba`, or to what a regressor predicts; any
        number of float32 images, channels first, with the values that training had, which the file standardizes
        itself.  The labels are its metadata ``classes``.  Needs ``depthwise[onnx]``.

        ``.py``: the source of a plain ``torch.nn.Module`` that takes ``net.module_.state_dict()``, or the tensors of a
        file of :meth:`save`.

        Parameters
        ----------
        path
            Ends in ``.onnx`` or ``.py``.  A file that is there is replaced, whole or not at all.

        Raises
        ------
        FileError
            The ending is another one, a package is missing, the network cannot be written in this form, or the file
            cannot be written.
        """
        export(self, path)

    @property
    def _classifies(self) -> bool:
        return self.outputs_are == "classes"

    def _declared(self) -> tuple[Layer, ...] | None:
        """The layers with the input written out; ``None`` for a module."""
        if isinstance(self.layers, nn.Module):
            return None
        layers = declared_layers(self.layers)
        refuse_taken_names(layers, self.get_params(deep=False))
        return layers

    def _loss(self) -> Loss:
        one_label = not getattr(self, "multilabel_", False)
        return choose_loss(self.loss, self.losses, self.n_outputs_, self.label_smoothing, one_label=one_label)

    def _start(
        self,
        declared: tuple[Layer, ...] | None,
        input_shape: tuple[int, ...] | None,
        n_outputs: int | None,
        seed: int | None = None,
    ) -> None:
        """A new network with new weights."""
        drawn = Ranks.now().agree(int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)))
        self.seed_ = drawn if seed is None else seed
        self._install(make_network(self, declared, input_shape, n_outputs))
        if input_shape is not None:
            self.input_shape_ = input_shape

    def _install(self, network: NewNetwork) -> None:
        """Take a network as one's own."""
        self.device_ = choose_device(self.device)
        self.precision_ = choose_precision(self.precision, self.device_)
        self.graph_ = network.graph
        self.n_outputs_ = network.n_outputs
        self.analysis_ = network.analysis
        self.module_: nn.Module = network.module.to(self.device_).eval()
        self.layers_: Layers = view_layers(network.declared, self.module_)
        for name in ("optimizer_", "health_", "history_"):
            self.__dict__.pop(name, None)

    @property
    def findings_(self) -> Findings:
        """What the rules say of the network at its image size, if it can be read, and of its training."""
        check_is_fitted(self, "module_")
        return check_network(self)

    def _predict_outputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        data = DeviceData.on(self.device_, read_known_images(self, X))
        with kept_heap(len(data) > EVALUATION_BATCH):  # one batch has nothing to take twice
            return predict_outputs(self.module_, data.in_order(), self.precision_)

    def _answers(self, outputs: Tensor) -> Tensor:
        """What the outputs say: probabilities, or targets of the shape that they had in training."""
        raise NotImplementedError

    def _read_targets(self, y: Any, *, reset: bool, classes: Any = None) -> Tensor:
        raise NotImplementedError

    def _count_outputs(self, targets: Tensor) -> int:
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the network on the processor, so that every machine can read it, and no optimizer."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("optimizer_", None)
        if getattr(self, "device_", None) not in (None, torch.device("cpu")):
            state |= copy.deepcopy({name: state[name] for name in ("module_", "layers_")})
            state["module_"].cpu()
            state["device_"] = torch.device("cpu")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "device_" in state:
            with suppress(TrainingError):  # where its device is missing, it stays on the processor
                self.device_ = choose_device(self.device)
                self.module_.to(self.device_)
