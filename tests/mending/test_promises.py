"""What [*] promises on a module can be done, and what a remedy says can be followed."""

from contextlib import suppress

import pytest
import tutorial_networks as tutorial
from odd_networks import Focus, Patchify, ResNet18, Transformer, UNet
from torch import nn

from depthwise.errors import DepthwiseError
from depthwise.graph import Graph
from depthwise.layers import ops
from depthwise.mending import apply
from depthwise.modules import build
from depthwise.network import check
from depthwise.rules import RULES
from depthwise.rules.torch_words import write_module
from depthwise.trace import trace_module


def built(layers, shape):
    return lambda: build(Graph.from_layers(layers).at(shape))


def flat(*head, width=16):
    convs = [part for before in (16, 16, 16) for part in (nn.Conv2d(before, 16, 3, padding=1), nn.ReLU())]
    stem = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2)]
    return nn.Sequential(*stem, *convs, *head, nn.Flatten(), nn.Linear(width, 10))


class Shared(nn.Module):
    """One activation for all layers, and a pool that is called twice."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.relu, self.pool, self.fc = nn.ReLU(), nn.MaxPool2d(2), nn.Linear(8 * 9, 4)

    def forward(self, x):
        x = self.pool(self.relu(self.relu(self.one(x))))
        return self.fc(self.pool(self.relu(self.two(x))).flatten(1))


NETWORKS = {
    **{f"resnet{side}": (lambda: ResNet18(10), (3, side, side)) for side in (20, 32, 64)},
    **{
        name: (built(getattr(tutorial, name), tutorial.DIGITS), tutorial.DIGITS)
        for name in ("NET1", "NET2", "NET3", "BLOG_NET", "NETZ_MUCH_POOLING")
    },
    "flat": (lambda: flat(width=16 * 25), (1, 20, 20)),
    "flat with a global pool": (lambda: flat(nn.AdaptiveAvgPool2d(1)), (1, 20, 20)),
    "even": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 2), nn.Conv2d(4, 4, 4), nn.Flatten(), nn.Linear(400, 5)),
        (1, 14, 14),
    ),
    "shared": (Shared, (1, 13, 13)),
    "unet": (UNet, (1, 20, 20)),
    "focus": (Focus, (3, 32, 32)),
    "transformer": (lambda: Transformer(True), (3, 32, 32)),
    "patchify": (Patchify, (3, 32, 32)),
}


def rule_examples():
    for rule in RULES:
        for example in (rule.bad, rule.good):
            with suppress(DepthwiseError):  # some are examples of what does not fit
                yield build(Graph.from_layers(example.layers).at(example.input_shape)), example.input_shape


def apply_all(net, shape):
    """Number of fixes; each of them can be applied."""
    findings = check(net, shape, n_outputs=7, loss="cross_entropy", batch_size=1)
    remedies = [remedy for finding in findings for remedy in finding.remedies if remedy.fix is not None]
    for remedy in remedies:
        apply(remedy, net, shape)
    return len(remedies)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_fix_on_a_module_can_be_applied(name):
    make, shape = NETWORKS[name]
    apply_all(make(), shape)


def test_every_fix_on_the_rules_examples_as_modules_can_be_applied():
    assert sum(apply_all(net, shape) for net, shape in rule_examples()) > 80


def remedies(net, shape, code, **told):
    return [remedy for finding in check(net, shape, select=[code], **told) for remedy in finding.remedies]


def test_a_kernel_that_grows_is_told_as_a_new_module_and_not_promised():
    even = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Conv2d(4, 4, 4, bias=False), nn.AdaptiveAvgPool2d(1))
    (remedy,) = remedies(even, (1, 14, 14), "SHP005")
    assert remedy.title == "Set model.0 = nn.Conv2d(1, 4, 3), model.1 = nn.Conv2d(4, 4, 3, bias=False)"
    assert remedy.fix is None
    upward = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1))
    (remedy,) = remedies(upward, (1, 16, 16), "SHP013")
    assert (remedy.title, remedy.fix) == ("Set model.1 = nn.ConvTranspose2d(8, 4, 4, 2, 1)", None)


def test_a_first_kernel_that_shrinks_is_written_out():
    net = nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), *[nn.Conv2d(16, 16, 5, padding=2)] * 6, nn.AdaptiveAvgPool2d(1)
    )
    titles = [remedy.title for remedy in remedies(net, (3, 32, 32), "COV")]
    assert "Set model.0 = nn.Conv2d(3, 16, 3, 1, 1)" in titles


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv2d(4, 8, (3, 5), (1, 2), (1, 2), groups=2, bias=False), (4, 9, 9)),
        (nn.Conv2d(4, 8, 3, dilation=2), (4, 9, 9)),
        (nn.Conv2d(4, 8, 3, 1, 1), (4, 9, 9)),
        (nn.Conv2d(4, 8, 4, padding="same"), (4, 9, 9)),
        (nn.Conv1d(4, 8, 3, 2), (4, 9)),
        (nn.ConvTranspose2d(4, 8, 3, 2, 1, output_padding=1), (4, 9, 9)),
        (nn.MaxPool2d(2), (4, 9, 9)),
        (nn.MaxPool2d(3, 1), (4, 9, 9)),
        (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (4, 9, 9)),
        (nn.AvgPool2d(3, 3, 1, count_include_pad=False), (4, 9, 9)),
        (nn.Linear(4, 8, bias=False), (4,)),
    ],
    ids=str,
)
def test_a_module_is_written_as_one_would(net, shape):
    (op,) = [node.op for node in trace_module(net, shape).at().nodes[1:]]
    assert str(eval(write_module(op), {"nn": nn})) in (str(net), str(net).replace("padding=same", "padding='same'"))


def test_what_no_module_does_is_not_written():
    conv = {"kernel_size": (4, 4), "stride": (2, 2), "dilation": (1, 1), "out_channels": 8, "in_channels": 4}
    assert write_module(ops.Conv(**conv, padding=((1, 2), (1, 2)))) is None
    assert write_module(ops.Dropout(p=0.5)) is None


def test_modules_are_told_in_the_words_of_torch():
    one = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.LeakyReLU(), nn.Conv2d(8, 16, 1, 2), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=4, dilation=4),
        nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 100, 200), nn.ReLU(),
        nn.Linear(200, 10),
    )  # fmt: skip
    findings = check(one, (1, 20, 20))
    told = {finding.code: [remedy.title for remedy in finding.remedies] for finding in findings}
    assert told["ACT002"] == ["Set model.1 = nn.Identity()", "Set model.2 = nn.Identity()"]
    assert told["SHP008"] == ["Put nn.AvgPool2d(2, ceil_mode=True) before model.3 and set stride=1 there"]
    assert told["ACT001"] == ["Put nn.ReLU() behind model.7"]
    assert told["REG001"] == ["Put nn.Dropout() behind model.12"]
    assert told["CST001"][0] == (
        "Put nn.AdaptiveAvgPool2d(1) before model.11, with a new model.11 = nn.Linear(64, 200)"
    )
    assert told["SHP010"] == ["Set model.5.dilation = 1 and padding = 1, model.7.dilation = 2 and padding = 2"]
    deep = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(11)])
    assert [remedy.title for remedy in remedies(deep, (1, 64, 64), "NRM004")] == [
        "Put nn.BatchNorm2d behind the convolutions, and give these bias=False"
    ]
