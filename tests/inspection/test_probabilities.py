"""A network that ends in a softmax or a sigmoid gives probabilities, and nothing makes them of its outputs again."""

import numpy as np
import pytest
import torch
from torch import nn

from depthwise import NeuralNetClassifier, Output
from depthwise.displays import CamDisplay, OcclusionDisplay, SaliencyDisplay, TopLossesDisplay
from depthwise.graph import Graph
from depthwise.inspection import compute_cam, compute_saliency, occlude
from depthwise.inspection.probabilities import apply_link, compute_probabilities, find_link
from depthwise.layers import Activation, Conv2D
from depthwise.modules import build
from depthwise.pages import report


class Called(nn.Module):
    """A function called at the end of a network."""

    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        return self.function(self.net(x))


class Mean(nn.Module):
    """Mean probabilities of two networks: rows that sum to 1, and no softmax at the end."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return (torch.softmax(self.first(x), 1) + torch.softmax(self.second(x), 1)) / 2


def make_body(width, scale=60.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, width))
    with torch.no_grad():
        body[2].weight *= scale
    return body


BODY, SINGLE = make_body(3), make_body(1, 2.0)
IMAGES = torch.rand((5, 1, 6, 6), generator=torch.Generator().manual_seed(0))
FIXED = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))  # logits that happen to be rows that sum to 1
with torch.no_grad():
    FIXED[1].weight.zero_()
    FIXED[1].bias[:] = torch.tensor([0.0, 1.0, 0.0])

NETWORKS = {
    "logits": (BODY, "softmax"),
    "softmax": (nn.Sequential(BODY, nn.Softmax(1)), "identity"),
    "softmax, called": (Called(BODY, lambda x: torch.softmax(x, -1)), "identity"),
    "softmax before dropout": (nn.Sequential(BODY, nn.Softmax(1), nn.Dropout(), nn.Flatten()), "identity"),
    "log-softmax": (nn.Sequential(BODY, nn.LogSoftmax(1)), "softmax"),
    "one label or several": (nn.Sequential(BODY, nn.Sigmoid()), "identity"),
    "ensemble": (Mean(BODY, make_body(3, 1.0)), "identity"),
    "logits that look like probabilities": (FIXED, "softmax"),
    "one logit": (SINGLE, "sigmoid"),
    "one probability": (nn.Sequential(SINGLE, nn.Sigmoid()), "identity"),
    "one output that is always 1": (Called(SINGLE, lambda x: x * 0 + 1), "sigmoid"),
    "layers with a softmax": (build(Graph.from_layers([Conv2D(2), Output(3), Activation("softmax")]).at((1, 6, 6))),
                              "identity"),
}  # fmt: skip


def expected(name, net):
    with torch.no_grad():
        outputs = net.eval()(IMAGES).double()
    if name == "log-softmax":
        return outputs.exp()
    return {"softmax": outputs.softmax(1), "sigmoid": outputs.sigmoid(), "identity": outputs}[NETWORKS[name][1]]


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_are_made_once(name):
    net, link = NETWORKS[name]
    truth = expected(name, net).numpy()
    outputs = net(IMAGES).detach()
    assert find_link(net, IMAGES, outputs) == link
    np.testing.assert_allclose(compute_probabilities(net, IMAGES), truth, atol=1e-6)
    best = truth.argmax(1)
    clean = occlude(net, IMAGES, square=3, score="probability").clean
    np.testing.assert_allclose(clean, truth[np.arange(5), best], atol=1e-4)
    for look in (compute_saliency, compute_cam):
        if look is compute_saliency or any(isinstance(part, nn.Conv2d) for part in net.modules()):
            np.testing.assert_allclose(look(net, IMAGES).probabilities, truth, atol=1e-4)


def test_the_output_itself_is_explained_where_it_is_asked_for():
    net, _ = NETWORKS["one logit"]
    found = occlude(net, IMAGES, square=3)
    assert found.score == "output"
    np.testing.assert_allclose(found.clean, net(IMAGES)[:, 0].detach(), atol=1e-4)
    asked = occlude(net, IMAGES, square=3, score="probability")
    assert np.abs(asked.drops).max() > 0.01
    np.testing.assert_allclose(asked.scores, torch.sigmoid(torch.from_numpy(found.scores)), atol=1e-4)


def test_links_are_their_functions():
    outputs = torch.tensor([[1.0, 3.0]])
    assert torch.equal(apply_link(outputs, "identity"), outputs)
    assert torch.equal(apply_link(outputs, "softmax"), outputs.softmax(1))
    assert torch.equal(apply_link(outputs, "sigmoid"), outputs.sigmoid())


def test_pictures_and_pages_tell_the_networks_own_probabilities():
    net, _ = NETWORKS["softmax"]
    truth = expected("softmax", net).numpy()
    said = truth.max(1)
    assert (said - torch.from_numpy(truth).softmax(1).amax(1).numpy()).min() > 0.05  # twice would be seen
    page = report(net, IMAGES.numpy(), truth.argmax(1), n_samples=1)
    assert page.numbers["calibration"]["confidence"] == pytest.approx(said.mean(), abs=1e-6)
    for display in (CamDisplay, SaliencyDisplay, OcclusionDisplay):
        title = display.from_estimator(net, IMAGES[:1]).plot().axes_[0].get_title()
        assert title == f"class {truth[0].argmax()}: p = {said[0]:.2f}"
    losses = TopLossesDisplay.from_estimator(net, IMAGES, truth.argmax(1)).losses
    np.testing.assert_allclose(np.sort(losses.probabilities), np.sort(said), atol=1e-6)


def test_one_output_of_an_estimator_means_what_predict_proba_says():
    X, y = IMAGES.numpy(), np.array(["no", "yes", "no", "yes", "no"])
    options = {"max_epochs": 1, "validation": None, "random_state": 0, "verbose": 0, "precision": "float32"}
    net = NeuralNetClassifier([Conv2D(2), Output(1)], **options)
    second = net.fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_allclose(occlude(net.module_, X, square=3, score="probability").clean, second, atol=1e-6)
    np.testing.assert_allclose(compute_saliency(net.module_, X).probabilities[:, 0], second, atol=1e-6)
