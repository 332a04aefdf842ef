"""The end of a network, as a loss needs it."""

import numpy as np
import pytest
import torch
from torch import nn

from depthwise.errors import SizeError, TrainingError
from depthwise.graph import Graph
from depthwise.layers import Activation, Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.modules import build
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.output import check_module_output, with_logits


def sized(*layers, shape=(1, 8, 8), n_outputs=10, of="classes"):
    return with_logits(Graph.from_layers(layers), shape, n_outputs, of)


@pytest.mark.parametrize(
    "layers",
    [
        [Output()],
        [Output(10)],
        [Dense(10, None)],
        [Dense(10, "softmax")],
        [Dense(10, None), Activation("log_softmax")],
        [Conv2D(10, 8, activation=None)],
        [Conv2D(10, 8, activation="softmax"), Flatten()],
        [Conv2D(10, 8, activation=None), Flatten(), Activation("softmax")],
        [Conv2D(10, 3, activation=None), GlobalAvgPool2D()],
        [Conv2D(10, 3), GlobalAvgPool2D()],  # Network in Network, 2014
    ],
)
def test_ten_values_without_activation_are_an_output(layers):
    graph = sized(*layers)
    assert graph.output_shape == (10,)
    assert not any(getattr(node.op, "function", "") in ("softmax", "log_softmax") for node in graph.nodes)
    torch.set_num_threads(1)
    assert build(graph)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_folded_softmax_leaves_probabilities_as_they_are(digits):
    X, y = digits
    params = {"max_epochs": 2, "random_state": 0, "verbose": 0}
    plain = NeuralNetClassifier([Conv2D(4), Dense(10, None)], **params).fit(X, y)
    folded = NeuralNetClassifier([Conv2D(4), Dense(10, "softmax")], **params).fit(X, y)
    assert np.array_equal(plain.predict_proba(X), folded.predict_proba(X))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Conv2D(8), Dense(64)],
            "missing output layer: the network ends in layer 'dense2' with 64 values an image, but 10 classes need 10. "
            r"Write Output\(\) as the last layer.",
        ),
        ([Conv2D(10), MaxPool2D()], "ends in layer 'maxpool2d2' with 10x3x3 values an image, but 10 classes need 10"),
        (
            [Output(7)],
            r"^layer 'output1' is 7 wide, but there are 10 classes. Write Output\(\), which takes its width from the "
            r"data \(N in a notation, no units in a file\), or Output\(10\)\.$",
        ),
        (
            [Conv2D(10, 8), Flatten()],
            "missing output layer: layer 'conv2d1' ends in the activation 'relu', but the loss of 10 classes needs "
            r"values of any size and sign. Write activation=None there, or Output\(\) as the last layer.",
        ),
        ([Dense(10, "sigmoid")], "layer 'dense1' ends in the activation 'sigmoid'"),
        ([Dense(10), Activation("softmax")], "layer 'dense1' ends in the activation 'relu'"),
    ],
)
def test_what_is_no_output_is_told_with_the_remedy(layers, message):
    with pytest.raises(TrainingError, match=message):
        sized(*layers)


def test_a_regression_ends_as_wide_as_its_targets():
    assert sized(Output(), n_outputs=3, of="targets").output_shape == (3,)
    with pytest.raises(TrainingError, match="ends in layer 'dense1' with 2 values an image, but 1 targets need 1"):
        sized(Dense(2, None), n_outputs=1, of="targets")
    with pytest.raises(TrainingError, match="layer 'dense1' ends in the activation 'softmax'"):
        sized(Dense(2, "softmax"), n_outputs=2, of="targets")
    with pytest.raises(TrainingError, match="layer 'dense1' ends in the activation 'relu', but the loss of 1 targets"):
        NeuralNetRegressor([Dense(1)], verbose=0).fit(np.zeros((9, 2)), np.arange(9))


def test_two_classes_have_two_logits(two_classes):
    net = NeuralNetClassifier([Output()], max_epochs=1, verbose=0).fit(*two_classes)
    assert net.module_.output1.out_features == 2
    with pytest.raises(TrainingError, match="ends in layer 'dense1' with 3 values an image, but 2 classes need 2"):
        NeuralNetClassifier([Dense(3, None)], verbose=0).fit(*two_classes)


def test_lazy_parameters_can_be_trained_once_their_output_was_checked():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
    check_module_output(net, (1, 6, 6), 3, "classes")
    net(torch.zeros(2, 1, 6, 6)).sum().backward()
    assert all(value.grad is not None for value in net.parameters())


def test_a_module_that_does_not_fit_the_images_is_told_with_its_layer():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(7, 3))
    with pytest.raises(SizeError, match="layer '2': a dense layer made for 7 inputs gets 64"):
        check_module_output(net, (1, 6, 6), 3, "classes")
    assert all(part.training for part in net.modules())


def test_a_module_that_takes_one_image_only_is_refused():
    class One(nn.Module):
        def forward(self, x):
            return x.view(1, 36)

    with pytest.raises(TrainingError, match="the module One fails with 2 images of 1x6x6: RuntimeError: shape"):
        check_module_output(One(), (1, 6, 6), 36, "classes")
