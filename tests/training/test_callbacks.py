"""What may happen between epochs."""

import pytest
import torch

from depthwise.errors import TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import Callback, EarlyStopping, NeuralNetClassifier
from depthwise.training.callbacks import as_callbacks


def net_with(*callbacks, **params):
    defaults = {"max_epochs": 6, "batch_size": 16, "random_state": 0, "verbose": 0}
    return NeuralNetClassifier([Dense(8), Output()], callbacks=callbacks, **{**defaults, **params})


def test_hooks_are_called_in_order_and_see_the_network(two_classes):
    seen = []

    class Watch(Callback):
        def on_train_begin(self, net):
            seen.append(("begin", len(net.history_)))
            assert net.module_ is not None

        def on_epoch_end(self, net, record):
            seen.append(("epoch", record.epoch))

        def on_train_end(self, net):
            seen.append(("end", len(net.history_)))

    net_with(Watch(), max_epochs=2).fit(*two_classes)
    assert seen == [("begin", 0), ("epoch", 1), ("epoch", 2), ("end", 2)]


def test_a_function_that_says_true_ends_training_and_the_others_are_still_asked(two_classes):
    asked = []
    net = net_with(lambda net, record: record.epoch == 3, lambda net, record: asked.append(record.epoch)).fit(
        *two_classes
    )
    assert len(net.history_) == 3 and asked == [1, 2, 3]


def test_one_callback_need_not_stand_in_a_list():
    assert len(as_callbacks(EarlyStopping())) == 1 and as_callbacks(None) == []


def scripted(losses):
    """Replace every valid loss by one of a list, before the callback behind sees it."""
    values = iter(losses)

    def loss(output, target):
        real = torch.nn.functional.cross_entropy(output, target)
        return real if torch.is_grad_enabled() else real * 0 + next(values)

    return loss


def test_early_stopping_waits_and_goes_back_to_the_best_weights(two_classes):
    X, y = two_classes
    states = []

    def keep(net, record):
        states.append({name: value.clone() for name, value in net.module_.state_dict().items()})

    stop = EarlyStopping(patience=2)
    losses = [5.0, 3.0, 4.0, 2.9, 3.5, 2.95, 0.1]
    net = net_with(keep, stop, max_epochs=7, loss=scripted(losses)).fit(X, y)
    assert net.history_["valid_loss"] == pytest.approx(losses[:6])
    assert stop.best_epoch_ == 4
    assert all(torch.equal(value, states[3][name]) for name, value in net.module_.state_dict().items())
    assert not any(torch.equal(states[3]["dense1.weight"], state["dense1.weight"]) for state in states[4:])


def test_early_stopping_can_leave_the_last_weights(two_classes):
    stop = EarlyStopping(patience=1, restore_best=False, min_delta=0.5)
    net = net_with(stop, loss=scripted([3.0, 2.6, 1.0])).fit(*two_classes)
    assert len(net.history_) == 2 and stop.best_epoch_ == 1  # 0.4 better is not enough


def test_early_stopping_of_an_accuracy_wants_it_to_grow(two_classes):
    stop = EarlyStopping(patience=3, monitor="valid_accuracy")
    net = net_with(stop, max_epochs=40, learning_rate=0.02).fit(*two_classes)
    best = max(net.history_["valid_accuracy"])
    assert net.history_[stop.best_epoch_ - 1].valid_accuracy == best
    assert len(net.history_) == min(stop.best_epoch_ + 3, 40)


def test_early_stopping_starts_anew_with_every_fit(two_classes):
    stop = EarlyStopping(patience=2)
    net = net_with(stop, loss=scripted([1.0, 2.0, 2.0, 9.0, 8.0, 9.0, 9.0]))
    assert len(net.fit(*two_classes).history_) == 3
    assert len(net.fit(*two_classes).history_) == 4 and stop.best_epoch_ == 2
    assert not any(isinstance(value, dict) for value in vars(stop).values())  # the weights are not kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "patience is 0 but must be a whole number of 1 or more"),
        ({"min_delta": -1}, "min_delta is -1 but must be 0 or more"),
    ],
)
def test_early_stopping_refuses_wrong_arguments(arguments, message):
    with pytest.raises(TrainingError, match=message):
        EarlyStopping(**arguments)


def test_early_stopping_needs_the_figure_it_watches(two_classes):
    with pytest.raises(TrainingError, match=r"monitor is 'valid_loss' but validation is None\. Give validation="):
        net_with(EarlyStopping(), validation=None).fit(*two_classes)


def test_random_numbers_drawn_in_a_callback_do_not_leak(two_classes):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    net_with(lambda net, record: bool(torch.rand(1) < 0)).fit(*two_classes)
    assert torch.equal(torch.rand(3), expected)
