"""Each training is broken on purpose, and the finding names the layer and the cause; healthy ones have none."""

import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import tutorial_networks as tutorials
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import PredefinedSplit
from torch import nn

from depthwise.analysis.health import TrainingHealth
from depthwise.data import load_images
from depthwise.errors import TrainingError
from depthwise.layers import Conv2D, Dense, Dropout, Flatten, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.rules.exploding_gradients import LONGEST
from depthwise.training import Callback, EarlyStopping, NeuralNetClassifier, NeuralNetRegressor, WeightAveraging, load
from depthwise.training.rescue import Rescue

NET = [Conv2D(8, padding="same"), MaxPool2D(), Conv2D(16), Flatten(), Dense(32), Output()]


def train(X, y, layers=NET, kind=NeuralNetClassifier, **params):
    options = {"max_epochs": 3, "random_state": 0, "verbose": 0, "batch_size": 32, **params}
    return kind(layers, **options).fit(X, y)


def found(net, code, severity="warning"):
    (finding,) = (each for each in net.findings_ if each.code == code)
    assert finding.severity == severity
    return finding


class Before(Callback):
    """Does something to the network before an epoch."""

    def __init__(self, spoil, epoch=1):
        self.spoil, self.epoch = spoil, epoch

    def on_epoch_begin(self, net):
        if len(net.history_) + 1 == self.epoch:
            with torch.no_grad():
                self.spoil(net.module_)


def scale(layer, factor):
    return Before(lambda module: module.get_submodule(layer).weight.mul_(factor))


# A loss that is not finite


class InfiniteGradient(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_gradients(self, net):
        if len(net.history_) + 1 == self.epoch:
            net.module_.conv2d3.weight.grad[0, 0, 0, 0] = float("inf")


@pytest.mark.parametrize("more", [[], [WeightAveraging(0.5)], [EarlyStopping(5)]])
def test_in_a_later_epoch_training_ends_with_the_best_weights(digits, more):
    with pytest.warns(ConvergenceWarning, match=r"epoch 3: the training loss is nan\. The network goes back"):
        net = train(*digits, max_epochs=5, callbacks=[InfiniteGradient(3), *more])
    plain = train(*digits, max_epochs=2, callbacks=more)
    assert len(net.history_) == 2 and net.score(*digits) == plain.score(*digits)
    for name, value in plain.module_.state_dict().items():
        assert torch.equal(value, net.module_.state_dict()[name]), name
    finding = found(net, "TRN001", "error")
    assert finding.layers == ("conv2d3",)
    assert finding.message == "a step leaves weights of conv2d3 that hold nan in batch 1 of epoch 3"


def test_in_the_first_epoch_it_is_an_error_and_the_network_is_as_before(digits):
    net = train(*digits, max_epochs=1)
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    net.set_params(callbacks=[InfiniteGradient(2)], warm_start=True)
    with pytest.raises(TrainingError) as told:
        net.fit(*digits)
    assert str(told.value) == (
        "epoch 2: the training loss is nan. A step leaves weights of conv2d3 that hold nan in batch 1 of epoch 2. "
        "Lower learning_rate, which is 0.001."
    )
    assert all(torch.equal(value, before[name]) for name, value in net.module_.state_dict().items())


def test_the_batch_is_the_one_in_which_it_arose(digits):
    class Watch(Callback):
        steps: list[bool]

        def on_train_begin(self, net):
            self.steps = []

        def on_step_end(self, net):
            self.steps.append(all(torch.isfinite(weight).all() for weight in net.module_.parameters()))

    watch = Watch()
    linear = [Dense(32, activation=None), Dropout(), Dense(32, activation=None), Output()]
    with pytest.raises(TrainingError, match="in batch") as told:
        train(*digits, linear, NeuralNetRegressor, optimizer="sgd", learning_rate=0.1, callbacks=[watch])
    batch = int(str(told.value).partition("in batch ")[2].split()[0])
    assert batch == watch.steps.index(False) + 1 > 1


def nan_loss(output, target):
    return F.cross_entropy(output, target) * float("nan")


def steep_loss(output, target):
    return (output - output.detach()).abs().sqrt().mean()


def broken_images(images):
    return images.float() / 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": nan_loss}, r"All outputs are finite, but their loss is nan in batch 1 of .*\. Look at loss= and y\."),
        ({"loss": steep_loss}, r"The gradient of output6 holds nan in batch 1 of epoch 1\. Lower"),
        ({"augment": broken_images}, r"The images that the network gets hold nan in batch 1 of .*\. Look at what"),
        ({"callbacks": [scale("conv2d3", 1e38)]}, r"The output of conv2d3 holds (inf|nan) in batch 1 of .*\. Lower"),
    ],
)
def test_the_first_value_that_is_not_finite_is_named(digits, params, message):
    with pytest.raises(TrainingError, match=message):
        train(*digits, **params)


