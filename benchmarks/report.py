"""Claim: the report of ResNet-18 with ten photographs of 224 pixels takes less than 15 seconds of an idle core.

Prints seconds, imports included, and the size of the page.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from machine import describe_machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
import torch
from odd_networks import ResNet18

from depthwise import __version__

SIDE, IMAGES = 224, 10


def main() -> None:
    """Measure, and print JSON."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = ResNet18().eval()
    images = np.random.default_rng(0).normal(size=(IMAGES, 3, SIDE, SIDE)).astype(np.float32)
    before, wall = time.process_time(), time.perf_counter()
    from depthwise.pages import report

    page = report(module, images, np.arange(IMAGES) % 5)
    found = {
        "depthwise": __version__,
        "torch": torch.__version__,
        "machine": describe_machine(),
        "core_seconds": round(time.process_time() - before, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "bytes": len(page.html.encode()),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
