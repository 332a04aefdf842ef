import numpy as np
import pytest
import torch
from torch import nn

import depthwise as dw
from depthwise.errors import GraphError, SizeError
from depthwise.inspection import measure_effective_field


def constant_chain():
    """Convolutions and an average pool whose weights are all alike: the gradient counts paths."""
    layers = [
        nn.Conv2d(1, 1, 3),
        nn.Conv2d(1, 1, 3),
        nn.AvgPool2d(2),
        nn.Conv2d(1, 1, 3, dilation=2),
        nn.Conv2d(1, 1, 5),
    ]
    chain = nn.Sequential(*layers)
    for parameter in chain.parameters():
        nn.init.constant_(parameter, 1.0 if parameter.ndim > 1 else 0.0)
    return chain


def test_the_support_is_the_receptive_field_and_the_spread_its_closed_form():
    chain = constant_chain()
    field = measure_effective_field(chain, (1, 40, 44), "4")
    analysis = dw.analyze(chain, (1, 40, 44))
    row = analysis.layers[-1]
    (top, bottom), (left, right) = analysis.region(row.name, field.unit).clipped
    seen = field.gradients > 0
    expected = np.zeros_like(seen)
    expected[top : bottom + 1, left : right + 1] = True
    assert np.array_equal(seen, expected)
    # The closed form takes pools to be filters of equal weights, which an average pool is.
    assert field.spread == pytest.approx(row.effective_field, rel=1e-4)


def test_the_field_that_is_looked_at_is_smaller_than_the_one_that_is_seen():
    torch.manual_seed(0)
    deep = nn.Sequential(*[nn.Conv2d(4 if i else 1, 4, 3, padding=1) for i in range(10)])
    field = measure_effective_field(deep, (1, 33, 33))
    assert field.layer == "9" and field.unit == (16, 16)
    assert field.size < 21 and field.area == (field.gradients >= 1 - 0.9545).sum()
    assert field.gradients.max() == 1


def test_an_estimator_a_list_and_a_module_are_networks():
    layers = [dw.Conv2D(4), dw.MaxPool2D(), dw.Conv2D(4), dw.Output(2)]
    by_list = dw.effective_field(layers, (1, 16, 16))
    net = dw.NeuralNetClassifier([dw.Input((1, 16, 16)), *layers]).initialize()
    assert by_list.gradients.shape == dw.effective_field(net).gradients.shape == (16, 16)
    assert dw.effective_field(net, layer="conv2d1", unit=(0, 0)).area <= 9


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(72, 2)).train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    measure_effective_field(module, (1, 8, 8))
    assert [part.training for part in module] == [True, False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())
    assert torch.equal(state, torch.get_rng_state())


def test_mistakes_are_told():
    chain = constant_chain()
    with pytest.raises(GraphError, match=r"the module has no layer '7'\..*There are: 0, 1, 2, 3, 4\."):
        measure_effective_field(chain, (1, 40, 40), "7")
    with pytest.raises(GraphError, match=r"layer '4' has no unit \(99, 0\): its map is 10x10\."):
        measure_effective_field(chain, (1, 40, 40), "4", (99, 0))
    with pytest.raises(GraphError, match="gives no map"):
        measure_effective_field(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), (1, 4, 4))
    with pytest.raises(SizeError, match="rows of values have no fields"):
        measure_effective_field(chain, (16,))
