"""What ``depthwise train`` is told reaches the estimator; what it cannot be told is one line."""

import json
from importlib import import_module

import numpy as np
import pytest

from depthwise.data import augmentation
from depthwise.data.augmentation import CutMix, RandomCrop, RandomFlip
from depthwise.training import NeuralNetClassifier, load, optimizers, schedules

train = import_module("depthwise.cli.train")  # the package calls its verb so


@pytest.fixture
def shades(tmp_path):
    """Dark and light images, twice as many of the light ones, as one file."""
    random = np.random.default_rng(0)
    y = np.array([0, 1, 1] * 16)
    X = random.integers(0, 90, (48, 8, 8)) + 120 * y[:, None, None]
    np.savez(tmp_path / "shades.npz", X=X.astype(np.uint8), y=y)
    return tmp_path / "shades.npz"


def test_every_option_reaches_the_estimator(run, shades, tmp_path, monkeypatch):
    seen = []
    original = NeuralNetClassifier.fit

    def spy(net, X, y, **options):
        seen.append((net.get_params(deep=False), options))
        return original(net, X, y, **options)

    monkeypatch.setattr(NeuralNetClassifier, "fit", spy)
    words = ("train", shades, "--layers", "4C3-N", "-o", tmp_path / "net.safetensors", "--batch-size", "2x8,1x16")
    words += ("--schedule", "one_cycle", "--early-stopping", 3, "--augment", "flip, crop,cutmix", "--balanced")
    status, out, err = run(*words, "--resume", tmp_path / "state", "--json")
    assert (status, err) == (0, "")
    ((params, options),) = seen
    assert params["batch_size"] == [(2, 8), (1, 16)] and params["schedule"] == "one_cycle"
    assert params["augment"] == [RandomFlip(), RandomCrop(), CutMix()] and params["class_weight"] == "balanced"
    assert params["early_stopping"] == 3 and options == {"resume": tmp_path / "state"}
    assert len(json.loads(out)["history"]["epoch"]) == 3
    assert load(tmp_path / "net.safetensors").score(np.load(shades)["X"], np.load(shades)["y"]) > 0.4


def test_a_run_goes_on_from_its_folder(run, shades, tmp_path):
    words = ("train", shades, "--layers", "4C3-N", "-o", tmp_path / "net.safetensors", "--resume", tmp_path / "state")
    run(*words, "--epochs", 1)
    status, out, _ = run(*words, "--epochs", 3, "--json")
    assert status == 0 and json.loads(out)["history"]["epoch"] == [1, 2, 3]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_training_that_broke_down_is_status_1_and_its_best_epoch_is_kept(run, shades, tmp_path):
    words = ("train", shades, "--layers", "4C3-N", "-o", tmp_path / "net.safetensors", "--epochs", 9)
    words += ("--optimizer", "sgd", "--learning-rate", 1e6, "--l2", 0.01, "--batch-size", 64)
    status, out, _ = run(*words)
    assert status == 1 and "saved" in out and "TRN001" in out
    assert np.isfinite(load(tmp_path / "net.safetensors").predict_proba(np.load(shades)["X"])).all()


def test_the_words_of_the_options_are_those_of_training():
    assert tuple(optimizers.OPTIMIZERS) == train.OPTIMIZERS
    assert train.SCHEDULES == schedules.SCHEDULES
    assert {kind for kind, _ in train.AUGMENTATIONS.values()} <= set(augmentation.__all__)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--augment", "flop"), "--augment: there is no 'flop'. Did you mean 'flip'? There are: flip, flip_both, crop"),
        (
            ("--batch-size", "10x"),
            "--batch-size is '10x' but must be a number of 1 or more, or stages as 10x32,5x256 (",
        ),
        (
            ("--batch-size", "0"),
            "--batch-size is '0' but must be a number of 1 or more, or stages as 10x32,5x256 (epoch",
        ),
        (
            ("--schedule", "cosin"),
            "--schedule: there is no 'cosin'. Did you mean 'cosine'? There are: constant, cosine",
        ),
        (("--optimizer", "adm"), "--optimizer: there is no 'adm'. Did you mean 'adam'? There are: adam, adamw, nadam,"),
        (("--learning-rate", "0"), "learning_rate is 0.0 but must be a number above 0"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(run, shades, tmp_path, words, message):
    status, out, err = run("train", shades, "--layers", "4C3-N", "-o", tmp_path / "net.safetensors", *words)
    assert (status, out) == (2, "") and err.startswith(f"depthwise: {message}") and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["shades.npz"]
