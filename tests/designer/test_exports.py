"""A design as notation, TOML, Python source, table and JSON."""

import json
import sys
from random import Random

import pytest
import torch
from strategies import random_layers

import depthwise as dw
from depthwise.designer import Budget, design
from depthwise.designer.source import write_source
from depthwise.errors import GraphError
from depthwise.graph import Graph
from depthwise.layers import BatchNorm, GroupNorm, Input
from depthwise.modules import build
from depthwise.trace import trace_module

CASES = {
    "plain": ((1, 28, 28), {"budget": Budget(params=2e4)}),
    "valid, group norm": (
        (3, 36, 36), {"padding": "valid", "norm": GroupNorm(8, eps=1e-3), "budget": Budget(params=1e5)},
    ),
    "strided, odd": ((3, 27, 27), {"downsampling": "stride", "norm": "batch", "budget": Budget(params=3e4)}),
    "residual": (
        (3, 32, 32), {"block": "residual", "norm": BatchNorm(momentum=0.3, eps=0.1), "budget": Budget(params=1e5)},
    ),
    "residual, strided": ((3, 25, 25), {"block": "residual", "downsampling": "stride", "budget": Budget(params=2e5)}),
    "separable": ((3, 32, 32), {"block": "separable", "norm": "batch", "budget": Budget(params=1e4)}),
    "even kernel": ((1, 19, 19), {"kernel_size": (2, 4), "coverage": (0.3, 1), "budget": Budget(params=1e4)}),
    "oblong": ((1, 31, 64), {"downsampling": "stride", "budget": Budget(params=9e4)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_source_computes_what_the_built_module_computes(case):
    shape, options = CASES[case]
    for one in design(shape, 7, **options)[::4]:
        source = one.to_python()
        names = {}
        exec(compile(source, "network.py", "exec"), names)
        assert "import depthwise" not in source and "from depthwise" not in source
        assert max(map(len, source.splitlines())) <= 100
        plain, built = names["Network"](), build(Graph.from_layers(one.layers).at(shape))
        assert sum(weights.numel() for weights in plain.parameters()) == one.params
        weights = {name: value for name, value in built.state_dict().items() if not name.startswith("input0.")}
        plain.load_state_dict(weights)
        with torch.no_grad():
            images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
            logits = plain.eval()(images)
            assert logits.shape == (2, 7)
            torch.testing.assert_close(logits, built.eval()(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_the_source_of_any_list_learns_and_predicts_as_the_built_module(seed):
    layers, shape = random_layers(Random(seed))
    sized = Graph.from_layers(layers).at(shape)
    names = {}
    exec(write_source(sized, "A network", standardizes=True), names)
    plain, built = names["Network"](), build(sized)
    built.input.set(torch.full((shape[0],), 0.3), torch.full((shape[0],), 1.7))
    plain.load_state_dict(built.state_dict())
    images = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for training in (True, False):
        torch.manual_seed(seed)  # of dropout
        expected = built.train(training)(images)
        torch.manual_seed(seed)
        torch.testing.assert_close(plain.train(training)(images), expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    for name, value in built.state_dict().items():  # what norms have learned of the batch
        torch.testing.assert_close(plain.state_dict()[name], value, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_what_has_no_source_is_named():
    traced = trace_module(torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.PixelShuffle(2)), (1, 8, 8)).at()
    with pytest.raises(GraphError, match=r"layer '.*': there is no source for the operation PixelShuffle\."):
        write_source(traced, "A network")


def test_the_source_runs_without_depthwise(monkeypatch):
    source = design((1, 20, 20), 10, budget=Budget(params=2e4)).best.to_python()
    monkeypatch.setitem(sys.modules, "depthwise", None)  # an import of it fails from here on
    names = {}
    exec(source, names)
    assert names["Network"]()(torch.ones(1, 1, 20, 20)).shape == (1, 10)


@pytest.mark.parametrize("case", CASES)
def test_notation_and_toml_give_the_same_layers(case):
    shape, options = CASES[case]
    for one in design(shape, 7, **options):
        assert dw.read_layers(one.notation) == one.layers
        assert dw.read_layers(one.to_toml()) == (Input(shape), *one.layers)


def test_the_table_is_narrow_and_says_why():
    designs = design((1, 28, 28), 10, budget=Budget(params=5e4, training_memory=1e9))
    text = str(designs)
    assert max(map(len, text.splitlines())) <= 100
    assert text.splitlines()[2].split() == [
        "7-3", "16", "10", "37,546", "15.5", "M", "429", "KiB", "57.6", "MiB", "20.0", "%", "96.4", "%",
    ]  # fmt: skip
    assert f"{len(designs)} designs for images of 1x28x28 and 10 classes." in text
    assert " ".join(designs.why.split()) in " ".join(text.split())
    assert designs.html() == designs._repr_html_()
    assert designs.markdown().startswith("| convolutions |")
    assert len(designs.text(most=3).split("\n\n")[0].splitlines()) == 5
    assert "the first 3 of them" in designs.text(most=3)


def test_a_halving_of_one_side_is_marked_and_explained():
    designs = design((1, 20, 38), 10)
    assert all("~" in one.skeleton for one in designs)
    assert "~ halves the longer side alone." in str(designs)


def test_designs_are_a_sequence_of_ordinary_networks():
    designs = dw.design((1, 28, 28), n_classes=10, budget=dw.Budget(params=1e5))
    assert isinstance(designs, dw.DesignSet)
    assert designs[0] is designs.best
    assert list(designs) == [*designs[:2], *designs[2:]]
    assert len(designs) == len(designs.designs)
    assert str(designs.best) == "7-3 from 24: 10 convolutions, 84 k parameters, 34.7 M MACs"
    assert dw.analyze(designs.best.layers, (1, 28, 28)).params == designs.best.params
    assert designs.best._repr_html_() == designs.best.analysis.html()


def test_everything_goes_into_json():
    designs = design((1, 28, 28), 10, budget=Budget(params=5e4))
    read = json.loads(json.dumps(designs.to_dict()))
    assert read["budget"] == {"params": 50_000}
    assert read["why"] == designs.why
    assert [limit["name"] for limit in read["limits"]] == ["min_capacity", "coverage"]
    assert len(read["designs"]) == len(designs)
    assert read["designs"][0] == {
        "input_shape": [1, 28, 28], "skeleton": "7-3", "depth": 10, "width": 16, "params": 37546, "macs": 15467072,
        "activation_bytes": designs.best.analysis.activation_bytes, "training_memory": None, "capacity": [0.2, 0.2],
        "coverage": [27 / 28, 27 / 28], "notation": designs.best.notation,
    }  # fmt: skip
