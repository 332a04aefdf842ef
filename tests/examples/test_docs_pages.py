"""The code on the pages of docs/ runs, in order, and prints what is shown."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest

from depthwise.training.schedules import FACTORS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("training.md", "from-nolearn.md", "from-keras.md", "from-skorch.md")
"""Pages whose ``python`` blocks are one program; blocks of other libraries are marked ``py``."""


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    names = {"__name__": page}
    assert blocks(page, "python")
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    for shown in blocks(page, "text"):
        for line in shown.splitlines():
            assert line in printed


def test_the_table_of_schedules_is_that_of_the_code():
    rows = [line.strip("| ").split(" | ") for line in (DOCS / "training.md").read_text().splitlines() if "|" in line]
    (head,) = (row for row in rows if row[0] == "`schedule`")
    places = [int(cell.removesuffix(" %")) / 100 for cell in head[1:]]
    told = {row[0].strip('`"'): row[1:] for row in rows if row[0].strip('`"') in FACTORS and len(row) == len(head)}
    assert told == {name: [f"{factor(place):.2g}" for place in places] for name, factor in FACTORS.items()}
