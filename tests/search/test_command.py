"""``depthwise search`` as a user would type it."""

import json
import os
import signal

import pytest

from depthwise.training import NeuralNetClassifier, load

RACE = ("search", "digits", "--size", "10", "--params", "10k", "--macs", "600k", "--batch-size", "256", "--seeds", "1")


@pytest.fixture
def quick(monkeypatch):
    """An epoch is said to take so long that few designs race."""
    monkeypatch.setattr(
        "depthwise.search.thinning.time_epochs",
        lambda _, designs, *__: {design: 20.0 + place for place, design in enumerate(designs)},
    )


def test_it_races_saves_the_best_and_goes_on(run, quick, tmp_path, monkeypatch):
    study = tmp_path / "race"
    interrupted = False

    def ctrl_c(self, *arguments, **options):
        nonlocal interrupted
        if not interrupted and list(study.glob("results/*.json")):
            interrupted = True
            os.kill(os.getpid(), signal.SIGINT)
        return fit(self, *arguments, **options)

    fit = NeuralNetClassifier.fit
    monkeypatch.setattr(NeuralNetClassifier, "fit", ctrl_c)
    status, out, _ = run(*RACE, "--minutes", 6, "--study", study)
    assert status == 130
    assert out.splitlines()[1].endswith("3 designs fit the budget; 3 race, spread over what they cost.")
    assert out.splitlines()[-1] == f"Interrupted. What is done is kept in {study}; the same command goes on."
    status, out, err = run(*RACE, "--minutes", 6, "--study", study, "-o", tmp_path / "best.safetensors")
    assert (status, err) == (0, "")
    assert "rung 1: 3 designs, 1 of 3 known" in out
    *_, best, saved = out.splitlines()
    assert best.startswith("best: ") and saved.startswith(f"saved {tmp_path / 'best.safetensors'}; depthwise test")
    net = load(tmp_path / "best.safetensors")
    assert net.input_shape_ == (1, 10, 10) and len(net.history_) == 3
    assert net.analysis_.params <= 10_000 and net.analysis_.macs <= 600_000
    facts = json.loads(run(*RACE, "--minutes", 6, "--study", study, "--json")[1])
    assert [each["rank"] for each in facts["designs"]].index(1) == facts["best"]
    assert facts["saved"] == str(study / "best.safetensors")
    status, out, err = run(*RACE, "--macs", "200k", "--study", study, "--json")
    assert status == 2 and "was begun with other options" in err


def test_no_design_is_status_1(run, tmp_path):
    status, out, err = run("search", "digits", "--params", "10k", "--study", tmp_path / "race")
    assert (status, out) == (1, "")
    assert err.startswith("depthwise: no network of 3x3 kernels fits images of 8x8 under these rules.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--params", "lots"), "--params is 'lots' but must be a number such as"),
        (("--norm", "layer"), "norm is 'layer' but must be"),
        (("-o", "no/such/folder/best.safetensors"), "there is no folder no/such/folder"),
        (("--study", __file__), "holds other things and no study. Give a new or an empty folder."),
    ],
)
def test_wrong_use_is_status_2(run, quick, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*RACE, *words)
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []
