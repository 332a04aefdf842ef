"""Several processes learn what one would, end when they are to end, and leave nothing behind."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from depthwise.data.augmentation import RandomCrop
from depthwise.errors import TrainingError
from depthwise.layers import BatchNorm, Conv2D, Dense, Dropout, MaxPool2D, Output
from depthwise.training import Callback, EarlyStopping, LogTo, NeuralNetClassifier, WeightAveraging, is_main_process
from depthwise.training.ranks import Ranks

# PyTorch's launcher leaves the files of its logs to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

LAYERS = [Conv2D(4), MaxPool2D(), Dense(8), Output()]
SECONDS = 300
"""After which a test is over; on an idle machine all but one take less than ten."""


def make(layers=LAYERS, **params):
    settings = {"max_epochs": 3, "batch_size": 32, "optimizer": "sgd", "learning_rate": 0.1, "verbose": 0}
    return NeuralNetClassifier(layers, **{**settings, "momentum": 0.9, "random_state": 0, **params})


def differences(one, other):
    pairs = zip(one.module_.state_dict().values(), other.module_.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def columns(net):
    return {name: values for name, values in net.history_.to_dict().items() if name != "seconds"}


def stop_if_second(net, record):
    return not is_main_process()


def fail_if_second(net, record):
    if not is_main_process() and record.epoch == 2:
        raise LookupError("nothing here")


class Kill(Callback):
    """Ends the second process in the middle of its second epoch: once, or each time."""

    def __init__(self, once):
        self.once = once

    def on_step_end(self, net):
        if is_main_process() or len(net.history_) != 1 or (self.once is not None and self.once.exists()):
            return
        if self.once is not None:
            self.once.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Poison(Callback):
    """Makes a weight NaN after some epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_begin(self, net):
        if len(net.history_) == self.epochs:
            with torch.no_grad():
                next(net.module_.parameters()).view(-1)[0] = torch.nan


@pytest.fixture(autouse=True)
def _collected():
    yield
    gc.collect()


@given(st.integers(1, 200), st.integers(1, 9))
def test_shares_are_the_whole_in_order_and_none_is_a_single_image(n_images, size):
    places = list(range(n_images))
    parts = [places[Ranks(rank, size).share(n_images)] for rank in range(size)]
    assert [place for part in parts for place in part] == places
    lengths = [len(part) for part in parts if part]
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) > 1 or n_images == 1


def test_two_processes_equal_one_on_images_that_do_not_divide_evenly(digits, tmp_path, capsys):
    X, y = digits[0][:395], digits[1][:395]
    weights = np.linspace(0.5, 1.5, len(X))
    params = {"early_stopping": 2, "scoring": "f1_macro", "l2": 1e-3, "batch_size": 31, "schedule": "cosine"}
    one = make(**params).fit(X, y, weights)
    two = make(**params, processes=2, verbose=1, callbacks=[LogTo(tmp_path / "log.csv")]).fit(X, y, weights)
    assert differences(one, two) < 1e-5
    for name in ("train_loss", "valid_loss", "valid_accuracy", "f1_macro", "learning_rate"):
        assert two.history_[name] == pytest.approx(one.history_[name], rel=1e-5)
    assert np.array_equal(one.predict(X), two.predict(X)) and columns(pickle.loads(pickle.dumps(two))) == columns(two)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4
    assert capsys.readouterr().out.count("train loss") == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"callbacks": [lambda net, record: False]},
            r"callbacks: cannot be handed to 2 processes \(.*<lambda>.*\)\. D",
        ),
        ({"schedule": lambda optimizer: None}, "schedule: cannot be handed to 2 processes"),
        ({"processes": 0}, "processes is 0 but must be a whole number of 1 or more"),
    ],
)
def test_what_cannot_be_handed_over_is_named_before_anything_is_started(digits, params, message, monkeypatch):
    monkeypatch.setattr("depthwise.training.parallel._launch", None)
    with pytest.raises(TrainingError, match=message):
        make(**{"processes": 2, **params}).fit(*digits)


