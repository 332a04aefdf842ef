"""What answers at once: no heavy package is loaded before it is needed, and the command line starts fast."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "sklearn", "matplotlib", "pandas"}
COMMAND_LINE = {"__main__", "cli", "errors", "files", "tables"}
HELP = ["-m", "depthwise", "--help"]
ANALYZE = ["-m", "depthwise", "analyze", "32C3-MP2-64C3-64C3-MP2-64N-10N", "--input", "1x28x28"]
CHECK = ["-m", "depthwise", "check", "16C3ps-16C3ps-MP2-32C3ps-GAP-10N", "--input", "1x14x14"]
DESIGN = ["-m", "depthwise", "design", "--input", "3x64x64", "--classes", "10", "--params", "1M"]


def imported(*arguments: str, cwd=None) -> set[str]:
    """The modules that a fresh ``python *arguments`` imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}


def heavy_imports(*arguments: str, cwd=None) -> set[str]:
    """The heavy packages among them."""
    return HEAVY & {name.partition(".")[0] for name in imported(*arguments, cwd=cwd)}


@pytest.mark.parametrize(
    "room", ["", ".layers", ".graph", ".analysis", ".notation", ".network", ".rules", ".designer", ".mending"]
)
def test_a_light_room_imports_nothing_heavy(room):
    assert not heavy_imports("-c", f"import depthwise{room}")


@pytest.mark.parametrize("arguments", [HELP, ANALYZE, CHECK, DESIGN], ids=["help", "analyze", "check", "design"])
def test_the_command_line_imports_nothing_heavy(arguments):
    assert not heavy_imports(*arguments)


def test_a_heavy_import_is_seen(tmp_path):
    (tmp_path / "room.py").write_text("def build():\n    import torch.nn\n")
    assert not heavy_imports("-c", "import room", cwd=tmp_path)
    assert "torch" in heavy_imports("-c", "import room; room.build()", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "rooms"),
    [
        (HELP, COMMAND_LINE),
        (ANALYZE, COMMAND_LINE | {"network", "targets", "graph", "analysis", "notation", "nodes", "layers"}),
    ],
    ids=["help", "analyze"],
)
def test_the_command_line_enters_no_room_that_it_does_not_need(arguments, rooms):
    """What keeps it quick; how quick it is, ``benchmarks/start.py`` tells."""
    assert {name.split(".")[1] for name in imported(*arguments) if name.startswith("depthwise.")} <= rooms