# What slows training down


def test_exploding_gradients_are_named_by_layer(digits):
    deep = [*[Dense(32)] * 5, Output()]

    def enlarge(module):
        for part in module.children():
            if isinstance(part, nn.Linear):
                part.weight.mul_(5)

    finding = found(train(*digits, layers=deep, optimizer="sgd", learning_rate=1e-9, callbacks=[Before(enlarge)]),
                    "TRN002")  # fmt: skip
    assert "dense1" in finding.layers and "times as long as the weights" in finding.message
    assert finding.remedies[0].title == (
        'Put batch norms behind the layers that have none, and leave init at "he", its default'
    )


def test_one_layer_alone_multiplies_no_gradient():
    X = np.arange(20.0)[:, None]
    net = NeuralNetRegressor([Output()], max_epochs=1, verbose=0, random_state=0).fit(X, 100 * X)
    assert max(net.health_.layers[0].gradient) > LONGEST
    assert "TRN002" not in {finding.code for finding in net.findings_}


def test_vanishing_gradients_are_named_by_layer(digits):
    finding = found(train(*digits, layers=[*[Dense(32, activation="sigmoid")] * 8, Output()]), "TRN003")
    assert finding.layers[0] == "dense1" and "dense8" not in finding.layers


def test_a_single_layer_that_stays_is_named(digits):
    finding = found(train(*digits, callbacks=[scale("conv2d3", 1e4)], learning_rate=1e-4), "TRN004")
    assert finding.layers == ("conv2d3",) and "too small" in finding.message


def test_a_learning_rate_too_high_and_one_too_low_are_told(digits):
    assert "learning_rate=2" in found(train(*digits, learning_rate=2.0), "TRN005").why
    low = found(train(*digits, learning_rate=1e-6), "TRN006")
    assert low.remedies[0].title == "Raise learning_rate to 1e-05, or let lr_range suggest one"


def test_a_wild_learning_rate_is_lowered_to_one_whose_steps_are_small(digits):
    net = train(*digits, learning_rate=1e3, max_epochs=1)
    order = found(net, "TRN005").remedies[0].title
    suggested = float(re.fullmatch(r"Lower learning_rate to (.*), or let lr_range suggest one", order)[1])
    assert suggested == pytest.approx(1e3 * 1e-3 / max(net.health_.updates), rel=0.5)
    assert suggested < 1e3 / 100


def test_dead_units_are_counted(digits):
    def kill(module):
        module.conv2d3.bias[:14] = -100

    finding = found(train(*digits, callbacks=[Before(kill)]), "TRN007")
    assert finding.layers == ("conv2d3",) and finding.message == "14 of 16 units give the same for all images"


def test_a_drifting_input_names_the_layer_that_reads_it(digits):
    moved = Before(lambda module: module.conv2d1.weight.mul_(30), epoch=4)
    finding = found(train(*digits, max_epochs=4, learning_rate=0.01, callbacks=[moved]), "TRN008")
    assert finding.layers[0] == "conv2d3" and "conv2d1" not in finding.layers


