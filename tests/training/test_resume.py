"""A training that was interrupted ends as if it had not been."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import Dataset

from depthwise.data.augmentation import MixUp, RandomCrop
from depthwise.errors import FileError, TrainingError
from depthwise.layers import BatchNorm, Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.training import Callback, NeuralNetClassifier, WeightAveraging, resume
from depthwise.training.optimizers import OPTIMIZERS
from depthwise.training.resume import FILE, SavedTraining

LAYERS = [Conv2D(4, norm="batch"), MaxPool2D(), Dropout(0.3), Dense(8), Output()]


class AccidentError(Exception):
    pass


class Break(Callback):
    """Breaks off in a step of an epoch."""

    def __init__(self, epoch=None):
        self.epoch = epoch

    def on_step_end(self, net):
        if self.epoch is not None and len(net.history_) == self.epoch:
            raise AccidentError


def make(epoch=None, **params):
    settings = {
        "max_epochs": 5,
        "batch_size": [(3, 32), (2, 64)],
        "optimizer": "adamw",
        "schedule": "one_cycle",
        "augment": [RandomCrop(1), MixUp(0.3)],
        "callbacks": [WeightAveraging(0.9), Break(epoch)],
        "early_stopping": 4,
        "scoring": "f1_macro",
        "verbose": 0,
        "random_state": 0,
    }
    return NeuralNetClassifier(LAYERS, **settings | params)


def states_equal(one, other):
    pairs = zip(one.module_.state_dict().values(), other.module_.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def columns(net):
    return {name: values for name, values in net.history_.to_dict().items() if name != "seconds"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop", "adadelta"])
def test_a_broken_off_training_ends_as_an_undisturbed_one(digits, tmp_path, optimizer):
    X, y = digits
    whole = make(optimizer=optimizer).fit(X, y)
    for epoch in (0, 1, 3):
        with pytest.raises(AccidentError):
            make(epoch, optimizer=optimizer).fit(X, y, resume=tmp_path)
    resumed = make(optimizer=optimizer).fit(X, y, resume=tmp_path)
    assert states_equal(whole, resumed) and columns(whole) == columns(resumed)
    assert make(optimizer=optimizer).fit(X, y, resume=tmp_path).history_ == resumed.history_  # nothing is left to do


def test_steps_that_look_back_are_the_same_too(digits, tmp_path):
    X, y = digits

    def make_plain(epoch=None):
        params = {"optimizer": "lbfgs", "learning_rate": 0.1, "batch_size": 400, "max_epochs": 4}
        return NeuralNetClassifier([Dense(7), Output()], callbacks=[Break(epoch)], verbose=0, random_state=0, **params)

    whole = make_plain().fit(X, y)
    for epoch in (1, 2, 3):
        with pytest.raises(AccidentError):
            make_plain(epoch).fit(X, y, resume=tmp_path)
    resumed = make_plain().fit(X, y, resume=tmp_path)
    assert states_equal(whole, resumed) and columns(whole) == columns(resumed)
    losses = whole.history_["train_loss"]
    assert losses[-1] < losses[0] / 2


class Drawn(Dataset):
    """Images with noise, made anew whenever they are asked for."""

    def __init__(self, X, y):
        self.X, self.y, self.asked = torch.from_numpy(X.astype(np.float32)), y, 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, place):
        self.asked += 1
        return self.X[place] + torch.rand(self.X[place].shape), int(self.y[place])


def test_images_made_at_random_go_on_as_if_nothing_had_happened(digits, tmp_path):
    whole = make().fit(Drawn(*digits))
    with pytest.raises(AccidentError):
        make(2).fit(Drawn(*digits), resume=tmp_path)
    assert states_equal(whole, make().fit(Drawn(*digits), resume=tmp_path))


def test_what_is_kept_after_an_epoch_needs_no_images(digits, tmp_path):
    counts = []
    for folder in (None, tmp_path):
        drawn = Drawn(*digits)
        make().fit(drawn, resume=folder)
        counts.append(drawn.asked)
    assert counts[1] - counts[0] == len(digits[0])  # once, to tell them from others


def test_a_module_goes_on_whatever_weights_it_was_made_with(digits, tmp_path):
    X, y = digits

    def module():
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    first = module()
    whole = NeuralNetClassifier(first, max_epochs=2, random_state=0, verbose=0).fit(X, y)
    NeuralNetClassifier(first, max_epochs=1, random_state=0, verbose=0).fit(X, y, resume=tmp_path)
    other = NeuralNetClassifier(module(), max_epochs=2, random_state=0, verbose=0).fit(X, y, resume=tmp_path)
    assert states_equal(whole, other)


class Counting(nn.CrossEntropyLoss):
    """A loss that changes while it is used."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, output, target):
        self.calls += 1
        return super().forward(output, target)


def test_a_loss_that_changes_while_it_is_used_goes_on(digits, tmp_path):
    make(max_epochs=1, batch_size=64, loss=Counting()).fit(*digits, resume=tmp_path)
    assert len(make(max_epochs=2, batch_size=64, loss=Counting()).fit(*digits, resume=tmp_path).history_) == 2


