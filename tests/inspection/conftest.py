import warnings

import pytest
import torch
from torch import nn


class Branching(nn.Module):
    """Two ways, functional steps, and a ReLU that works in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.Conv2d(6, 8, 3, 2),
        )
        self.norm, self.relu, self.head = nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.first(x))
        x = self.relu(self.norm(self.second(x)) + x)
        return self.head(torch.relu(self.third(x)).mean((2, 3)))


def plain():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 25, 3)
    )


def smooth():
    return nn.Sequential(
        nn.Conv2d(2, 4, 5, 2, 2), nn.GELU(), nn.Conv2d(4, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 3 * 5, 4)
    )


NETWORKS = {
    "plain": (plain, (1, 12, 12), "0"),
    "branching": (Branching, (3, 11, 14), "second"),
    "smooth": (smooth, (2, 9, 13), "2"),
}


@pytest.fixture(params=NETWORKS)
def case(request):
    """A network in evaluation mode, three images, a layer."""
    make, shape, layer = NETWORKS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make()
        net(torch.randn(4, *shape))  # running statistics that are not 0 and 1
        return net.eval(), torch.randn(3, *shape), layer


@pytest.fixture(scope="session")
def captum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("captum.attr", reason="captum is not installed; the numbers are compared with it")
