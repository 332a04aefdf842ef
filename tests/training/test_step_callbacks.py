"""Hooks of single steps: their order, averaged weights, short gradients."""

import numpy as np
import pytest
import torch

from depthwise.errors import TrainingError
from depthwise.layers import BatchNorm, Dense, Output
from depthwise.training import Callback, GradientClipping, NeuralNetClassifier, WeightAveraging

SETTINGS = {"max_epochs": 3, "batch_size": 20, "validation": 0.2, "verbose": 0, "random_state": 0}


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).clone()


class Diary(Callback):
    def __init__(self):
        self.entries = []

    def on_train_begin(self, net):
        self.entries.append("train begin")

    def on_epoch_begin(self, net):
        self.entries.append("epoch begin")

    def on_gradients(self, net):
        assert all(p.grad is not None for p in net.module_.parameters())
        self.entries.append("gradients")

    def on_step_end(self, net):
        self.entries.append("step end")

    def on_evaluation_begin(self, net):
        self.entries.append("evaluation begin")

    def on_epoch_end(self, net, record):
        self.entries.append(f"epoch end {record.epoch}")

    def on_train_end(self, net):
        self.entries.append("train end")


def test_hooks_come_in_the_order_that_is_told(two_classes):
    diary = Diary()
    NeuralNetClassifier([Output()], callbacks=[diary], **SETTINGS | {"max_epochs": 2}).fit(*two_classes)

    def epoch(number):
        return ["epoch begin", *["gradients", "step end"] * 3, "evaluation begin", f"epoch end {number}"]

    assert diary.entries == ["train begin", *epoch(1), *epoch(2), "train end"]


def test_gradients_are_shortened_together(two_classes):
    lengths = []

    class Length(Callback):
        def on_gradients(self, net):
            lengths.append(torch.cat([p.grad.flatten() for p in net.module_.parameters()]).norm().item())

    for callbacks in ([Length()], [GradientClipping(0.05), Length()]):
        NeuralNetClassifier([Dense(4), Output()], callbacks=callbacks, **SETTINGS).fit(*two_classes)
    free, clipped = lengths[:9], lengths[9:]
    assert free[0] > 0.05 and clipped[0] == pytest.approx(0.05, rel=1e-4) and max(clipped) < 0.0501


class Weights(Callback):
    """The weights after every step."""

    def on_train_begin(self, net):
        self.seen = [weights(net)]

    def on_step_end(self, net):
        self.seen.append(weights(net))


def test_the_average_is_that_of_its_formula(two_classes):
    raw = Weights()
    net = NeuralNetClassifier([Dense(4), Output()], callbacks=[raw, WeightAveraging(0.6)], **SETTINGS).fit(*two_classes)
    average = raw.seen[0]
    for step, now in enumerate(raw.seen[1:], 1):
        decay = min(0.6, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * now
    torch.testing.assert_close(weights(net), average)
    plain = NeuralNetClassifier([Dense(4), Output()], **SETTINGS).fit(*two_classes)
    torch.testing.assert_close(raw.seen[-1], weights(plain))  # learning itself goes on from the last step's weights


def test_averaged_weights_are_those_that_are_validated(two_classes):
    X, y = two_classes
    params = SETTINGS | {"validation": (X[40:], y[40:])}
    net = NeuralNetClassifier([Dense(4), Output()], callbacks=[WeightAveraging(0.9)], **params).fit(X[:40], y[:40])
    assert net.evaluate(X[40:], y[40:])[0] == pytest.approx(net.history_[-1].valid_loss)


def test_early_stopping_brings_the_averaged_weights_back(two_classes):
    X, y = two_classes
    params = SETTINGS | {"validation": (X[40:], y[40:]), "max_epochs": 40, "learning_rate": 0.5}
    net = NeuralNetClassifier([Dense(8), Output()], callbacks=[WeightAveraging(0.5)], early_stopping=2, **params)
    net.fit(X[:40], y[:40])
    assert net.evaluate(X[40:], y[40:])[0] == pytest.approx(min(net.history_["valid_loss"]))


def test_statistics_of_norms_are_averaged_and_counts_are_not(two_classes):
    net = NeuralNetClassifier([Dense(4), BatchNorm(), Output()], callbacks=[WeightAveraging(0.9)], **SETTINGS)
    norm = net.fit(*two_classes).module_.batchnorm2
    assert norm.num_batches_tracked == 9 and np.isfinite(norm.running_mean.numpy()).all()


@pytest.mark.parametrize(
    ("callback", "argument"), [(WeightAveraging, 1.0), (WeightAveraging, 0), (GradientClipping, 0)]
)
def test_wrong_arguments(callback, argument):
    with pytest.raises(TrainingError, match=rf"{callback.__name__}: \w+ is {argument!r} but must be"):
        callback(argument)
