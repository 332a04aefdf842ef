"""docs/data.md: its Python runs on files of the kinds it tells of."""

import re
from pathlib import Path

import numpy as np
import pytest

import depthwise
from depthwise import data

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch, write_picture):
    for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/1.png"]):
        write_picture(f"photos/{name}", 10 * i, size=(40, 30))
    (tmp_path / "files.csv").write_text("file,label\nphotos/cat/1.png,cat\nphotos/dog/1.png,dog\n")
    rows = np.random.default_rng(0).integers(0, 256, (20, 64))
    pixels = ",".join(f"pixel{i}" for i in range(64))
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    (tmp_path / "test.csv").write_text("\n".join([pixels, *lines]))
    (tmp_path / "train.csv").write_text("\n".join([f"label,{pixels}", *(f"{i % 2},{x}" for i, x in enumerate(lines))]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_python_runs(folder, monkeypatch):
    for name in ("datasets", "find_duplicates", "write_submission"):
        monkeypatch.setattr(depthwise, name, getattr(data, name), raising=False)
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(block, names)
    assert len(names["test"]) == 20 and names["test"].y is None
    assert (folder / "submission.csv").read_text().startswith("ImageId,Label\n1,")
    assert len(list((folder / "decoded").iterdir())) == 2


def test_it_names_every_form():
    links = re.findall(r"\]\(#([a-z-]+)\)", PAGE)
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)}
    assert set(links) <= headings
    assert {f"`{word}`" in PAGE for word in data.words.WORDS} == {True}