def test_functions_of_a_script_are_refused_by_name(digits, monkeypatch):
    monkeypatch.setattr(stop_if_second, "__module__", "__main__")
    message = (
        r"^callbacks: cannot be handed to 2 processes \(stop_if_second is defined in __main__\)\. Define functions and "
        r"classes in a module of their own and import them, or write processes=1\.$"
    )
    with pytest.raises(TrainingError, match=message):
        make(processes=2, callbacks=[stop_if_second]).fit(*digits)


def test_a_fitted_network_goes_on_in_one_process_only(digits):
    net = make(max_epochs=1, warm_start=True).fit(*digits)
    with pytest.raises(TrainingError, match=r"^processes=2 begin a training, but warm_start=True goes on with"):
        net.set_params(processes=2).fit(*digits)
    assert len(net.partial_fit(*digits).history_) == 2
    assert clone(net).processes == 2 and is_main_process()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "most"),
    [
        ({"optimizer": "adamw", "learning_rate": 0.01, "callbacks": [WeightAveraging(0.9)]}, 1e-5),
        ({"batch_size": [(1, 3), (2, 64)], "validation": None, "processes": 3}, 1e-5),
        # Forty evaluations one after the other, each from the rounding of the one before.
        ({"optimizer": "lbfgs", "learning_rate": 0.1, "batch_size": 128, "max_epochs": 2}, 1e-3),
    ],
)
def test_several_processes_equal_one(digits, params, most):
    X, y = digits[0][:211], digits[1][:211]
    several = make(**{"processes": 2, **params}).fit(X, y)
    assert differences(make(**{**params, "processes": 1}).fit(X, y), several) < most


@pytest.mark.slow
def test_batch_norms_noise_and_tiny_data_end_as_the_last_time(digits):
    layers = [Conv2D(4, norm="batch"), MaxPool2D(), Dropout(0.3), Dense(8), BatchNorm(), Output()]
    X, y = np.concatenate([digits[0][:13]] * 3), np.concatenate([digits[1][:13]] * 3)
    params = {"batch_size": 5, "validation": (X[:1], y[:1]), "augment": [RandomCrop(1)], "processes": 3}
    first, second = (make(layers, **params).fit(X, y) for _ in range(2))
    assert differences(first, second) == 0 and columns(first) == columns(second)
    assert "TRN019" in [finding.code for finding in first.findings_]


@pytest.mark.slow
def test_a_killed_process_costs_an_epoch_at_most_and_changes_nothing(digits, tmp_path):
    params = {"processes": 2, "callbacks": [WeightAveraging(0.9), Kill(None)], "early_stopping": EarlyStopping(3)}
    undisturbed = make(**params | {"callbacks": [WeightAveraging(0.9)]}).fit(*digits)
    params["callbacks"][1].once = tmp_path / "killed"
    net = make(**params).fit(*digits, resume=tmp_path / "state")
    assert (tmp_path / "killed").exists()
    assert differences(undisturbed, net) == 0 and columns(undisturbed) == columns(net)


@pytest.mark.slow
def test_a_process_that_is_killed_each_time_is_told(digits):
    message = (
        r"^processes: process 1 of 2 was ended by SIGKILL.*, 4 times\. Where memory is short, write fewer processes"
    )
    with pytest.raises(TrainingError, match=message):
        make(processes=2, callbacks=[Kill(None)]).fit(*digits)


@pytest.mark.slow
def test_the_main_process_decides_when_to_stop(digits):
    net = make(processes=2, callbacks=[stop_if_second]).fit(*digits)
    assert len(net.history_) == 3
    stopping = {"early_stopping": EarlyStopping(1, min_delta=10.0), "max_epochs": 9}
    one, two = (make(processes=n, **stopping).fit(*digits) for n in (1, 2))
    assert len(one.history_) == len(two.history_) == 2 and differences(one, two) < 1e-5
    assert stopping["early_stopping"].best_epoch_ == 1


