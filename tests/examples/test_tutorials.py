"""The five tutorials: every cell has its place in examples/, and each example runs."""

import importlib.util
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

CELLS = {
    "going_deep.py": ("000", [*range(1, 16), 22, 23, 25, 26, 27, 31, 32, 33]),
    "mnist_tutorial.py": ("001", [*range(1, 40)]),
    "convnet_arithmetic.py": ("002", [1, 2]),
    "neural_architecture.py": ("003", [*range(1, 18)]),
    "cifar10_take_two.py": ("004", [*range(1, 15)]),
}
"""Numbered cells of each document; blocks of code without a number are counted in order."""

OPEN: dict[tuple[str, int], str] = {}
"""Cells that wait for an issue.  May only shrink."""


def marked(name):
    """Cells that an example marks, and the issue that the open ones wait for."""
    done, waiting = set(), {}
    for line in (EXAMPLES / name).read_text().splitlines():
        if "# cell " not in line:
            continue
        cells = [(number, int(cell)) for number, cell in re.findall(r"\b(00\d):(\d+)", line)]
        done.update(cells)
        if issue := re.search(r'comes with the issue "([^"]+)"', line):
            waiting.update(dict.fromkeys(cells, issue[1]))
    return done, waiting


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_has_a_marked_line(name):
    number, cells = CELLS[name]
    done, _ = marked(name)
    assert done == {(number, cell) for cell in cells}


def test_the_open_cells_are_known():
    waiting = {}
    for name in CELLS:
        waiting.update(marked(name)[1])
    assert waiting == OPEN


def run(name, tmp_path, monkeypatch, **arguments):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(quick=True, **arguments)


@pytest.mark.parametrize("name", ["going_deep.py", "convnet_arithmetic.py"])
def test_examples_without_data_run(name, tmp_path, monkeypatch, capsys):
    run(name, tmp_path, monkeypatch)
    assert capsys.readouterr().out.count("===") >= 8


@pytest.mark.parametrize(("name", "pictures"), [
    ("mnist_tutorial.py", {
        "mnist-samples.png", "mnist-architecture.svg", "mnist-history.png",
        "mnist-weights.png", "mnist-activity.png", "mnist-occlusion.png",
        "mnist-saliency.png",
    }),
    ("neural_architecture.py", {"samples.png", "kernels-1.png", "activations-1.png", "kernels.png"}),
])  # fmt: skip
def test_examples_on_mnist_run(name, pictures, tmp_path, monkeypatch, capsys, data_dir):
    run(name, tmp_path, monkeypatch, path=str(data_dir / "mnist"))
    assert {path.name for path in tmp_path.iterdir()} == pictures
    assert "epoch" in capsys.readouterr().out


def test_the_cifar_example_runs(tmp_path, monkeypatch, capsys):
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in "abcdefghij":
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for place in range(4):
                pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{place}.png")
    run("cifar10_take_two.py", tmp_path, monkeypatch, path=str(tmp_path))
    out = capsys.readouterr().out
    assert "646,260" in out and "15,120" in out and "591,914 parameters (and 640 running statistics" in out