def test_epochs_can_be_added(digits, tmp_path):
    X, y = digits
    params = {"batch_size": 64, "schedule": None, "early_stopping": None}
    whole = make(max_epochs=4, **params).fit(X, y)
    for max_epochs in (1, 2, 4):
        added = make(max_epochs=max_epochs, random_state=None if max_epochs > 1 else 0, **params)
        added.fit(X, y, resume=tmp_path)
    assert states_equal(whole, added) and len(added.history_) == 4


def test_a_training_that_stopped_early_stays_stopped(digits, tmp_path):
    X, y = digits

    def stop(net, record):
        return record.epoch == 2

    first = make(callbacks=[stop]).fit(X, y, resume=tmp_path)
    again = make(callbacks=[stop]).fit(X, y, resume=tmp_path)
    assert len(first.history_) == len(again.history_) == 2 and states_equal(first, again)


def test_threads_and_precision_are_used_again(digits, tmp_path):
    X, y = digits
    params = {"batch_size": 64, "max_epochs": 1}
    make(precision="bfloat16", **params).fit(X[:128], y[:128], resume=tmp_path)
    seen = []
    try:
        torch.set_num_threads(2)
        more = make(callbacks=[WeightAveraging(0.9), lambda net, record: seen.append(torch.get_num_threads())])
        more.set_params(**params | {"max_epochs": 2}).fit(X[:128], y[:128], resume=tmp_path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [1] and more.precision_ == "bfloat16"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"learning_rate": 0.5}, r"was begun with learning_rate 0\.001, but this one has 0\.5\. Set it back, or name"),
        ({"layers": [Output()]}, r"was begun with layers \[Conv2D\(4, norm='batch'\), .*\], but this one has"),
        ({"augment": None}, r"was begun with augment \[RandomCrop"),
    ],
)
def test_another_training_is_refused(digits, tmp_path, params, message):
    X, y = digits
    make(max_epochs=1, batch_size=64).fit(X, y, resume=tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(TrainingError, match=message):
        make(max_epochs=2, batch_size=64).set_params(**params).fit(X, y, resume=tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_other_images_are_refused(digits, tmp_path):
    X, y = digits
    make(batch_size=64, max_epochs=1).fit(X, y, resume=tmp_path)
    other = X.copy()
    other[:, 0, 4, 4] += 1
    for images, labels in ((other, y), (X[:300], y[:300]), (X, np.roll(y, 1))):
        with pytest.raises(TrainingError, match=r"was begun with (training|validation) images \d+ of 1x8x8 \(\w{8}\)"):
            make(batch_size=64, max_epochs=2).fit(images, labels, resume=tmp_path)


def test_a_state_that_cannot_be_read_is_one_clear_error(digits, tmp_path):
    X, y = digits
    make(batch_size=64, max_epochs=1).fit(X, y, resume=tmp_path)
    good = (tmp_path / FILE).read_bytes()
    tensors = load_file(tmp_path / FILE)
    for damaged in (b"", good[:50], good[:-10], good[:8] + b"x" * 40 + good[48:]):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(FileError, match=r"is no state of a training, or a damaged one|cannot be read"):
            make(batch_size=64).fit(X, y, resume=tmp_path)
    save_file(tensors, tmp_path / FILE)  # without what else there is to know
    with pytest.raises(FileError, match=r"is no state of a training"):
        make(batch_size=64).fit(X, y, resume=tmp_path)


def rewrite(path, change):
    """Change what a state holds of the optimizer."""
    saved = SavedTraining(path, NeuralNetClassifier([]))
    change(saved.state["optimizer"])
    tensors = {}
    plain = resume._take_out(saved.state, "", tensors)
    save_file(tensors, path / FILE, {resume.KEY: json.dumps({"format": resume.FORMAT, "state": plain})})


def drop(moment, places=(0, 1, 2, 3)):
    def change(optimizer):
        for place in places:
            del optimizer["state"][place][moment]

    return change


def put(moment, value, places=(1,)):
    def change(optimizer):
        for place in places:
            optimizer["state"][place][moment] = value

    return change


@pytest.mark.parametrize(
    ("optimizer", "change", "message"),
    [
        ("adam", drop("exp_avg"), r"'exp_avg'"),
        ("adam", drop("step", (2,)), r"'step'"),
        ("adam", put("exp_avg_sq", torch.zeros(3)), r"exp_avg_sq of parameter 1 is \(3,\), but must be \(10, 8\)"),
        ("adam", put("max_exp_avg_sq", torch.zeros(3)), r"'max_exp_avg_sq'"),
        ("adam", put("step", "two"), r"step of parameter 1 is a str, but must be \(\)"),
        ("adam", lambda optimizer: optimizer["state"].update({9: {}}), r"9"),
        ("adam", lambda optimizer: optimizer["param_groups"][0].pop("betas"), r"'betas'"),
        ("sgd", put("momentum_buffer", None), r"momentum_buffer of parameter 1 is a NoneType, but"),
        ("adafactor", put("row_var", torch.zeros(2, 2)), r"row_var of parameter 1 is \(2, 2\), but must be \(10, 1\)"),
        ("lbfgs", drop("d", (0,)), r"'d'"),
        ("lbfgs", put("old_dirs", [torch.zeros(3)], (0,)), r"."),
        ("lbfgs", put("old_stps", [], (0,)), r"index"),
    ],
)
def test_moments_that_do_not_fit_are_refused_before_the_first_step(digits, tmp_path, optimizer, change, message):
    X, y = digits

    def make_plain(max_epochs):
        params = {"optimizer": optimizer, "max_epochs": max_epochs, "learning_rate": 0.1, "batch_size": 400}
        return NeuralNetClassifier([Dense(8), Output()], verbose=0, random_state=0, **params)

    make_plain(1).fit(X, y, resume=tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(FileError, match=rf"does not fit this training \(.*{message}.*\)\. Name another folder\."):
        make_plain(2).fit(X, y, resume=tmp_path)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_moments_of_every_optimizer_fit(digits, tmp_path, optimizer):
    X, y = digits

    def make_plain(max_epochs):
        params = {"optimizer": optimizer, "max_epochs": max_epochs, "batch_size": 400}
        return NeuralNetClassifier([Dense(8), Output()], verbose=0, random_state=0, **params)

    whole = make_plain(2).fit(X, y)
    make_plain(1).fit(X, y, resume=tmp_path)
    assert states_equal(whole, make_plain(2).fit(X, y, resume=tmp_path))


def test_what_cannot_be_kept_is_told_and_nothing_is_written(digits, tmp_path):
    class Odd(Callback):
        def state_dict(self):
            return {"thing": object()}

    with pytest.raises(FileError, match=r"callbacks/0/thing: a object cannot be kept\. Give state_dict\(\) tensors"):
        make(callbacks=[Odd()], max_epochs=1).fit(*digits, resume=tmp_path)
    assert not (tmp_path / FILE).exists()


def test_drafts_of_a_killed_process_are_removed(digits, tmp_path):
    (tmp_path / f".{FILE}.abc").write_bytes(b"half")
    make(max_epochs=1, batch_size=64).fit(*digits, resume=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


SCRIPT = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from depthwise.data import load_images
from depthwise.layers import *
from depthwise.training import NeuralNetClassifier
images = load_images(sys.argv[1])
X, y = images.X[:3000], images.y[:3000]
layers = [Conv2D(6, norm="batch"), MaxPool2D(), Conv2D(8), MaxPool2D(), Dropout(0.2), Output()]
net = NeuralNetClassifier(layers, max_epochs=8, schedule="cosine", early_stopping=7, verbose=0, random_state=0)
net.fit(X, y, resume=sys.argv[2])
net.save(sys.argv[3])
"""


@pytest.mark.slow
def test_thirty_kills_at_random_moments_change_nothing(tmp_path, data_dir):
    data = data_dir / "mnist"
    if not data.is_dir():
        pytest.skip(f"no mnist in {data_dir}")

    def start(folder, output):
        command = [sys.executable, "-c", SCRIPT, str(data), str(folder), str(output)]
        with (tmp_path / "errors.txt").open("w") as errors:
            return subprocess.Popen(command, stderr=errors)

    begun = time.monotonic()
    assert start(tmp_path / "whole", tmp_path / "whole.safetensors").wait() == 0
    seconds = time.monotonic() - begun
    expected = load_file(tmp_path / "whole.safetensors")
    rng = np.random.default_rng(0)
    kills, rounds = 0, 0
    while kills < 30:
        rounds += 1
        folder, output = tmp_path / f"{rounds}", tmp_path / f"{rounds}.safetensors"
        for _ in range(10):
            process = start(folder, output)
            try:
                process.wait(rng.uniform(0.3, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
            else:
                assert process.returncode == 0, (tmp_path / "errors.txt").read_text()
                break
        else:
            assert start(folder, output).wait() == 0
        found = load_file(output)
        assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("layer", [BatchNorm(), Dropout()])
def test_interrupted_by_hand_and_continued(digits, tmp_path, layer):
    X, y = digits
    layers = [Dense(8), layer, Output()]
    whole = NeuralNetClassifier(layers, max_epochs=4, verbose=0, random_state=0).fit(X, y)

    def interrupt(net, record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    params = {"max_epochs": 4, "verbose": 0, "random_state": 0}
    net = NeuralNetClassifier(layers, callbacks=[interrupt], **params).fit(X, y, resume=tmp_path)
    assert len(net.history_) == 2 and net.predict(X).shape == y.shape
    net = NeuralNetClassifier(layers, callbacks=[lambda net, record: None], **params).fit(X, y, resume=tmp_path)
    assert states_equal(net, whole)
