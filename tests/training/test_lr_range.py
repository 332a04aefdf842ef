"""The learning-rate range test."""

import copy

import numpy as np
import pytest
import torch

from depthwise.errors import TrainingError
from depthwise.layers import BatchNorm, Conv2D, Dense, Dropout, Output
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor, lr_range


def bowl(curvature):
    """Least squares whose loss has the same curvature in the direction of every weight, and less, 2, in that of the
    bias: gradient descent has its best step at 1 / curvature and diverges from 2 / curvature on."""
    X = (np.sqrt(curvature * 8 / 2) * np.eye(8, dtype=np.float32)).repeat(8, 0)
    return X, X @ np.arange(1.0, 9.0) + np.random.default_rng(0).normal(size=64)


@pytest.mark.parametrize("curvature", [10.0, 100.0, 1000.0])
def test_on_a_bowl_the_suggestion_goes_with_the_curvature(curvature):
    X, y = bowl(curvature)
    net = NeuralNetRegressor([Output()], optimizer="sgd", momentum=0.0, batch_size=64, standardize=False, verbose=0)
    found = lr_range(net, X, y, lowest=1e-5, highest=1e3, steps=200)
    assert 0.02 / curvature < found.suggestion < 2 / curvature
    assert found.rates[-1] > 2 / curvature, "it went on until it diverged"
    assert found.rates[int(found.smoothed.argmin())] < 8 / curvature


def test_a_net_trained_at_the_suggestion_learns_better_than_far_beside_it(digits):
    def loss(rate):
        options = {"max_epochs": 3, "random_state": 0, "verbose": 0, "optimizer": "sgd", "batch_size": 32}
        return (
            NeuralNetClassifier([Dense(32), Output()], learning_rate=rate, **options)
            .fit(*digits)
            .history_[-1]
            .valid_loss
        )

    net = NeuralNetClassifier([Dense(32), Output()], optimizer="sgd", batch_size=32, random_state=0, verbose=0)
    best = lr_range(net, *digits).suggestion
    assert loss(best) < min(loss(best / 100), loss(best * 100))


@pytest.mark.parametrize("warm_start", [False, True])
def test_the_estimator_and_all_random_states_stay_as_they_are(digits, warm_start):
    layers = [Conv2D(4, norm="batch"), BatchNorm(), Dropout(), Output()]
    net = NeuralNetClassifier(layers, max_epochs=1, verbose=0, warm_start=warm_start).fit(*digits)
    before = copy.deepcopy(net.module_.state_dict()), copy.deepcopy(net.optimizer_.state_dict())
    params, history, health = net.get_params(), net.history_.to_list(), net.health_
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    lr_range(net, *digits, steps=20)
    assert net.get_params() == params and net.history_.to_list() == history and net.health_ is health
    assert all(torch.equal(value, before[0][name]) for name, value in net.module_.state_dict().items())
    assert str(net.optimizer_.state_dict()) == str(before[1])
    assert torch.equal(torch.get_rng_state(), states[0]) and np.array_equal(np.random.get_state()[1], states[1])


def test_the_same_seed_gives_the_same_curve_and_a_fresh_one_is_not_fitted(digits):
    net = NeuralNetClassifier([Dense(8), Output()], random_state=3, verbose=0, schedule="cosine")
    one, other = (lr_range(net, *digits, steps=20) for _ in range(2))
    assert np.array_equal(one.losses, other.losses) and not hasattr(net, "module_")
    assert one.rates[0] == 1e-6 and one.rates.tolist() == sorted(one.rates)


def test_a_loss_that_never_falls_gives_no_suggestion(digits):
    X, _ = digits
    found = lr_range(
        NeuralNetClassifier([Dense(8), Output()], verbose=0), X, np.arange(400) % 2, highest=1e-5, steps=20
    )
    assert found.suggestion is None
    assert str(found).startswith("No learning rate lets the loss fall (20 steps from 1.0e-06 to 1.0e-05).")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest": 0.0}, r"lr_range: lowest is 0\.0 and highest 10\.0, but must be 0 < lowest < highest\."),
        ({"lowest": 1.0, "highest": 0.1}, r"lowest is 1\.0 and highest 0\.1"),
        ({"steps": 5}, r"steps is 5 but must be a whole number of 20 or more\."),
        ({"steps": True}, r"steps is True but"),
    ],
)
def test_errors_say_what_to_do(digits, options, message):
    with pytest.raises(TrainingError, match=message):
        lr_range(NeuralNetClassifier([Output()]), *digits, **options)


def test_a_loss_that_is_not_finite_from_the_first_is_refused(digits):
    net = NeuralNetClassifier([Output()], loss=lambda output, target: output.sum() * float("nan"), verbose=0)
    with pytest.raises(TrainingError, match=r"the loss is not finite before the first step\. Look at loss="):
        lr_range(net, *digits)


def test_what_is_no_estimator_is_refused(digits):
    with pytest.raises(
        TrainingError, match=r"net is Linear\(.*\) but must be an estimator\. Write NeuralNetClassifier"
    ):
        lr_range(torch.nn.Linear(2, 2), *digits)
