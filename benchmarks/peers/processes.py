"""The benchmark's end of the wire: peers in processes of their own, ratios of what they did, and the machine.

Absolute figures wander with what else the machine does.  Ratios of turns that follow each other do not: every claim is
a median of ratios, round by round.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from machine import cpuinfo, describe_machine

PROGRAMS = Path(__file__).resolve().parent
SOURCE = PROGRAMS.parents[1] / "src"
BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}
"""As Linux calls the instructions in /proc/cpuinfo."""


class Peer:
    """A program that trains and predicts when it is asked to; its first epoch is done when it is there.

    Parameters
    ----------
    program
        ``torch`` for ``train_with_torch.py``.
    arguments
        ``net``, ``images``, ``threads``, ``tuned``, ``bfloat16``, ``clock``, as in :class:`turns.Task`.
    environment
        Folder of its virtual environment; ``None`` for the one that runs now, which knows depthwise.
    backend
        Of Keras.

    Attributes
    ----------
    first
        What it told of its first epoch.
    """

    def __init__(
        self, program: str, arguments: dict[str, Any], environment: Path | None = None, backend: str | None = None
    ) -> None:
        self.name = program
        flags = [f"--{key}" for key, value in arguments.items() if value is True]
        pairs = [f"--{key}={value}" for key, value in arguments.items() if not isinstance(value, bool)]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # as long as the process
        self._process = subprocess.Popen(
            [python_of(environment), str(PROGRAMS / f"train_with_{program}.py"), *pairs, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=variables(arguments["threads"], environment, backend),
        )
        self.first = self._read()

    def turn(self, word: str) -> dict[str, Any]:
        """Let it ``train`` an epoch or ``predict`` all images; what it tells."""
        self._write(word)
        return self._read()

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._write("stop")
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self.name} ended with status {self._process.returncode}:\n{self._errors.read()}")
        told: dict[str, Any] = json.loads(line)
        return told


def python_of(environment: Path | None) -> str:
    """The interpreter of a virtual environment."""
    return sys.executable if environment is None else str(environment / "bin" / "python")


def variables(threads: int, environment: Path | None, backend: str | None = None) -> dict[str, str]:
    """Environment variables of a peer: only ours sees our packages."""
    own = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
    known = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if environment is None:
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(SOURCE)]))
    return known | own | ({"KERAS_BACKEND": backend} if backend else {})


def fresh(code: str, threads: int, environment: Path | None = None, backend: str | None = None) -> Any:
    """Run code in a process of its own; the JSON of the last line that it prints."""
    run = subprocess.run(
        [python_of(environment), "-c", code],
        env=variables(threads, environment, backend),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{code}\nended with status {run.returncode}:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def seconds_to_import(statement: str, clock: str, *where: Any) -> float:
    """Median over fresh processes, made as by :func:`fresh`; one before them compiles bytecode."""
    code = f"from time import {clock} as now; start = now(); {statement}; print(now() - start)"
    return statistics.median([fresh(code, *where) for _ in range(6)][1:])


def times_faster(seconds: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """How many times less time was taken than by another, round by round."""
    ratios = sorted(other / own for own, other in zip(seconds, others, strict=True))
    return {"median": statistics.median(ratios), "least": ratios[0], "most": ratios[-1]}


def judge(
    name: str, wanted: float, measured: float | None, *, at_most: bool = False, bfloat16: bool = False
) -> dict[str, Any]:
    """A target beside its figure; `bfloat16` says that it was set for processors that multiply it natively."""
    if measured is None:
        verdict = "not measured"
    elif bfloat16 and not multiplies_bfloat16():
        verdict = "needs bf16 hardware"
    else:
        verdict = "met" if (measured <= wanted if at_most else measured >= wanted) else "missed"
    return {"target": name, "at_most" if at_most else "at_least": wanted, "measured": measured, "verdict": verdict}


def target_lines(targets: Sequence[dict[str, Any]]) -> str:
    """The targets, their figures and verdicts."""
    lines = []
    for target in targets:
        wanted = f"<= {target['at_most']:g}" if "at_most" in target else f">= {target['at_least']:g}"
        measured = "-" if target["measured"] is None else f"{target['measured']:.3f}"
        lines.append(f"{target['target']:<64}{wanted:>9}{measured:>10}  {target['verdict']}")
    return "\n".join(lines)


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it."""
    return bool(BFLOAT16_FLAGS & set(cpuinfo("flags").split()))


def machine(threads: int, clock: str) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other things."""
    return {
        **describe_machine(threads),
        "multiplies_bfloat16": multiplies_bfloat16(),
        "clock": clock,
        "system": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }
