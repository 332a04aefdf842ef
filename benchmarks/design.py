"""Claim: the designer answers for 224x224 images under three budgets in under a second, and imports no torch.

Prints the first and the best of several runs, the table with its explanation included; later runs find most pieces
priced already.
"""

from __future__ import annotations

import json
import platform
import sys
import time

from machine import describe_machine

from depthwise import __version__
from depthwise.designer import Budget, design

ROUNDS = 5
BUDGET = Budget(params=10e6, macs=2e9, activation_bytes=24e6)
CASES = {
    "224x224, three budgets": ((3, 224, 224), {"budget": BUDGET}),
    "224x224, three budgets and memory of training": (
        (3, 224, 224),
        {"budget": Budget(params=10e6, macs=2e9, activation_bytes=24e6, training_memory=8e9)},
    ),
    "224x224, residual": ((3, 224, 224), {"budget": BUDGET, "block": "residual", "norm": "batch"}),
    "224x224, separable, strided": (
        (3, 224, 224),
        {"budget": BUDGET, "block": "separable", "downsampling": "stride", "norm": "batch"},
    ),
    "224x224, unpadded": ((3, 224, 224), {"budget": BUDGET, "padding": "valid"}),
    "224x448, three budgets": ((3, 224, 448), {"budget": BUDGET}),
    "401x401, three budgets": ((3, 401, 401), {"budget": Budget(params=10e6, macs=4e9, activation_bytes=48e6)}),
    "224x224, no budget": ((3, 224, 224), {}),
}


def main() -> None:
    """Measure, and print JSON."""
    results = {}
    for name, (shape, options) in CASES.items():
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            designs = design(shape, 10, **options)
            text = str(designs)
            seconds.append(time.perf_counter() - start)
        results[name] = {
            "designs": len(designs), "deepest": designs.best.depth, "first_seconds": round(seconds[0], 3),
            "best_seconds": round(min(seconds), 3), "lines": len(text.splitlines()),
        }  # fmt: skip
    facts = {
        "python": platform.python_version(), "machine": describe_machine(), "depthwise": __version__,
        "rounds": ROUNDS, "torch_imported": "torch" in sys.modules,
    }  # fmt: skip
    print(json.dumps({**facts, "results": results}, indent=2))


if __name__ == "__main__":
    main()
