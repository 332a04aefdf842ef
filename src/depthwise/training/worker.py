"""One of the processes that a fit with ``processes=`` starts: ``python -P worker.py FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

SECONDS_BETWEEN = 0.5
"""Of two looks whether the process that has started this one is still there."""


def main(folder: Path) -> int:
    """Train as the job in a folder says; tell what goes wrong there."""
    if (folder / "failure.pickle").exists():
        return 0  # all were started again, but would fail again
    # Ctrl-C ends it at once: what counts is the state after the last whole epoch.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    from sklearn.exceptions import ConvergenceWarning

    from depthwise.errors import LostProcessError
    from depthwise.training.parallel import Job, report_failure

    warnings.simplefilter("ignore", ConvergenceWarning)  # told again by the process that asked for this training
    try:
        job = Job.read(folder)
        job.net.fit(job.X, job.y, job.sample_weight, resume=job.resume)
    except LostProcessError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except Exception as problem:
        report_failure(folder, problem)
        return 1
    return 0


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
