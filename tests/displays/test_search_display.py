"""Pictures of a race, by what they draw."""

import numpy as np
import pytest

from depthwise.displays.search import SearchDisplay
from depthwise.errors import TargetError


def masked(*values):
    return np.ma.MaskedArray([0.0 if value is None else value for value in values], [value is None for value in values])


@pytest.fixture
def results():
    """Five designs: the third wins, the second was cut, the last failed."""
    return {
        "name": np.array(["a", "b", "c", "d", "e"], dtype=object),
        "params": masked(100, 50, 300, 200, None),
        "macs": masked(10, 20, 30, 40, None),
        "score_rung1_seed0": masked(0.5, 0.4, 0.6, 0.55, None),
        "score_rung3_seed0": masked(0.7, None, 0.9, 0.8, None),
        "score_rung3_seed1": masked(0.72, None, 0.92, 0.82, None),
        "mean_score": masked(0.71, 0.4, 0.91, 0.81, None),
        "standard_error": masked(0.01, 0.02, 0.01, 0.01, None),
        "rank": np.array([3, 4, 1, 2, 5]),
        "epochs": np.array([6, 1, 6, 6, 0]),
        "seconds": np.array([12.0, 1.0, 3.0, 24.0, 0.0]),
        "status": np.array(["finished", "cut at rung 1", "finished", "finished", "failed"], dtype=object),
    }


def test_every_design_has_its_line_and_the_winner_its_name(results):
    ax = SearchDisplay(results).plot().axes_[0]
    lines = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    drawn = {tuple(line.get_ydata()): list(line.get_xdata()) for line in lines}
    assert drawn[0.5, 0.7] == [1, 3] and drawn[(0.4,)] == [1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["c"]
    dots = {tuple(line.get_ydata()) for line in ax.get_lines() if line.get_linestyle() == "None"}
    assert (0.9, 0.92) in dots
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "3"]


@pytest.mark.parametrize(("cost", "front"), [("macs", [0, 2]), ("params", [1, 0, 3, 2]), ("epoch_seconds", [2])])
def test_the_front_joins_what_nothing_beats(results, cost, front):
    display = SearchDisplay(results, kind="cost", cost=cost).plot()
    assert display.front_ == front


def test_a_search_is_read_and_saved(results, tmp_path):
    class Search:
        cv_results_ = results

    for kind in ("rungs", "cost"):
        SearchDisplay.from_estimator(Search, kind=kind).save(tmp_path / f"{kind}.png")
    assert len(list(tmp_path.iterdir())) == 2


def test_unknown_kinds_are_told(results):
    with pytest.raises(TargetError) as problem:
        SearchDisplay(results, kind="loss")
    assert str(problem.value) == (
        "kind='loss', cost='macs': kind must be one of 'rungs', 'cost', and cost one of 'macs', 'params', "
        "'epoch_seconds'."
    )