def test_certain_and_wrong_answers_are_told(digits):
    net = train(*digits, max_epochs=1, learning_rate=1e-5, callbacks=[scale("output6", 1000)])
    finding = found(net, "TRN009")
    assert finding.layers == ("output6",)
    assert [remedy.title for remedy in finding.remedies] == [
        "Lower learning_rate, which is 1e-05",
        "Raise label_smoothing, to 0.1 say, or weight_decay",
        "Leave standardize=True, the default, if it was switched off",
    ]


def test_a_loss_that_stays_at_guessing_is_told(digits):
    X, y = digits
    random = np.random.default_rng(0).permutation(y)
    finding = found(train(X, random, learning_rate=1e-4), "TRN010")
    assert "and guessing has 2.302" in finding.message


# Images and targets


def test_images_that_nothing_scales_are_told(digits):
    X, y = digits
    finding = found(train(X * 15, y, standardize=False), "TRN011")
    assert finding.layers == ("conv2d1",) and finding.why == "the pixels go from 0 to 240"


def test_constant_pixels_are_told(digits):
    X, y = digits
    assert "% of the pixels" in found(train(np.pad(X, ((0, 0), (0, 0), (8, 8), (8, 8))), y), "TRN012").message


def test_targets_that_do_not_fit_the_output_are_told(digits):
    X, y = digits
    split = PredefinedSplit(np.where(y == 7, 0, -1))
    net = train(X, y, validation=split)
    assert found(net, "TRN013").why == "at 7 of classes_"
    assert found(train(X, y * 100.0, kind=NeuralNetRegressor), "TRN013").message == "the targets go from 0 to 900"
    rectified = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.ReLU())
    message = found(train(X, y - 5.0, rectified, NeuralNetRegressor), "TRN013").message
    assert message == "the output gives values from 0 to inf, but the targets go from -5 to 4"


def test_unbalanced_classes_are_told_unless_they_are_weighted(digits):
    X, y = digits
    kept = np.flatnonzero((y != 3) | (np.cumsum(y == 3) <= 3))
    assert "the rarest 3" in found(train(X[kept], y[kept], max_epochs=1), "TRN014").message
    weighted = train(X[kept], y[kept], max_epochs=1, class_weight="balanced")
    assert "TRN014" not in [finding.code for finding in weighted.findings_]


def test_validation_images_of_the_training_set_are_counted(digits):
    X, y = digits
    net = train(X[:300], y[:300], max_epochs=1, validation=(X[290:], y[290:]))
    assert found(net, "TRN015").message == "10 of 110 validation images are training images too"


# Losses


def test_overfitting_is_told(digits):
    X, y = digits
    wrong = np.random.default_rng(0).permutation(y[:100])
    net = train(X[:100], wrong, max_epochs=30, validation=(X[100:], y[100:]), layers=[Dense(128), Output()],
                learning_rate=5e-3)  # fmt: skip
    assert found(net, "TRN016").remedies[0].title == "Stop at the best epoch: early_stopping=5"


def test_underfitting_is_told(digits):
    tiny = [Conv2D(1), GlobalAvgPool2D(), Output()]
    assert "stays at" in found(train(*digits, layers=tiny, max_epochs=12, learning_rate=0.3), "TRN017", "info").message


def test_validation_that_is_easier_is_told_and_explained():
    X, y = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    wrong = np.where(random.random(900) < 0.3, random.integers(0, 10, 900), y[:900])
    options = {"validation": (X[900:1100], y[900:1100]), "max_epochs": 6, "learning_rate": 5e-3}
    plain = found(train(X[:900], wrong, [Output()], **options), "TRN018")
    assert plain.why == "there is neither dropout nor augmentation"
    dropped = train(X[:900], wrong, [Dense(32), Dropout(0.1), Output()], **options)
    assert found(dropped, "TRN018", "info").why == "dropout can do that"


