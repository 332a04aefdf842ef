"""Claim: checking a layer list takes under 5 ms, and imports no torch.

Prints the best of several runs for networks with few and with many findings, printing of the findings included or not.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe_machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from tutorial_networks import DIGITS, NET1, NET2, NET3, NET4

from depthwise import __version__
from depthwise.network import check

ROUNDS, REPEATS = 7, 30


def milliseconds(call: Callable[[], object]) -> float:
    """Best mean of several rounds, after a warm-up."""
    call()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(REPEATS):
            call()
        best = min(best, (time.perf_counter() - start) / REPEATS)
    return 1000 * best


def main() -> None:
    """Measure, and print JSON."""
    networks = {"shallow": NET1, "little pooling": NET2, "much pooling": NET3, "good compromise": NET4}
    results = {
        name: {
            "layers": len(layers),
            "findings": len(check(layers, DIGITS)),
            "check_ms": round(milliseconds(lambda layers=layers: check(layers, DIGITS)), 2),
            "check_and_print_ms": round(milliseconds(lambda layers=layers: str(check(layers, DIGITS))), 2),
        }
        for name, layers in networks.items()
    }
    facts = {
        "python": platform.python_version(), "machine": describe_machine(), "depthwise": __version__,
        "rounds": ROUNDS, "repeats": REPEATS, "torch_imported": "torch" in sys.modules,
    }  # fmt: skip
    print(json.dumps({**facts, "results": results}, indent=2))


if __name__ == "__main__":
    main()
