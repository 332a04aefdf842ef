"""Fixes on whatever a user hands over: names, files, saved networks, estimators."""

import pytest
import torch
from torch import nn

from depthwise import NeuralNetClassifier
from depthwise.errors import RuleError
from depthwise.layers import Conv2D, GlobalAvgPool2D, Output
from depthwise.mending import apply, mend
from depthwise.network import check

SHAPE = (1, 8, 8)
LAYERS = [*[Conv2D(8, padding="same")] * 10, GlobalAvgPool2D(), Output()]
SOURCE = """
from torch import nn
from depthwise.layers import Conv2D, GlobalAvgPool2D, Output
layers = [*[Conv2D(8, padding="same")] * 10, GlobalAvgPool2D(), Output(2)]
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 8, 3, bias=True), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "lst.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def fitted():
    net = NeuralNetClassifier(LAYERS, max_epochs=1, validation=0, random_state=0, verbose=0)
    return net.fit(torch.rand(8, *SHAPE).numpy(), [0, 1] * 4)


def titles(mended):
    return [step.title for step in mended.steps]


def test_every_way_to_hand_a_network_over_is_mended_alike(named, fitted, tmp_path):
    wanted = mend([*LAYERS[:-1], Output(2)], SHAPE)
    assert wanted.steps and not wanted.findings.problems
    by_name = mend(f"{named}:layers", SHAPE)
    assert titles(by_name) == titles(wanted) and by_name.network == wanted.network
    fitted.save(tmp_path / "net.safetensors")
    for target in (fitted, tmp_path / "net.safetensors", str(tmp_path / "net.safetensors")):
        mended = mend(target)
        assert titles(mended) == titles(wanted)
        assert mended.network.layers == [*wanted.network[:-1], Output()]
        assert not hasattr(mended.network, "module_")


def test_a_fix_is_applied_to_names_and_fitted_networks(named, fitted):
    fix = check(f"{named}:layers", SHAPE).problems[0].fix
    assert apply(fix, f"{named}:layers") == apply(fix, [*LAYERS[:-1], Output(2)])
    assert apply(fix, fitted).layers[:-1] == list(apply(fix, LAYERS))[:-1]
    (finding,) = check(f"{named}:Net", SHAPE, select=["NRM001"])
    assert apply(finding, f"{named}:Net", SHAPE)[0].bias is None


def test_a_network_without_findings_is_returned_as_layers():
    mended = mend("16C3ps-32C3ps-10N", SHAPE, select=["ACT"])
    assert mended.network == (Conv2D(16, padding="same"), Conv2D(32, padding="same"), Output(10))
    assert str(mended).startswith("Nothing to mend.\n") and "in all" not in str(mended)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    from depthwise.errors import TargetError
    from depthwise.mending import walking

    def broken(*_):
        raise TargetError("broken")

    monkeypatch.setattr(walking, "apply", broken)
    with pytest.raises(TargetError, match="broken"):
        mend([*LAYERS[:-1], Output(2)], SHAPE)


def test_a_fix_of_another_list_names_the_layer_that_is_missing():
    fix = next(finding.fix for finding in check([*LAYERS[:-1], Output(2)], SHAPE).problems if finding.fix)
    with pytest.raises(
        RuleError, match=r"there is no layer 'conv2d\d+[\w.]*' in this list\..* Apply a fix to the network"
    ):
        apply(fix, "8C3-10N")


def test_an_estimator_of_a_module_is_mended_too():
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 2),
    )  # fmt: skip
    net = NeuralNetClassifier(module, max_epochs=1)
    changed = apply(check(module, SHAPE, select=["NRM001"])[0], net, SHAPE)
    assert changed.layers[0].bias is None and module[0].bias is not None