# Norms and number formats


def test_batch_norms_of_tiny_batches_are_told(digits):
    layers = [Conv2D(4, norm="batch"), Output()]
    assert found(train(*digits, layers=layers, batch_size=4, max_epochs=1), "TRN019").layers == ("conv2d1",)


def test_what_bfloat16_cannot_hold_is_told(digits):
    X, y = digits
    net = train(X + 2000.0, y, standardize=False, precision="bfloat16", learning_rate=1e-5, max_epochs=1)
    assert found(net, "TRN020").layers[0] == "conv2d1"


# The record


def test_the_verdict_is_printed_at_the_end_only_where_there_is_one(digits, capsys):
    train(*digits, layers=[Dense(16), Output()], verbose=1)
    assert "TRN" not in capsys.readouterr().out
    train(*digits, layers=[Dense(16), Output()], verbose=1, learning_rate=1e-6)
    assert "\nnetwork: TRN006 learning-rate-too-low warning: a step changes" in capsys.readouterr().out
    train(*digits, layers=[Dense(16), Output()], verbose=0, learning_rate=1e-6)
    assert capsys.readouterr().out == ""


def test_the_record_is_saved_pickled_and_goes_on(digits, tmp_path):
    import pickle

    net = train(*digits, learning_rate=1e-6)
    net.save(tmp_path / "net.safetensors")
    for again in (load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net))):
        assert again.health_ == net.health_
        assert [finding.code for finding in again.findings_] == [finding.code for finding in net.findings_]
    assert TrainingHealth.from_dict(json.loads(json.dumps(net.health_.to_dict()))) == net.health_
    net.set_params(warm_start=True, max_epochs=2).fit(*digits)
    assert len(net.health_.epochs) == len(net.health_.layers[0].update) == 5
    net.set_params(warm_start=False).fit(*digits)
    assert len(net.health_.epochs) == 2


