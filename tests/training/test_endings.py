"""Whose weights a network has when its training ends, whatever ended it."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from depthwise.errors import TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import Callback, EarlyStopping, NeuralNetClassifier, WeightAveraging

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def classifier(module=None, **params):
    settings = {"max_epochs": 4, "batch_size": 16, "random_state": 0, "verbose": 0, "learning_rate": 0.05}
    return NeuralNetClassifier(module or [Dense(6), Output()], **{**settings, **params})


class Weights(Callback):
    """Keeps the weights as they are after each epoch."""

    def __init__(self):
        self.kept = []

    def on_epoch_end(self, net, record):
        self.kept.append(copy.deepcopy(net.module_.state_dict()))


class SpoilLastStep(Callback):
    """The last of the four steps of an epoch leaves weights that are no numbers."""

    def __init__(self, epoch):
        self.epoch, self.left = epoch, 4

    def on_step_end(self, net):
        if len(net.history_) + 1 == self.epoch:
            self.left -= 1
            if self.left == 0:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(float("nan"))


def equal(net, state):
    return all(torch.equal(value, state[name]) for name, value in net.module_.state_dict().items())


def test_early_stopping_gives_the_best_epoch_back():
    weights = Weights()
    stopping = EarlyStopping(2, monitor="valid_accuracy")
    net = classifier(max_epochs=30, early_stopping=stopping, callbacks=[weights]).fit(X, Y)
    assert stopping.best_epoch_ == int(np.argmax([record.valid_accuracy for record in net.history_])) + 1
    assert equal(net, weights.kept[stopping.best_epoch_ - 1]) and not equal(net, weights.kept[-1])


def test_an_interrupt_gives_the_best_epoch_back(capsys):
    class Spoil(Callback):
        def on_epoch_begin(self, net):
            if len(net.history_) == 1:
                next(net.module_.parameters()).data.add_(5.0)

    def interrupt(net, record):
        if record.epoch == 3:
            raise KeyboardInterrupt

    weights = Weights()
    net = classifier(callbacks=[weights, Spoil(), interrupt], verbose=1).fit(X, Y)
    assert int(np.argmin([record.valid_loss for record in net.history_])) == 0
    assert len(net.history_) == 3 and equal(net, weights.kept[0])
    assert "Interrupted after 3 full epochs; the network is that of the best one." in capsys.readouterr().out


@pytest.mark.parametrize("order", [1, -1])
def test_averages_and_early_stopping_agree_in_any_order(order):
    class Interrupt(Callback):
        left = 10

        def on_step_end(self, net):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    weights = Weights()
    callbacks = [EarlyStopping(5), WeightAveraging(0.9)][::order]
    net = classifier(callbacks=[*callbacks, weights, Interrupt()]).fit(X, Y)
    assert len(net.history_) == 2
    assert equal(net, weights.kept[int(np.argmin([record.valid_loss for record in net.history_]))])


def test_a_network_that_diverges_at_once_is_as_before_whatever_callbacks_do():
    net = classifier(warm_start=True, callbacks=[WeightAveraging(0.9)]).fit(X, Y)
    before, epochs = net.predict_proba(X), len(net.history_)
    with pytest.raises(TrainingError, match=r"epoch \d: the training loss is (nan|inf)\. "):
        net.set_params(learning_rate=1e30, optimizer="sgd").fit(X, Y)
    assert np.array_equal(net.predict_proba(X), before) and len(net.history_) == epochs


def test_weights_that_the_last_step_of_all_has_broken_are_noticed():
    weights = Weights()
    net = classifier(max_epochs=2, scoring="neg_log_loss", callbacks=[weights, SpoilLastStep(2)])
    with pytest.warns(ConvergenceWarning, match=r"^epoch 2: the weights are not finite\. The network goes back"):
        net.fit(X, Y)
    assert equal(net, weights.kept[0]) and np.isfinite(net.predict_proba(X)).all()
    assert "TRN001" in {finding.code for finding in net.findings_}


def test_a_first_figure_that_is_no_number_is_not_the_best():
    stopping = EarlyStopping(2, monitor="own")
    figures = iter([float("nan"), 1.0, 2.0, 3.0])

    def own(net, X, y):
        return next(figures)

    net = classifier(scoring={"own": own}, early_stopping=stopping).fit(X, Y)
    assert len(net.history_) == 4 and stopping.best_epoch_ == 4


def test_tied_weights_are_averaged_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.out(self.second(torch.relu(self.first(x))))

    steps = []

    class Last(Callback):
        def on_step_end(self, net):
            steps.append(net.module_.first.weight.detach().clone())

        def on_epoch_begin(self, net):
            assert not steps or torch.equal(steps[-1], net.module_.first.weight)

    torch.manual_seed(0)
    classifier(Tied(), max_epochs=3, callbacks=[WeightAveraging(0.9), Last()]).fit(X, Y)
    assert len(steps) > 8


def test_a_callback_that_fails_at_the_end_keeps_nobody_from_ending():
    class Failing(Callback):
        def on_train_end(self, net):
            raise ValueError("mine")

    weights = Weights()
    net = classifier(max_epochs=30, early_stopping=2, callbacks=[Failing(), weights])
    with pytest.raises(ValueError, match="mine"):
        net.fit(X, Y)
    best = int(np.argmin([record.valid_loss for record in net.history_]))
    assert equal(net, weights.kept[best]) and net.health_ is not None and not net.module_.training


def test_what_a_module_keeps_of_an_evaluation_can_be_learned_from():
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.scale = nn.Linear(4, 2), None

        def forward(self, x):
            if self.scale is None:
                self.scale = torch.ones(2) * x.std()
            return self.linear(x) * self.scale

    net = classifier(Keeping(), max_epochs=1).fit(X, Y)
    net.module_.scale = None
    net.predict(X)
    net.partial_fit(X, Y)
    assert len(net.history_) == 2


def test_one_epoch_of_partial_fit_knows_no_early_stopping():
    net = classifier(early_stopping=3).partial_fit(X, Y).partial_fit(X, Y)
    assert len(net.history_) == 2 and net.history_[-1].valid_loss is None


def test_a_training_that_is_kept_begins_anew(tmp_path):
    net = classifier(warm_start=True).fit(X, Y)
    message = (
        r"^resume: a training that is kept in .*new begins anew, but warm_start=True goes on with the network that was "
        r"fitted\. Write warm_start=False, or fit without resume\.$"
    )
    with pytest.raises(TrainingError, match=message):
        net.fit(X, Y, resume=tmp_path / "new")
    assert len(net.history_) == 4
