"""Optimizers by name."""

import pytest
import torch
from torch import nn

from depthwise.errors import TrainingError
from depthwise.training.optimizers import OPTIMIZERS, make_optimizer

MODULE = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def make(optimizer, module=MODULE, weight_decay=0.0):
    return make_optimizer(optimizer, module, learning_rate=0.1, momentum=0.8, weight_decay=weight_decay)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_name_steps_with_its_learning_rate(name):
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    optimizer = make(name, module)

    def compute():
        loss = module(torch.ones(1, 3)).sum()
        loss.backward()
        return loss

    optimizer.step(compute)
    assert not torch.equal(module.weight, before) and optimizer.defaults["lr"] == 0.1


def test_momentum_is_for_gradient_descent_only():
    for name, momentum, nesterov in (("sgd", 0.8, False), ("momentum", 0.8, False), ("nesterov", 0.8, True)):
        group = make(name).param_groups[0]
        assert (group["momentum"], group["nesterov"]) == (momentum, nesterov)
    assert make("rmsprop").param_groups[0]["momentum"] == 0


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "adagrad"])
def test_the_fused_kind_is_taken_where_there_is_one(name):
    assert make(name).param_groups[0]["fused"] is True


def test_weight_decay_leaves_biases_and_norms_out():
    for optimizer in ("adamw", torch.optim.AdamW):
        decayed, others = make(optimizer, weight_decay=0.3).param_groups
        assert (decayed["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
        assert all(p.ndim == 2 for p in decayed["params"]) and all(p.ndim == 1 for p in others["params"])
        assert len(decayed["params"]) == 2 and len(others["params"]) == 4
    assert all(group["weight_decay"] == 0 for group in make("adamw").param_groups)


def test_a_function_makes_an_optimizer_too():
    optimizer = make(lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.5))
    assert optimizer.param_groups[0]["momentum"] == 0.5 and optimizer.param_groups[0]["lr"] == 0.1


def test_frozen_parameters_are_left_out():
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    assert [len(group["params"]) for group in make("adam", module).param_groups] == [1, 1]
    module[1].requires_grad_(False)
    with pytest.raises(TrainingError, match="the network has nothing to learn"):
        make("adam", module)


def test_what_is_no_optimizer_is_told():
    with pytest.raises(TrainingError, match=r"optimizer is 'nestrov' but must be one of adam, .* you mean 'nesterov'"):
        make("nestrov")
    with pytest.raises(TrainingError, match=r"optimizer is 3 but must be a name such as 'adam', or a torch\.optim"):
        make(3)
