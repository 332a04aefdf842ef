"""What moves while an epoch runs: a bar on a terminal, one line in a notebook, nothing elsewhere."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS_BETWEEN = 0.25
"""Of two updates in a notebook; each travels to the browser."""


class LiveBar(Protocol):
    """Shows how many images are done, how fast it goes, and how long it will take."""

    def advance(self, n_images: int) -> None:
        """So many more are done."""

    def stop(self) -> None:
        """Take it away."""


def live_bar(n_images: int) -> LiveBar | None:
    """The bar for where this runs, if there is one.

    >>> live_bar(100) is None  # neither a terminal nor a notebook
    True
    """
    if sys.stdout.isatty():
        return _TerminalBar(n_images)
    if _in_notebook():
        return _NotebookBar(n_images)
    return None


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; IPython is asked only if it is there already."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class _TerminalBar:
    def __init__(self, n_images: int) -> None:
        self.progress = _rich_progress()
        self.task = self.progress.add_task("", total=n_images)
        self.progress.start()

    def advance(self, n_images: int) -> None:
        self.progress.advance(self.task, n_images)

    def stop(self) -> None:
        self.progress.stop()


class _NotebookBar:
    """One line that changes in its place."""

    def __init__(self, n_images: int) -> None:
        self.total, self.done = n_images, 0
        self.start = self.shown = perf_counter()
        self.handle: Any = sys.modules["IPython"].display.display(_Text(""), display_id=True)

    def advance(self, n_images: int) -> None:
        self.done += n_images
        now = perf_counter()
        if now - self.shown < SECONDS_BETWEEN:
            return
        self.shown = now
        speed = self.done / (now - self.start)
        minutes, seconds = divmod(round((self.total - self.done) / speed), 60)
        self.handle.update(_Text(f"{self.done / self.total:.0%}  {speed:,.0f} images/s  {minutes}:{seconds:02} left"))

    def stop(self) -> None:
        self.handle.update(_Text(""))


class _Text:
    """Shown as it is, without quotation marks."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _rich_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} images/s")

    columns = (BarColumn(), TaskProgressColumn(), Speed(), TimeRemainingColumn())
    # A console of its own reads NO_COLOR and the width now; rich's global one did when it was first used.
    return Progress(*columns, console=Console(), transient=True)
