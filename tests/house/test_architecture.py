"""The house is as MAP.md and pyproject.toml say: small files, named rooms, imports that only go down."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import depthwise

REPO = Path(__file__).resolve().parents[2]
SRC = REPO / "src" / "depthwise"
FILES = sorted(SRC.rglob("*.py"))

MAX_FILE = 400
MAX_FUNCTION = 50  # its docstring not counted: explaining is free
# These two may only shrink.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS = {"training/neural_net.py:__init__"}  # scikit-learn: a constructor stores each argument, one a line
NO_NAMES = {"utils", "common", "helpers", "core", "base", "misc"}

PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
STACK = [[room.strip(" ()") for room in storey.split("|")] for storey in CONTRACTS["rooms are stacked"]["layers"]]


def rooms_on_disk() -> set[str]:
    """Every top-level file and folder but the dunder files, as MAP.md writes them: 'graph.py', 'layers/'."""
    files = {path.name for path in SRC.glob("*.py") if not path.name.startswith("__")}
    return files | {f"{path.parent.name}/" for path in SRC.glob("*/*.py")}


def room_names() -> set[str]:
    return {room.removesuffix(".py").removesuffix("/") for room in rooms_on_disk()}


def function_lengths(source: str) -> dict[str, int]:
    """Lines of every function, nested ones and methods too, without its docstring."""
    lengths = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            free = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
            lengths[node.name] = max(lengths.get(node.name, 0), node.end_lineno - node.lineno + 1 - free)
    return lengths


def rooms_of_map(text: str) -> set[str]:
    """The outermost names in the tree under the heading '## The rooms'."""
    block = re.search(r"^## The rooms\s*$.*?^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block, "no tree in a fenced block under '## The rooms'"
    found = re.findall(r"^([ │├└─|`+-]*)(\w+(?:\.py|/))(?=\s|$)", block[1], re.MULTILINE)
    outermost = min(len(indent) for indent, _ in found)
    return {name for indent, name in found if len(indent) == outermost and not name.startswith("__")}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of the folder's pyproject.toml on the package that is found from there first."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_files_are_short():
    long = {f"{path.relative_to(SRC)}" for path in FILES if len(path.read_text("utf-8").splitlines()) > MAX_FILE}
    assert long == LONG_FILES


def test_functions_are_short():
    long = {
        f"{path.relative_to(SRC)}:{name}"
        for path in FILES
        for name, length in function_lengths(path.read_text("utf-8")).items()
        if length > MAX_FUNCTION
    }
    assert long == LONG_FUNCTIONS


def test_a_long_function_is_seen_and_its_docstring_is_free():
    body = "        x = 1\n" * 60
    method = f'class A:\n    def long(self):\n        """One.\n\n        Two.\n        """\n{body}'
    assert function_lengths(method) == {"long": 61}


def test_every_name_says_what_is_inside():
    parts = {part.strip("_") for path in FILES for part in path.relative_to(SRC).with_suffix("").parts}
    assert not parts & NO_NAMES


def test_no_room_bears_the_name_of_a_public_function():
    # Importing a submodule puts it into the package's namespace, over the function of that name.
    assert not room_names() & set(depthwise.__all__)


def test_map_names_the_rooms_on_disk():
    assert rooms_of_map((REPO / "MAP.md").read_text("utf-8")) == rooms_on_disk()


def test_the_map_is_read_without_its_comments_and_inner_rooms():
    tree = "src/depthwise/\n  __init__.py  x\n  graph.py  see layers/\n  layers/\n    ops.py\n  cli/  verbs\n"
    text = f"# Map\n```\nother.py\n```\n## The rooms\nFrom the top:\n\n```text\n{tree}```\n## More\n```\nlast.py\n```\n"
    assert rooms_of_map(text) == {"graph.py", "layers/", "cli/"}


def test_imports_go_down():
    run = lint_imports(REPO)
    assert run.returncode == 0, run.stdout + run.stderr


def test_torch_free_rooms_are_named_in_the_contract():
    lowest = {room for storey in STACK[STACK.index(["designer"]) :] for room in storey}
    contract = CONTRACTS["from designer down, nothing knows torch"]
    assert {f"depthwise.{room}" for room in lowest & room_names()} == set(contract["source_modules"])


@pytest.fixture
def model_house(tmp_path: Path) -> Path:
    """An empty file for every room, under the true contracts."""
    (tmp_path / "pyproject.toml").write_bytes((REPO / "pyproject.toml").read_bytes())
    package = tmp_path / "depthwise"
    package.mkdir()
    for room in ["__init__", *(room for storey in STACK for room in storey)]:
        (package / f"{room}.py").touch()
    return tmp_path


def test_an_empty_house_keeps_the_contracts(model_house):
    run = lint_imports(model_house)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("layers", "from depthwise import graph"),
        ("graph", "from depthwise.notation import parse"),
        ("analysis", "import torch"),
        ("tables", "def show():\n    import numpy as np"),
        ("training", "import matplotlib.pyplot as plt"),
        ("garage", ""),
    ],
)
def test_a_broken_contract_is_seen(model_house, room, planted):
    (model_house / "depthwise" / f"{room}.py").write_text(planted + "\n")
    run = lint_imports(model_house)
    assert run.returncode == 1
    assert f"depthwise.{room}" in run.stdout
