import pytest
from sklearn.base import BaseEstimator

import depthwise as dw
from depthwise import Conv2D, Dense, Input, MaxPool2D, Output
from depthwise.errors import GraphError, RuleError, SizeError, TargetError

LAYERS = [Conv2D(8), MaxPool2D(), Dense(16), Output(10)]
SHAPE = (1, 28, 28)


class Unfitted(BaseEstimator):
    def __init__(self, layers):
        self.layers = layers


@pytest.mark.parametrize("target", [LAYERS, "8C3-MP2-16N-10N", Unfitted(LAYERS), Unfitted("8C3-MP2-16N-10N")])
def test_a_network_is_a_network_however_it_is_given(target):
    assert dw.analyze(target, SHAPE) == dw.analyze(tuple(LAYERS), SHAPE)


def test_a_toml_file_is_a_network(tmp_path):
    from depthwise.notation import write_toml

    path = tmp_path / "design.toml"
    path.write_text(write_toml(tuple(LAYERS)))
    for target in (path, str(path)):
        assert dw.analyze(target, SHAPE) == dw.analyze(LAYERS, SHAPE)


def test_the_declared_shape_is_enough():
    assert dw.analyze([Input(SHAPE), *LAYERS]).input_shape == SHAPE
    with pytest.raises(SizeError, match="'input0' declares images of 1x28x28 but input_shape is 3x8x8"):
        dw.analyze([Input(SHAPE), *LAYERS], (3, 8, 8))


def test_the_width_of_an_open_output_can_be_given():
    open_end = [*LAYERS[:-1], Output()]
    assert dw.analyze(open_end, SHAPE).output_shape == (None,)
    assert dw.analyze(open_end, SHAPE, n_outputs=10) == dw.analyze(LAYERS, SHAPE)


@pytest.mark.parametrize("target", [3, None, object()])
def test_anything_else_is_refused(target):
    with pytest.raises(TargetError, match=r"is not a network\. Give a layer list"):
        dw.analyze(target, SHAPE)


def test_a_missing_shape_says_what_to_give():
    with pytest.raises(GraphError, match="Give input_shape="):
        dw.analyze(LAYERS)


def test_a_shape_that_is_none_is_refused():
    with pytest.raises(SizeError, match=r"^input_shape is 28 but must be whole numbers of 1 or more: \(channels, "):
        dw.analyze("8C3-N", input_shape=28)


@pytest.mark.parametrize("batch_size", [0, -3, "32"])
def test_a_batch_that_cannot_be_is_refused(batch_size):
    with pytest.raises(RuleError) as problem:
        dw.check("8C3-10N", (1, 28, 28), batch_size=batch_size)
    assert str(problem.value) == f"batch_size is {batch_size!r} but must be a whole number of 1 or more, or None."


@pytest.mark.parametrize("loss", ["cross_entropy", "bce", "hinge", "squared_error", "absolute_error", "huber"])
def test_losses_by_the_names_of_our_estimators(loss):
    assert not dw.check("8C3-10N", (1, 28, 28), loss=loss, select=["HED"])


def test_an_estimator_around_a_module_is_a_network():
    import numpy as np
    from torch import nn

    module = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()] * 9, nn.Flatten(), nn.Linear(64, 2))
    net = dw.NeuralNetClassifier(module, max_epochs=1, validation=None, verbose=0)
    X, y = np.random.default_rng(0).normal(size=(8, 1, 8, 8)), np.arange(8) % 2
    net.fit(X, y)
    assert dw.analyze(net).params == dw.analyze(module, (1, 8, 8)).params == net.analysis_.params
    of_training = [found for found in dw.check(net) if found.code.startswith("TRN")]
    assert [*dw.check(module, (1, 8, 8)), *of_training] == list(dw.check(net)) == list(net.findings_)
    assert dw.verify(net).ok


def test_a_factory_that_fails_is_told(tmp_path):
    path = tmp_path / "mynet.py"
    path.write_text("def bad(size=None):\n    return size + 1\n")
    with pytest.raises(TargetError, match="bad cannot be made: TypeError"):
        dw.analyze(f"{path}:bad", SHAPE)
    path.write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(TargetError, match="cannot be imported: SystemExit: 3"):
        dw.analyze(f"{path}:bad", SHAPE)
