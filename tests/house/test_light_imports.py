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


SLIPS = [
    "train nowhere --layers 8C3-N -o x.safetensors",
    "train digits --layers 8C3-XX -o x.safetensors",
    "train digits --layers 8C3-N -o no/such/folder/x.safetensors",
    "train digits --layers 8C3-N -o x.safetensors --schedule cosin",
    "train digits --layers 8C3-N -o x.safetensors --optimizer adm",
    "train digits --layers 8C3-N -o x.safetensors --augment flop",
    "train digits --layers 8C3-N -o x.safetensors --batch-size 0",
    "train digits --layers 8C3-N -o x.safetensors --epochs 0",
    "train digits --layers 8C3-N -o x.safetensors --size axb",
    "test nowhere.safetensors digits",
    "test {here} nowhere",
    "predict nowhere.safetensors digits",
    "predict {here} nowhere.png",
    "predict {here} nowhere.csv --submission s.csv",
    "predict {here} digits --submission no/such/folder/s.csv",
    "look {here} nowhere",
    "look {here} digits --what nothing",
    "look {here} digits -o {here}/look",
    "report {here} nowhere",
    "report nowhere.safetensors digits",
    "report {here} digits -o no/such/folder/r.html",
    "export nowhere.safetensors net.py",
    "export {here} no/such/folder/net.py",
    "search nowhere --params 10k",
    "search digits --params 10k -o no/such/folder/x.safetensors",
    "analyze nowhere.safetensors",
    "demo -o no/such/folder",
]
"""What is refused before PyTorch, scikit-learn and matplotlib are imported: they take seconds."""

MISTAKES = """
import sys
from depthwise.cli import main
for slip in sys.argv[1:]:
    sys.argv = ["depthwise", *slip.split()]
    try:
        main()
    except SystemExit as end:
        print(end.code, *sorted({"torch", "sklearn", "matplotlib"} & set(sys.modules)), slip)
"""


def test_a_slip_is_told_before_anything_heavy_is_imported(tmp_path):
    (tmp_path / "here.safetensors").write_bytes(b"as good as a network, until it is read")
    slips = [slip.format(here="here.safetensors") for slip in SLIPS]
    command = [sys.executable, "-c", MISTAKES, *slips]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [f"2 {slip}" for slip in slips]
    assert [path.name for path in tmp_path.iterdir()] == ["here.safetensors"]


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
