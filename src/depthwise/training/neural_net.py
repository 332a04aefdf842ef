"""What the classifier and the regressor share: parameters, data to tensors, the network."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import DepthwiseError, TrainingError
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import Layer
from depthwise.layers.ops import GlobalPool, Pad, Upsample, Window
from depthwise.modules import Init, build, initialize_weights
from depthwise.rules import Findings, check_graph
from depthwise.training.batches import DeviceData
from depthwise.training.checkpoint import save
from depthwise.training.device import choose_device, choose_precision
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.fitting import Training
from depthwise.training.history import History
from depthwise.training.inputs import arrange, input_shape_of, needs_input_shape, read_images
from depthwise.training.layer_params import LayerParams, declared_layers, refuse_taken_names
from depthwise.training.layer_views import Layers, view_layers
from depthwise.training.loop import Objective, evaluate, predict_outputs
from depthwise.training.losses import Loss, LossFunction, Smoothed, choose_loss
from depthwise.training.output import check_module_output, with_logits
from depthwise.training.parameters import check_parameters
from depthwise.training.preparing import read_known, read_pairs, split_data, standardize
from depthwise.training.randomness import Seeds
from depthwise.training.resume import SavedTraining
from depthwise.training.stages import n_epochs
from depthwise.training.targets import check_lengths
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
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, resume: str | os.PathLike[str] | None = None
    ) -> Self:
        """Train the network.

        A second fit starts anew, unless ``warm_start=True``.  An interrupt (Ctrl-C) ends training with what is learned.

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
            A parameter is out of range, the output does not fit the targets, the loss is no longer finite, or `resume`
            holds another training.
        FileError
            The state cannot be written or read.
        SizeError
            The network does not fit the images.
        """
        check_parameters(self)
        saved = None if resume is None else SavedTraining(resume)
        continues = self.warm_start and self.__sklearn_is_fitted__() and saved is None
        return self._train(
            X, y, sample_weight, continues=continues, n_epochs=n_epochs(self.max_epochs, self.batch_size), saved=saved
        )

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
        continues = self.__sklearn_is_fitted__()
        return self._train(X, y, sample_weight, continues=continues, n_epochs=1, classes=classes, validates=False)

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        continues: bool,
        n_epochs: int,
        classes: Any = None,
        validates: bool = True,
        saved: SavedTraining | None = None,
    ) -> Self:
        X, y = read_pairs(X, y)
        images = read_images(self, X, reset=not continues)
        check_lengths(images, y)
        targets = self._read_targets(y, reset=not continues, classes=classes)
        weights = None if sample_weight is None else read_sample_weight(sample_weight, len(images))
        if not continues:
            declared = self._declared()
            shape = input_shape_of(images, declared_shape(declared))
            self._start(declared, shape, self._count_outputs(targets), None if saved is None else saved.seed)
            self.history_ = History()
        if saved is not None and saved.precision is not None:
            self.precision_ = saved.precision
        self.n_features_in_ = prod(self.input_shape_)
        arranged = arrange(images, self.input_shape_)
        train, valid = split_data(self, arranged, targets, weights, validates=validates)
        if not continues:
            standardize(self, train)
        Training(self, train, valid, n_epochs, saved).run()
        return self

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

    def evaluate(self, X: Any, y: Any) -> tuple[float, int | None]:
        """Mean loss, without penalties, and the number of right answers (``None`` for regression)."""
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
            Usually ``*.safetensors``.  A file that is there is replaced, whole or not at all.

        Raises
        ------
        FileError
            The file cannot be written, or the network was given as a module.
        """
        save(self, path)

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
        return choose_loss(self.loss, self.losses, self.n_outputs_, self.label_smoothing)

    def _start(
        self,
        declared: tuple[Layer, ...] | None,
        input_shape: tuple[int, ...] | None,
        n_outputs: int | None,
        seed: int | None = None,
    ) -> None:
        """A new network with new weights."""
        drawn = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.seed_ = drawn if seed is None else seed
        if declared is None:
            module = copy.deepcopy(self.layers)
            width = None
            if input_shape is not None:
                width = check_module_output(module, input_shape, n_outputs, self.outputs_are)
            self._install(None, None, module, _read_module(module, input_shape), width)
        else:
            graph = Graph.from_layers(declared)
            _demand_images(graph, input_shape)
            sized = with_logits(graph, input_shape, n_outputs, self.outputs_are)
            network = build(sized)
            initialize_weights(network, self.init, Seeds(self.seed_).weights)
            self._install(declared, sized, network)
        if input_shape is not None:
            self.input_shape_ = input_shape

    def _install(
        self,
        declared: tuple[Layer, ...] | None,
        graph: SizedGraph | None,
        module: nn.Module,
        analysis: Analysis | None = None,
        n_outputs: int | None = None,
    ) -> None:
        """Take a network as one's own."""
        self.device_ = choose_device(self.device)
        self.precision_ = choose_precision(self.precision, self.device_)
        self.graph_ = graph
        self.n_outputs_ = n_outputs if graph is None else prod(map(int, graph.output_shape))  # type: ignore[arg-type]
        self.analysis_: Analysis | None = analysis if graph is None else analyze_graph(graph)
        self.module_: nn.Module = _channels_last(module.to(self.device_)).eval()
        self.layers_: Layers = view_layers(declared, self.module_)
        self.__dict__.pop("optimizer_", None)

    @property
    def findings_(self) -> Findings:
        """What the rules say of the network at its image size; nothing of a module that cannot be read."""
        check_is_fitted(self, "module_")
        if self.analysis_ is None:
            return Findings(())
        graph = self.analysis_.graph
        declared = graph.declared or Graph(tuple(node.node for node in graph.nodes))
        own = {} if self.graph_ else {"root": "model", "modules": frozenset(dict(self.module_.named_modules()))}
        return check_graph(declared, graph.input_shape, **own)  # type: ignore[arg-type]  # images have known sides

    def _predict_outputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        data = DeviceData.on(self.device_, arrange(read_images(self, X, reset=False), self.input_shape_))
        return predict_outputs(self.module_, data.in_order(), self.precision_)

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


def _read_module(module: nn.Module, input_shape: tuple[int, ...] | None) -> Analysis | None:
    """What can be told of a module without running it, if it can be read."""
    from depthwise.trace import trace_module

    if input_shape is None:
        return None
    try:
        return analyze_graph(trace_module(module, input_shape).at())
    except DepthwiseError:
        return None


def declared_shape(declared: tuple[Layer, ...] | None) -> tuple[int, ...] | None:
    """Shape that an ``Input`` declares, if any."""
    return None if declared is None else getattr(declared[0], "shape", None)


def _demand_images(graph: Graph, input_shape: tuple[int, ...] | None) -> None:
    if input_shape is not None and len(input_shape) == 1:
        for node in graph.nodes:
            if isinstance(node.op, (Window, Pad, Upsample, GlobalPool)):
                raise needs_input_shape(input_shape[0], node.layer)


def _channels_last(module: nn.Module) -> nn.Module:
    if any(parameter.ndim == 5 for parameter in module.parameters()):
        return module  # kernels of 3-D convolutions have another layout
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
