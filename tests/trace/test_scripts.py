"""Scripts within modules: one operation each, and the module exactly as before."""

import pytest
import torch
from torch import nn

import depthwise as dw
from depthwise.errors import TargetError
from depthwise.layers.mixing import Opaque
from depthwise.layers.ops import Activation
from depthwise.trace import trace_module

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore::FutureWarning")


def make_block():
    return nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Dropout())


class Looped(nn.Module):
    """Its list of layers has no forward of its own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(4, 4, 3), nn.ReLU()])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def networks():
    yield nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(nn.ReLU()))
    yield nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(make_block()), nn.Flatten(), nn.Linear(100, 2))
    yield nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.freeze(torch.jit.script(make_block().eval())))
    yield nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.trace(make_block().eval(), torch.zeros(1, 4, 7, 7)))
    yield nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(Looped()))
    yield torch.jit.script(make_block())
    yield torch.jit.freeze(torch.jit.script(make_block().eval()))


def state(module):
    parts = list(module.modules())
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        [dict(part.__dict__) for part in parts],
        [getattr(part, "training", None) for part in parts],
        torch.get_rng_state(),
    )


@pytest.mark.parametrize("place", range(7))
def test_the_module_is_exactly_as_before(place):
    module = list(networks())[place]
    values, attributes, flags, random = state(module)
    shape = (1, 9, 9) if place < 5 else (4, 9, 9)
    trace_module(module, shape)
    if place < 5:
        assert dw.verify(module, shape).ok
    after = state(module)
    assert all(torch.equal(value, after[0][name]) for name, value in values.items())
    for before, now in zip(attributes, after[1], strict=True):
        assert before.keys() == now.keys() and all(before[name] is now[name] for name in before)
    assert flags == after[2] and torch.equal(random, after[3])


def test_a_script_without_weights_is_measured():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(nn.ReLU()))
    graph = trace_module(module, (1, 9, 9))
    assert [(node.name, node.kind) for node in graph.nodes] == [("input0", "input"), ("0", "conv2d"), ("1", "script")]
    assert isinstance(graph.nodes[-1].op, Activation) and not graph.unused
    assert {layer.verdict for layer in dw.verify(module, (1, 9, 9)).layers} == {"equal"}


def test_a_script_with_weights_is_not_understood_and_its_weights_are_counted():
    block = make_block()
    graph = trace_module(nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(block), nn.ReLU()), (1, 9, 9))
    node = graph.nodes[2]
    assert isinstance(node.op, Opaque) and node.name == "1" and not graph.unused
    assert node.params == sum(value.numel() for value in block.parameters())
    assert graph.at().output_shape == (4, 5, 5)


def test_a_script_that_fails_is_told():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), torch.jit.script(nn.Conv2d(3, 4, 3)))
    before = state(module)
    with pytest.raises(TargetError, match=r"^Sequential cannot be traced: layer '1': "):
        trace_module(module, (1, 9, 9))
    assert [list(part) for part in before[1]] == [list(part) for part in state(module)[1]]
    with pytest.raises(TargetError, match=r"^RecursiveScriptModule cannot be traced: "):
        trace_module(torch.jit.script(nn.Conv2d(3, 4, 3)), (1, 9, 9))
