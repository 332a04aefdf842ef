"""The learning rate of every step."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from depthwise.errors import TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import Callback, NeuralNetClassifier
from depthwise.training.schedules import FACTORS, ONE_CYCLE_RISE, WARMUP_SHARE, Schedule
from depthwise.training.stages import batch_size_of, n_epochs

STEPS = 200


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


def rates(name):
    optimizer = sgd()
    schedule = Schedule(name, optimizer, STEPS)
    seen = []
    for _ in range(STEPS):
        seen.append(schedule.learning_rate)
        optimizer.step()
        schedule.after_step()
    return np.array(seen) / 0.5


@pytest.mark.parametrize("name", FACTORS)
def test_factors_are_never_above_one_nor_zero(name):
    seen = rates(name)
    assert seen.max() == pytest.approx(1, abs=1e-3) and seen.min() > 0


def test_forms():
    cosine, one_cycle, step = rates("cosine"), rates("one_cycle"), rates("step")
    middles = (np.arange(STEPS) + 0.5) / STEPS
    np.testing.assert_allclose(cosine, np.cos(middles * np.pi / 2) ** 2)  # half a period is a squared cosine
    assert np.argmax(one_cycle) == pytest.approx(ONE_CYCLE_RISE * STEPS, abs=1)
    assert all(a < b for a, b in pairwise(one_cycle[: int(ONE_CYCLE_RISE * STEPS)]))
    assert sorted(np.unique(step.round(6))) == [0.01, 0.1, 1] and (step == 1).sum() == STEPS / 2
    assert rates("warmup")[int(WARMUP_SHARE * STEPS) :].min() == 1
    np.testing.assert_allclose(rates("one_cycle")[0], 1 / 25, rtol=0.01)


class Rates(Callback):
    def on_train_begin(self, net):
        self.rates = []

    def on_gradients(self, net):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])


def trained(two_classes, **params):
    rates = Rates()
    settings = {"max_epochs": 4, "batch_size": 20, "validation": None, "verbose": 0, "random_state": 0, **params}
    NeuralNetClassifier([Dense(4), Output()], learning_rate=0.1, callbacks=[rates], **settings).fit(*two_classes)
    return rates.rates


def test_a_schedule_spans_the_whole_training(two_classes):
    seen = trained(two_classes, schedule="cosine")
    assert len(seen) == 12
    np.testing.assert_allclose(seen, 0.1 * np.cos((np.arange(12) + 0.5) / 12 * np.pi / 2) ** 2)


def test_it_spans_stages_of_different_batch_sizes_too(two_classes):
    seen = trained(two_classes, schedule="cosine", batch_size=[(2, 20), (1, 30)])
    np.testing.assert_allclose(seen, 0.1 * np.cos((np.arange(8) + 0.5) / 8 * np.pi / 2) ** 2)


def test_pytorchs_schedulers_go_on_by_one_each_epoch(two_classes):
    seen = trained(two_classes, schedule=partial(lr_scheduler.StepLR, step_size=2, gamma=0.5))
    np.testing.assert_allclose(seen, [0.1] * 6 + [0.05] * 6)


def test_a_plateau_divides_by_ten(two_classes):
    optimizer = sgd()
    schedule = Schedule("plateau", optimizer, 10)
    for loss in [1.0, 0.5, *[0.6] * 11]:
        schedule.after_epoch(loss)
    assert schedule.learning_rate == pytest.approx(0.05)


def test_the_history_tells_the_rate(two_classes):
    net = NeuralNetClassifier([Output()], max_epochs=3, schedule="step", learning_rate=1.0, verbose=0)
    assert net.fit(*two_classes).history_["learning_rate"] == pytest.approx([1.0, 0.1, 0.01])


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("cosin", r"schedule is 'cosin' but must be one of 'constant', .*'plateau', or a function .* mean 'cosine'\?"),
        (lr_scheduler.StepLR, r"schedule: .*StepLR'> cannot be called with the optimizer alone \(.*step_size"),
        (lambda optimizer: 3, r"gives a int, but must give a scheduler of torch\.optim\.lr_scheduler"),
    ],
)
def test_wrong_schedules(two_classes, schedule, message):
    with pytest.raises(TrainingError, match=message):
        trained(two_classes, schedule=schedule)


def test_stages_follow_each_other():
    stages = [(10, 32), (5, 256), (5, 1024)]
    sizes = [batch_size_of(epoch, stages) for epoch in range(n_epochs(3, stages))]
    assert sizes == [32] * 10 + [256] * 5 + [1024] * 5


@pytest.mark.parametrize("wrong", [0, [], [(1, 0)], [(2, 16, 3)], [(0.5, 16)], "16", True])
def test_wrong_batch_sizes(two_classes, wrong):
    with pytest.raises(TrainingError, match=r"batch_size is .* but must be a whole number of 1 or more, or a list"):
        trained(two_classes, batch_size=wrong)
