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
from depthwise.modules import Init, Network, build, initialize_weights
from depthwise.rules import Findings, check_graph
from depthwise.training.batches import DeviceData
from depthwise.training.checkpoint import save
from depthwise.training.device import choose_device, choose_precision
from depthwise.training.fitting import run_epochs
from depthwise.training.history import History
from depthwise.training.inputs import arrange, input_shape_of, needs_input_shape, read_images, statistics
from depthwise.training.layer_params import LayerParams, declared_layers, refuse_taken_names
from depthwise.training.layer_views import Layers, view_layers
from depthwise.training.loop import Objective, evaluate, predict_outputs
from depthwise.training.losses import Loss, choose_loss
from depthwise.training.output import check_module_output, with_logits
from depthwise.training.parameters import check_parameters
from depthwise.training.randomness import Seeds, seeded
from depthwise.training.targets import check_lengths, choose_validation


class NeuralNet(LayerParams):
    """Base of the estimators.  See :class:`~depthwise.training.NeuralNetClassifier` for the parameters."""

    losses: dict[str, Loss]
    """Losses by name, the default first."""
    outputs_are: Literal["classes", "targets"]

    def __init__(
        self,
        layers: Sequence[object] | str | os.PathLike[str] | nn.Module,
        *,
        max_epochs: int = 10,
        batch_size: int = 128,
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        loss: str | Loss | None = None,
        validation: float | tuple[Any, Any] | None = 0.2,
        standardize: bool = True,
        init: Init = "he",
        callbacks: Iterable[Any] = (),
        device: str | torch.device = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 1,
    ) -> None:
        self.layers = layers
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.l1 = l1
        self.l2 = l2
        self.loss = loss
        self.validation = validation
        self.standardize = standardize
        self.init = init
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Train the network.

        A second fit starts anew, unless ``warm_start=True``.  An interrupt (Ctrl-C) ends training with what is learned.

        Parameters
        ----------
        X
            Images as numbers, uint8 or any other type: shape ``(n_images, channels, height, width)``; where only the
            last axis is 1, 3 or 4 long, ``(n_images, height, width, channels)``; ``(n_images, height, width)``; or
            ``(n_images, features)``.  Never changed, never kept.
        y
            Labels, strings or whole numbers, shape ``(n_images,)``.  For regression numbers, shape ``(n_images,)`` or
            ``(n_images, n_targets)``.

        Raises
        ------
        DataError
            Values are not finite, counts differ, or images have a shape that the network is not made for.
        TrainingError
            A parameter is out of range, the output does not fit the targets, or the loss is no longer finite.
        SizeError
            The network does not fit the images.
        """
        check_parameters(self)
        continues = self.warm_start and self.__sklearn_is_fitted__()
        images = read_images(self, X, reset=not continues)
        check_lengths(images, y)
        targets = self._read_targets(y, reset=not continues)
        if not continues:
            declared = self._declared()
            shape = input_shape_of(images, declared_shape(declared))
            self._start(declared, shape, self._count_outputs(targets))
            self.history_ = History()
        self.n_features_in_ = prod(self.input_shape_)
        train, valid = self._split(arrange(images, self.input_shape_), targets, set_statistics=not continues)
        with seeded(Seeds(self.seed_, len(self.history_)).noise, self.device_):
            run_epochs(self, train, valid)
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
        objective = Objective(choose_loss(self.loss, self.losses), self.precision_)
        return evaluate(self.module_, self._read_known(X, y, "").in_order(), objective, counts=self._classifies)

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

    def _start(
        self, declared: tuple[Layer, ...] | None, input_shape: tuple[int, ...] | None, n_outputs: int | None
    ) -> None:
        """A new network with new weights."""
        self.seed_ = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        if declared is None:
            module = copy.deepcopy(self.layers)
            if input_shape is not None:
                check_module_output(module, input_shape, n_outputs, self.outputs_are)
            self._install(None, None, module, _read_module(module, input_shape))
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
    ) -> None:
        """Take a network as one's own."""
        self.device_ = choose_device(self.device)
        self.precision_ = choose_precision(self.precision, self.device_)
        self.graph_ = graph
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

    def _split(self, X: Tensor, y: Tensor, *, set_statistics: bool) -> tuple[DeviceData, DeviceData | None]:
        """The data to train and to validate on, on the device."""
        given = self._given_validation()
        everything = torch.arange(len(X))
        train, valid = everything, everything[:0]
        if given is None and self.validation:
            classes = y.numpy() if self._classifies else None
            train, valid = choose_validation(len(X), float(self.validation), classes, Seeds(self.seed_).split)  # type: ignore[arg-type]
        if set_statistics and self.standardize and isinstance(self.module_, Network):
            self.module_.input.set(*statistics(X, train))
        data = DeviceData.on(self.device_, X, y)
        if given is None and len(valid):
            given = data.part(valid)
        return data.part(train), given

    def _given_validation(self) -> DeviceData | None:
        if not isinstance(self.validation, (tuple, list)):
            return None
        return self._read_known(*self.validation, "validation: ")

    def _read_known(self, X: Any, y: Any, where: str) -> DeviceData:
        """Further images and targets for the network there is, on the device."""
        images = read_images(self, X, reset=False)
        check_lengths(images, y, where)
        return DeviceData.on(self.device_, arrange(images, self.input_shape_), self._read_targets(y, reset=False))

    def _predict_outputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        data = DeviceData.on(self.device_, arrange(read_images(self, X, reset=False), self.input_shape_))
        return predict_outputs(self.module_, data.in_order(), self.precision_)

    def _read_targets(self, y: Any, *, reset: bool) -> Tensor:
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