def test_a_resumed_training_has_the_same_record(digits, tmp_path):
    def interrupt(net, record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    whole = NeuralNetClassifier(NET, max_epochs=4, random_state=0, verbose=0).fit(*digits)
    parts = NeuralNetClassifier(NET, max_epochs=4, random_state=0, verbose=0, callbacks=[interrupt])
    parts.fit(*digits, resume=tmp_path)
    parts.set_params(callbacks=[lambda net, record: None]).fit(*digits, resume=tmp_path)
    assert parts.health_ == whole.health_


def test_measuring_changes_nothing(digits, monkeypatch):
    from depthwise.training import health

    measured = train(*digits, layers=[Conv2D(4, norm="batch"), Dropout(), Output()])
    monkeypatch.setattr(health.HealthRecorder, "on_gradients", lambda self: None)
    monkeypatch.setattr(health.HealthRecorder, "look", lambda self: None)
    plain = train(*digits, layers=[Conv2D(4, norm="batch"), Dropout(), Output()])
    for one, other in zip(measured.module_.state_dict().values(), plain.module_.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert not any(part._forward_hooks for part in measured.module_.modules())


def test_the_figures_are_those_of_a_plain_computation(digits):
    X, y = digits
    net = train(X, y, layers=[Conv2D(4), Output()], optimizer="sgd", momentum=0.0, batch_size=400, max_epochs=1,
                validation=(X[:50], y[:50]), learning_rate=0.1)  # fmt: skip
    before = train(X, y, layers=[Conv2D(4), Output()], optimizer="sgd", max_epochs=1, learning_rate=1e-30,
                   validation=(X[:50], y[:50])).module_  # fmt: skip
    images, targets = torch.from_numpy(X.copy()), torch.from_numpy(y.copy())
    before.zero_grad()
    F.cross_entropy(before.train()(images), targets).backward()
    for name, layer in zip(("conv2d1", "output2"), net.health_.layers, strict=True):
        weight = before.get_submodule(name).weight
        ratio = (weight.grad.norm() / weight.detach().norm()).item()
        assert layer.gradient == (pytest.approx(ratio, rel=1e-3),)
        assert layer.update == (pytest.approx(0.1 * ratio, rel=1e-3),)
    with torch.no_grad():
        seen = net.module_.input(images[:50])
        maps = net.module_.conv2d1(seen).relu().flatten(1)
    first, last = net.health_.layers
    assert first.input_mean[0] == pytest.approx(float(seen.mean()), rel=1e-3)
    assert first.input_std[0] == pytest.approx(float(seen.std(correction=0)), rel=1e-3)
    assert last.input_mean[0] == pytest.approx(float(maps.mean()), rel=1e-3)


@pytest.mark.parametrize("validation", [None, 0.2])
def test_any_module_and_no_validation_are_measured(digits, validation):
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    health = train(*digits, layers=module, validation=validation, max_epochs=1).health_
    assert [(layer.layer, layer.units, layer.normed) for layer in health.layers] == [
        ("0", 4, True), ("2", 4, False), ("4", 10, False),
    ]  # fmt: skip
    assert None not in health.layers[0].input_mean + health.layers[2].update


def enlarged_digits():
    X, y = load_digits(return_X_y=True)
    return np.kron(X.reshape(-1, 1, 8, 8).astype(np.uint8), np.ones((3, 3), np.uint8)), y


HEALTHY = {
    "without convolutions, digits": (tutorials.CIFAR_DENSE, None, 10, {}),
    "two convolutions, digits": (tutorials.CIFAR_TAKE_1, None, 10, {}),
    "four convolutions, digits": (tutorials.CIFAR_TAKE_2, None, 8, {}),
    "net 1, MNIST": (tutorials.NET1, 1500, 8, {}),
    "net 2, MNIST": (tutorials.NET2, 500, 5, {}),
    "net 3, MNIST": (tutorials.NET3, 1000, 6, {}),
    "net 4, MNIST": (tutorials.NET4, 500, 5, {}),
    "shallow, MNIST": (tutorials.NETZ_SHALLOW, 1500, 8, {}),
    "no pooling, MNIST": (tutorials.NETZ_NO_POOLING, 800, 6, {}),
    "much pooling, MNIST": (tutorials.NETZ_MUCH_POOLING, 1000, 6, {}),
    "momentum, digits": (tutorials.CIFAR_TAKE_1, None, 8, {"optimizer": "sgd", "learning_rate": 0.01}),
    "four convolutions, MNIST": (tutorials.CIFAR_TAKE_2, 600, 6, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_has_no_findings(name, data_dir):
    layers, n_images, epochs, params = HEALTHY[name]
    if n_images is None:
        X, y = enlarged_digits()
    else:
        images = load_images(data_dir / "mnist", split="train")
        X, y = images.X[:n_images], images.y[:n_images]
    net = train(X, y, layers=layers, max_epochs=epochs, **params)
    assert net.history_[-1].valid_accuracy > 0.5, "it learned"
    assert not [str(finding) for finding in net.findings_.problems if finding.code.startswith("TRN")]


def test_what_an_epoch_starts_from_is_kept_once(digits, monkeypatch):
    """The best weights and those that an epoch starts from are one copy while the loss falls."""
    shared, begin = [], Rescue.begin_epoch

    def begin_epoch(rescue):
        begin(rescue)
        best, start = rescue.best or {}, rescue.start.module
        shared.append(bool(best) and all(best[name] is value for name, value in start.items()))

    monkeypatch.setattr(Rescue, "begin_epoch", begin_epoch)
    train(*digits, max_epochs=4)
    assert shared == [False, True, True, True]
    shared.clear()
    train(*digits, max_epochs=3, callbacks=[Before(lambda module: module.output6.bias.add_(0.01), epoch=3)])
    assert shared == [False, True, False]  # somebody changed a layer: that one is copied