@pytest.mark.slow
def test_what_goes_wrong_in_a_process_is_raised_here(digits):
    with pytest.raises(LookupError, match="nothing here") as caught:
        make(processes=2, callbacks=[fail_if_second]).fit(*digits)
    assert str(caught.value) == "nothing here" and "in fail_if_second" in caught.value.__notes__[0]
    texts = []
    for processes in (1, 2):
        with pytest.raises(TrainingError) as told:
            make(processes=processes, callbacks=[Poison(0)]).fit(*digits)
        texts.append(str(told.value))
    assert texts[0] == texts[1] and "training loss is nan" in texts[0]


@pytest.mark.slow
def test_a_loss_that_is_no_longer_finite_ends_as_in_one_process(digits):
    nets = []
    for processes in (1, 2):
        with pytest.warns(ConvergenceWarning, match="epoch 3: the training loss is"):
            nets.append(make(processes=processes, max_epochs=5, callbacks=[Poison(2)]).fit(*digits))
    one, two = nets
    assert len(one.history_) == len(two.history_) == 2 and differences(one, two) < 1e-5
    assert "TRN001" in [finding.code for finding in two.findings_]
    assert two.health_.non_finite == one.health_.non_finite


@pytest.mark.slow
def test_searches_of_scikit_learn_use_it(digits):
    X, y = digits
    search = GridSearchCV(make(processes=2, max_epochs=2), {"conv2d1__out_channels": [2, 4]}, cv=2).fit(
        X[:200], y[:200]
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.processes == 2 and len(search.predict(X)) == len(X)


def run_script(folder, text, *, torchrun=False, **options):
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"] if torchrun else []
    env = os.environ | {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *launcher, str(script)],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


SCRIPT = """
from beside import X, y, LAYERS
from depthwise.training import NeuralNetClassifier, is_main_process
net = NeuralNetClassifier(LAYERS, max_epochs={epochs}, batch_size=32, processes=2)
net.fit(X, y)
print("done", len(net.history_), float(sum(p.abs().sum() for p in net.module_.parameters())), is_main_process())
"""
BESIDE = """
from sklearn.datasets import load_digits
from depthwise.layers import Conv2D, Dense, MaxPool2D, Output
X, y = load_digits(return_X_y=True)
X, y = X[:203].reshape(-1, 1, 8, 8), y[:203]
LAYERS = [Conv2D(4), MaxPool2D(), Dense(8), Output()]
"""


@pytest.fixture
def scripts(tmp_path):
    (tmp_path / "beside.py").write_text(BESIDE)
    return tmp_path


def left_over(folder):
    """Processes whose command names the folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in command.read_bytes():
                found.append(int(command.parent.name))
        except OSError:
            pass  # has ended meanwhile
    return found


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_script_of_torchrun_needs_no_more_than_fit(scripts):
    process = run_script(scripts, SCRIPT.format(epochs=2), torchrun=True)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert out.count("train loss") == 1
    done = sorted(line.split()[1:] for line in out.splitlines() if line.startswith("done"))
    assert [words[0] for words in done] == ["2", "2"] and done[0][1] == done[1][1]  # without a random_state
    assert [words[2] for words in done] == ["False", "True"]


@pytest.mark.slow
def test_processes_of_torchrun_with_other_images_are_refused(scripts):
    other = SCRIPT.format(epochs=2).replace("net.fit(X, y)", "net.fit(X + (not is_main_process()), y)")
    process = run_script(scripts, other, torchrun=True)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode and "images of training and validation: process" in err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_an_interrupt_leaves_a_network_and_no_processes(scripts):
    process = run_script(scripts, SCRIPT.format(epochs=10**6))
    lines = []
    while not lines or not lines[-1].strip().startswith("2 "):
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    assert len(left_over(scripts)) == 3
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0 and "Interrupted after" in out and "Traceback" not in err, err
    assert int(out.split("done ")[1].split()[0]) >= 2
    assert left_over(scripts) == [] and not list(scripts.glob("depthwise-*"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_one_that_has_started_them(scripts, ending):
    process = run_script(scripts, SCRIPT.format(epochs=10**6))
    while not process.stdout.readline().strip().startswith("1 "):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(ending)
    process.communicate(timeout=SECONDS)
    assert process.returncode == -ending
    wait_for(lambda: left_over(scripts) == [])
    assert ending == signal.SIGKILL or not list(scripts.glob("depthwise-*"))
