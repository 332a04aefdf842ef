"""get_params and set_params reach single layers."""

import pytest
from sklearn.base import clone
from torch import nn

from depthwise.errors import LayerError, TrainingError
from depthwise.layers import AvgPool2D, Conv2D, Dense, Input, MaxPool2D, Output, Residual
from depthwise.training import NeuralNetClassifier

BLOCK = Residual([Conv2D(4, padding="same")], shortcut=Conv2D(4, 1))
LAYERS = [Conv2D(32), MaxPool2D(), BLOCK, Dense(16, name="wide"), Output()]


def test_deep_parameters_name_every_layer_and_argument():
    params = NeuralNetClassifier(LAYERS).get_params()
    assert params["conv2d1"] == Conv2D(32) and params["conv2d1__out_channels"] == 32
    assert params["residual3__conv2d0__padding"] == "same"
    assert params["residual3__shortcut__conv2d0__kernel_size"] == 1
    assert params["wide__units"] == 16 and params["input0__shape"] is None
    assert "conv2d1" not in NeuralNetClassifier(LAYERS).get_params(deep=False)


def test_arguments_of_layers_are_set_without_touching_the_list_that_was_given():
    given = list(LAYERS)
    net = NeuralNetClassifier(given).set_params(
        conv2d1__out_channels=8,
        residual3__conv2d0__out_channels=5,
        residual3__shortcut__conv2d0__out_channels=5,
        wide__activation=None,
        max_epochs=3,
    )
    block = Residual([Conv2D(5, padding="same")], shortcut=Conv2D(5, 1))
    assert net.layers == [Conv2D(8), MaxPool2D(), block, Dense(16, None, name="wide"), Output()]
    assert net.max_epochs == 3 and given == LAYERS


def test_whole_layers_are_replaced_and_keep_their_own_name():
    net = NeuralNetClassifier(LAYERS).set_params(maxpool2d2=AvgPool2D(), wide=Dense(7), wide__activation="tanh")
    assert net.layers[1] == AvgPool2D() and net.layers[3] == Dense(7, "tanh", name="wide")
    net.set_params(input0=Input((1, 28, 28)))
    assert net.layers[0] == Input((1, 28, 28)) and len(net.layers) == 6
    net.set_params(residual3__layers=[Conv2D(9)], residual3__shortcut=None)
    assert net.layers[3] == Residual([Conv2D(9)])


def test_layers_and_their_arguments_can_be_set_at_once():
    net = NeuralNetClassifier([]).set_params(layers=[Conv2D(2), Output()], conv2d1__kernel_size=5)
    assert net.layers == [Conv2D(2, 5), Output()]


def test_pairs_and_notations_have_layers_too():
    pairs = NeuralNetClassifier([(Conv2D, {"out_channels": 3}), Output()])
    assert pairs.set_params(conv2d1__out_channels=4).layers == [Conv2D(4), Output()]
    text = NeuralNetClassifier("8C3-MP2-N")
    assert text.get_params()["conv2d1__out_channels"] == 8
    assert text.set_params(conv2d1__out_channels=4).layers == [Conv2D(4), MaxPool2D(), Output()]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"conv2d1__out_chanels": 8},
            TrainingError,
            "no parameter 'conv2d1__out_chanels'. Did you mean 'conv2d1__out_channels'",
        ),
        (
            {"conv2d2__out_channels": 8},
            TrainingError,
            "no parameter 'conv2d2__out_channels'. Did you mean 'conv2d1__out_cha",
        ),
        ({"max_epoch": 8}, TrainingError, "no parameter 'max_epoch'. Did you mean 'max_epochs'"),
        ({"residual3__conv2d1__bias": False}, TrainingError, "no parameter 'residual3__conv2d1__bias'"),
        ({"conv2d1__out_channels__x": 8}, TrainingError, "no parameter 'conv2d1__out_channels__x'"),
        ({"conv2d1": 8}, TrainingError, r"conv2d1 is 8 but must be a layer such as Conv2D\(32\)"),
        ({"conv2d1__out_channels": 0}, LayerError, "out_channels is 0 but must be a whole number of 1 or more"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_set(params, error, message):
    net = NeuralNetClassifier(LAYERS)
    with pytest.raises(error, match=message):
        net.set_params(batch_size=7, **params)
    assert net.layers is LAYERS and net.batch_size == 128


def test_a_layer_must_not_bear_a_parameters_name(two_classes):
    net = NeuralNetClassifier([Dense(4, name="loss"), Output()], verbose=0)
    message = "layer 'loss': the estimator has a parameter of this name. Choose another name="
    with pytest.raises(TrainingError, match=message):
        net.get_params()
    with pytest.raises(TrainingError, match=message):
        net.fit(*two_classes)
    assert "loss" in repr(net)


def test_a_module_has_no_layer_parameters():
    net = NeuralNetClassifier(nn.Linear(2, 2))
    assert net.get_params() == net.get_params(deep=False)
    with pytest.raises(TrainingError, match="no parameter 'conv2d1__bias'"):
        net.set_params(conv2d1__bias=True)


def test_clones_are_equal_and_independent():
    net = NeuralNetClassifier(LAYERS, max_epochs=3)
    other = clone(net)
    assert other.get_params() == net.get_params() and other.layers is not net.layers
    other.set_params(conv2d1__out_channels=1)
    assert net.layers[0] == Conv2D(32)


def test_layers_of_a_fitted_net_are_found_by_name_index_and_slice(digits):
    X, y = digits
    net = NeuralNetClassifier([Conv2D(4, name="first"), BLOCK, Output()], max_epochs=1, verbose=0).fit(X, y)
    views = net.layers_
    assert views.names == ("input0", "first", "residual2", "output3") and len(views) == 4
    assert views["first"] is views[1] and views[1:3].names == ("first", "residual2")
    assert views["first"].layer == Conv2D(4, name="first") and views["first"].module is net.module_.first
    assert "first" in views and "second" not in views and views[-1].module.out_features == 10
    assert views["residual2"].module.shortcut is net.module_.residual2.shortcut
    with pytest.raises(KeyError, match=r"no layer is called 'frist'\. Did you mean 'first'"):
        views["frist"]
    with pytest.raises(TypeError):
        views[0] = views[1]
