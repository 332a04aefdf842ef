"""A design as notation, TOML, Python source, table and JSON."""

import json
import sys

import pytest
import torch

import depthwise as dw
from depthwise.designer import Budget, design
from depthwise.graph import Graph
from depthwise.layers import BatchNorm, GroupNorm, Input
from depthwise.modules import build

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
        assert "depthwise" not in source.split('"""', 2)[2]
        assert max(map(len, source.splitlines())) <= 100
        plain, built = names["Network"](), build(Graph.from_layers(one.layers).at(shape))
        assert sum(weights.numel() for weights in plain.parameters()) == one.params
        pairs = list(zip(plain.parameters(), built.parameters(), strict=True))
        with torch.no_grad():
            for mine, theirs in pairs:
                mine.copy_(theirs)
            images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
            logits = plain.eval()(images)
            assert logits.shape == (2, 7)
            torch.testing.assert_close(logits, built.eval()(images), rtol=1e-4, atol=1e-5)


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
