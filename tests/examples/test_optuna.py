"""The example with Optuna, where that is installed."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "tune_with_optuna.py"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_values_are_asked_for_and_told(capsys):
    pytest.importorskip("optuna")
    spec = importlib.util.spec_from_file_location("tune_with_optuna", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    study = module.main(quick=True)
    values = [trial.value for trial in study.trials]
    assert len(values) == 3 and study.best_value == max(values)
    assert study.trials[0].params == {"learning_rate": 1e-3, "weight_decay": 1e-5}
    assert all(len(trial.intermediate_values) == 2 for trial in study.trials)
    assert "best of 3 trials" in capsys.readouterr().out
