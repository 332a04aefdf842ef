"""Findings of torch modules in their own names, and fixes made on copies of them."""

import pytest
import torch
from classic_networks import convnext_t, densenet121, mobilenet_v2, resnet, vgg
from odd_networks import ResNet18
from torch import nn

from depthwise.errors import GraphError, RuleError
from depthwise.graph import Edit, Graph, Remove
from depthwise.layers import Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.mending import apply, mend
from depthwise.modules import build
from depthwise.network import check
from depthwise.rules import Fix

SMALL = (3, 32, 32)
PHOTO = (3, 224, 224)


@pytest.fixture(scope="module")
def small_findings():
    return check(ResNet18(10), SMALL)


def test_a_resnet18_on_small_images_has_the_findings_of_its_layer_list(small_findings):
    listed = check([*resnet(2, 2, 2, 2), GlobalAvgPool2D(), Output(10)], SMALL)
    messages = [[(one.code, one.severity, one.message) for one in found if one.code[:3] == "COV"]
                for found in (small_findings, listed)]  # fmt: skip
    assert messages[0] == messages[1]


def test_remedies_speak_the_modules_own_names(small_findings):
    (finding,) = [one for one in small_findings.problems if one.code == "COV002"]
    assert [remedy.title for remedy in finding.remedies] == [
        "Set model.maxpool = nn.Identity()",
        "Set model.layer3 = model.layer4 = nn.Identity(), with a new model.fc = nn.Linear(128, 10)",
        "Use images of 76 px or more",
    ]
    without_pool = apply(finding, ResNet18(10), SMALL)
    (finding,) = [one for one in check(without_pool, SMALL).problems if one.code == "COV001"]
    assert finding.remedies[0].title == "Set model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)"


def test_the_copy_is_changed_and_the_module_is_not(small_findings):
    net = ResNet18(10).eval()
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    (finding,) = [one for one in small_findings.problems if one.code == "COV002"]
    opened, cut = (apply(remedy, net, SMALL) for remedy in finding.remedies[:2])
    assert isinstance(opened.maxpool, nn.Identity) and isinstance(net.maxpool, nn.MaxPool2d)
    assert isinstance(cut.layer4, nn.Identity) and (cut.fc.in_features, net.fc.in_features) == (128, 512)
    images = torch.randn(2, *SMALL)
    assert opened(images).shape == cut(images).shape == (2, 10)
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())


def test_a_network_is_brought_to_small_images_in_both_directions():
    net = ResNet18(10)
    deeper, cheaper = (mend(net, SMALL, goal) for goal in ("deeper", "cheaper"))
    assert [step.title for step in deeper.steps[:2]] == [
        "Set model.maxpool = nn.Identity()",
        "Set model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)",
    ]
    assert not deeper.findings.problems and not cheaper.findings.problems
    assert deeper.price.after.macs > deeper.price.before.macs > cheaper.price.after.macs
    middle = net.conv1.weight[:, :, 2:5, 2:5]
    assert torch.equal(deeper.network.conv1.weight, middle)
    assert deeper.network(torch.zeros(1, *SMALL)).shape == cheaper.network(torch.zeros(1, *SMALL)).shape == (1, 10)


def test_a_bias_before_a_norm_is_dropped_without_changing_what_comes_out():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    net(torch.randn(16, 3, 8, 8))  # statistics that are not zero
    net.eval()
    (finding,) = check(net, (3, 8, 8), select=["NRM001"])
    assert finding.fix.safe
    assert finding.remedies[0].title == "Set model.0.bias = None, and likewise on 1 more up to 3"
    mended = apply(finding, net, (3, 8, 8))
    assert mended[0].bias is None and mended[3].bias is None and net[0].bias is not None
    images = torch.randn(4, 3, 8, 8)
    assert torch.allclose(mended(images), net(images), atol=1e-5)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.spare = nn.Linear(3, 3)
        self.fc = nn.Linear(8 * 16, 4)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return torch.relu(self.fc(x.flatten(1)))


def test_what_forward_calls_is_told_not_done():
    findings = {finding.code: finding for finding in check(Functional(), (1, 8, 8))}
    assert findings["HED003"].fix is None and findings["HED003"].remedies[0].title == (
        "Leave out max_pool2d, which forward calls, with a new model.fc = nn.Linear(512, 4)"
    )
    assert findings["HED002"].fix is None and findings["HED002"].remedies
    assert findings["SHP011"].severity == "error" and "spare" in findings["SHP011"].place
    graph_fix = check([Conv2D(8), MaxPool2D(), Output(4)], (1, 8, 8), select=["HED003"])[0].fix
    with pytest.raises(GraphError, match="no node is called 'maxpool2d2'"):
        apply(graph_fix, Functional(), (1, 8, 8))
    in_forward = Fix((Remove("max_pool2d"),))
    with pytest.raises(
        RuleError, match=r"'max_pool2d' is a function that forward calls, no submodule\. Make the change in"
    ):
        apply(in_forward, Functional(), (1, 8, 8))


def test_a_module_is_not_changed_without_its_image_shape():
    (finding,) = check(Functional(), (1, 8, 8), select=["SHP011"])
    assert finding.fix is None
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8))
    with pytest.raises(RuleError, match=r"traced again when it was changed. Give input_shape="):
        apply(check(net, (1, 8, 8), select=["NRM001"])[0], net)


@pytest.mark.parametrize(
    ("layers", "warnings"),
    [
        ([*vgg(2, 2, 3, 3, 3), Dense(4096), Dropout(), Dense(4096), Dropout(), Output(1000)], {"CST001"}),
        ([*resnet(3, 4, 6, 3, bottleneck=True), GlobalAvgPool2D(), Output(1000)], set()),
        ([*mobilenet_v2(), GlobalAvgPool2D(), Output(1000)], set()),
        ([*densenet121(), GlobalAvgPool2D(), Output(1000)], set()),
        ([*convnext_t(), GlobalAvgPool2D(), Output(1000)], set()),
    ],
    ids=["vgg16", "resnet50", "mobilenet_v2", "densenet121", "convnext_t"],
)
def test_good_networks_as_modules_are_not_warned_of(layers, warnings):
    with torch.device("meta"):
        net = build(Graph.from_layers(layers).at(PHOTO))
    findings = check(net, PHOTO, n_outputs=1000, loss="cross_entropy")
    assert {finding.code for finding in findings.problems} == warnings, str(findings)


def test_torchvisions_resnet18_is_silent_at_its_own_size():
    assert not check(ResNet18(), PHOTO, n_outputs=1000, loss="cross_entropy", batch_size=256).problems


def test_a_module_that_does_not_fit_is_a_finding():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5), nn.Flatten(), nn.Linear(4, 2))
    (finding,) = check(net, (1, 8, 8))
    assert (finding.code, finding.severity, finding.layers) == ("SHP001", "error", ("2",))
    assert finding.message == "a 5x5 kernel does not fit into its 3x3 input"
    (finding,) = check(net, (3, 20, 20))
    assert (finding.code, finding.message) == ("SHP002", "a convolution made for 1 channels gets 3")


def test_an_estimator_tells_its_findings_and_prints_them_before_training(capsys):
    from depthwise import NeuralNetClassifier
    from depthwise.layers import LeakyReLU

    images = torch.rand(20, 1, 8, 8).numpy()
    net = NeuralNetClassifier([Conv2D(4, 5), LeakyReLU(), Output()], max_epochs=1, validation=0, random_state=0)
    net.fit(images, [0, 1] * 10)
    assert [finding.code for finding in net.findings_.problems] == ["ACT002"]
    printed = capsys.readouterr().out
    assert printed.index("ACT002 double-activation warning") < printed.index("epoch")
    assert "price:" not in printed and "SHP009" not in printed
    net.set_params(verbose=0).fit(images, [0, 1] * 10)
    assert capsys.readouterr().out == ""


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        return self.conv(torch.relu(self.conv(x)))


def test_a_change_that_does_more_than_was_planned_is_refused():
    fix = Fix((Edit("conv", "stride", (2, 2)),))
    with pytest.raises(
        RuleError, match=r"the changed module does not do what was planned\. Make the change in the class"
    ):
        apply(fix, Twice(), (8, 16, 16))
