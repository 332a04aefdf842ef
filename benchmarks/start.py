"""Claim: ``import depthwise`` takes under 0.1 s, ``depthwise --help`` under 0.3 s, ``analyze`` under 0.5 s.

Each is started afresh, in turns with a bare ``python -c pass``; medians of the wall clock, and of the processor's time,
which says more on a busy machine.

python benchmarks/start.py --rounds 15
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from machine import describe_machine

RESULTS = Path(__file__).resolve().parent / "results" / "start.json"
SHAPE = ["--input", "1x28x28"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import depthwise": ["-c", "import depthwise"],
    "depthwise --help": ["-m", "depthwise", "--help"],
    "depthwise analyze": ["-m", "depthwise", "analyze", "32C3-MP2-64C3-64C3-MP2-64N-10N", *SHAPE],
    "depthwise check": ["-m", "depthwise", "check", "16C3ps-16C3ps-MP2-32C3ps-GAP-10N", *SHAPE],
    "depthwise design": ["-m", "depthwise", "design", "--input", "3x64x64", "--classes", "10", "--params", "1M"],
}


def start(arguments: list[str]) -> tuple[float, float]:
    """Seconds of the wall clock and of the processor of one fresh process."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: check found something
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    machine = describe_machine()
    turns = [{name: start(command) for name, command in COMMANDS.items()} for _ in range(rounds + 1)][1:]
    figures = {}
    for name in COMMANDS:
        wall, cpu = (
            round(statistics.median(seconds), 3) for seconds in zip(*(turn[name] for turn in turns), strict=True)
        )
        figures[name] = {"wall_s": wall, "cpu_s": cpu}
    for name, figure in figures.items():
        print(f"{name:<20}{figure['wall_s']:>8.3f} s{figure['cpu_s']:>8.3f} s of the processor")
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": {"python": platform.python_version(), "typer": version("typer")},
        "rounds": rounds,
        "medians": figures,
    }
    RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
