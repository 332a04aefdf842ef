"""What a figure was measured on, for the record beside it.

>>> python benchmarks/machine.py
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any


def describe_machine(threads: int | None = None, **more: Any) -> dict[str, Any]:
    """Processor, cores, load of the last minute, and what a script adds to them."""
    found = {"processor": cpuinfo("model name") or platform.processor() or platform.machine(), "cores": os.cpu_count()}
    return {**found, **({} if threads is None else {"threads_used": threads}), "load": os.getloadavg()[0], **more}


def cpuinfo(key: str) -> str:
    """What Linux tells of the first core; nothing elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key), "")


if __name__ == "__main__":
    print(json.dumps(describe_machine(), indent=1))
