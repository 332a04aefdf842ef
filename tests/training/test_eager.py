"""Optimizers step as PyTorch's do, and do not load its compiler."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from depthwise.training.eager import without_compiler
from depthwise.training.optimizers import OPTIMIZERS

KINDS = sorted(set(OPTIMIZERS.values()), key=lambda kind: kind.__name__)


def after_steps(kind, hook=None):
    """The weights of a small network after five steps, a copy of the state between them, and the optimizer."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    images, targets = torch.randn(8, 3), torch.randn(8, 2)
    optimizer = kind(module.parameters(), lr=0.01)
    if hook is not None:
        optimizer.register_step_post_hook(hook)

    def compute():
        optimizer.zero_grad()
        loss = (module(images) - targets).square().mean()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(compute)
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return [parameter.detach().clone() for parameter in module.parameters()], optimizer


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_those_of_pytorch(kind):
    calls = []
    expected, _ = after_steps(kind)
    weights, optimizer = after_steps(without_compiler(kind), hook=lambda *arguments: calls.append(1))
    assert all(map(torch.equal, weights, expected)) and len(calls) == 5
    assert torch.is_grad_enabled() and isinstance(optimizer, kind) and repr(optimizer).startswith(kind.__name__)


def test_a_pickle_is_of_pytorchs_own_class():
    _, optimizer = after_steps(without_compiler(torch.optim.Adam))
    again = pickle.loads(pickle.dumps(optimizer))
    assert type(again) is type(copy.deepcopy(optimizer)) is torch.optim.Adam
    assert again.state_dict()["state"][0]["step"] == 5


def test_an_optimizer_of_somebody_else_is_left_alone():
    class Own(torch.optim.SGD):
        pass

    assert without_compiler(Own) is Own


def test_a_method_of_its_own_is_kept():
    kind = without_compiler(torch.optim.LBFGS)  # its step asks for the gradients itself, and has another wrapper
    assert kind.step is torch.optim.LBFGS.step


def test_no_fit_loads_the_compiler():
    program = """
import sys
import numpy as np
import depthwise as dw
from depthwise.layers import Conv2D, Output
from depthwise.training.optimizers import OPTIMIZERS

X, y = np.zeros((16, 1, 6, 6), np.uint8), np.arange(16) % 2
for optimizer in OPTIMIZERS:
    net = dw.NeuralNetClassifier([Conv2D(2), Output()], optimizer=optimizer, max_epochs=2, validation=None, verbose=0)
    net.set_params(schedule=None if optimizer == "lbfgs" else "cosine").fit(X, y).predict(X)
    assert "torch._dynamo" not in sys.modules, optimizer
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
