"""What answers at once: no heavy package is loaded before it is needed, and the command line starts fast."""

import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "sklearn", "matplotlib", "pandas"}
HELP = ["-m", "depthwise", "--help"]
ANALYZE = ["-m", "depthwise", "analyze", "32C3-MP2-64C3-64C3-MP2-64N-10N", "--input", "1x28x28"]
CHECK = ["-m", "depthwise", "check", "16C3ps-16C3ps-MP2-32C3ps-GAP-10N", "--input", "1x14x14"]
DESIGN = ["-m", "depthwise", "design", "--input", "3x64x64", "--classes", "10", "--params", "1M"]
BARE_START = 0.02  # seconds that `python -c pass` takes on the 2-core machine for which the limits below are meant


def heavy_imports(*arguments: str, cwd=None) -> set[str]:
    """The heavy packages that a fresh ``python *arguments`` imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return HEAVY & {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}


def cpu_seconds(*arguments: str) -> float:
    """User and system time of ``python *arguments``, best of five: unlike the clock, it ignores busy neighbors."""
    best = float("inf")
    for _ in range(5):
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best


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


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell a child's processor time")
@pytest.mark.parametrize(("arguments", "seconds"), [(HELP, 0.3), (ANALYZE, 0.8)], ids=["help", "analyze"])
def test_the_command_line_answers_at_once(arguments, seconds):
    slower = max(1, cpu_seconds("-c", "pass") / BARE_START)
    assert min(cpu_seconds(*arguments) for _ in range(3)) < seconds * slower  # the machine may be busy
