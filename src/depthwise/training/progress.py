"""All that training prints: the network before it, a line an epoch, a live bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from depthwise.rules import Findings
from depthwise.tables import Cell, Column, Table, wants_color
from depthwise.training.history import EpochRecord

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from depthwise.training.estimator import NeuralNet

TABLE_VERBOSITY = 2
"""From here on, fit prints the table of layers first."""

MOST_COLUMNS = 3
"""Verbosity of the widest table there is."""

SECONDS_WIDTH = len("21.84s")


class PrintLayerInfo:
    """Print the number of parameters and the table of layers; how much of it, ``net.verbose`` says.

    Examples
    --------
    >>> from depthwise.layers import Conv2D, Input, Output
    >>> from depthwise.training import NeuralNetClassifier
    >>> net = NeuralNetClassifier([Input((1, 8, 8)), Conv2D(2), Output(10)], verbose=1)
    >>> PrintLayerInfo()(net.initialize())
    # Neural Network with 750 learnable parameters
    <BLANKLINE>
    ## Layer information
    <BLANKLINE>
      #  name     size
    ---  -------  ------
      0  input0   1x8x8
      1  conv2d1  2x6x6
      2  output2  10
    <BLANKLINE>
    """

    def __call__(self, net: NeuralNet) -> None:
        print(layer_info(net, max(int(net.verbose), 1)))


def layer_info(net: NeuralNet, verbosity: int) -> str:
    """The greeting and the table of layers, as the tutorials have them."""
    if net.analysis_ is None:
        return greeting(net)
    return net.analysis_.table(min(verbosity, MOST_COLUMNS), color=wants_color())


def findings_text(net: NeuralNet) -> str:
    """Errors and warnings of the rules, a paragraph each; training goes on all the same."""
    problems = Findings(net.findings_.problems)
    return f"{problems.text(prices=False)}\n`depthwise check` tells more.\n"


def greeting(net: NeuralNet) -> str:
    """How large the network is."""
    learnable = sum(parameter.numel() for parameter in net.module_.parameters() if parameter.requires_grad)
    return f"# Neural Network with {learnable} learnable parameters\n"


class EpochTable:
    """Lines of the table of epochs, as nolearn printed them; columns that do not apply are left out.

    Parameters
    ----------
    validates
        Whether there is a validation set.
    classifies
        Whether there is an accuracy.
    color
        Mark the best train loss cyan and the best valid loss green.
    scores
        Names of further columns.
    """

    def __init__(self, *, validates: bool, classifies: bool, color: bool, scores: Sequence[str] = ()) -> None:
        self.color = color
        valid = ["valid loss", "train/val", *["valid acc"] * classifies, *scores] if validates else []
        numbers = [Column(title, "right") for title in ("epoch", "train loss", *valid)]
        self.columns = (*numbers, Column("dur", "left", SECONDS_WIDTH))

    def head(self) -> str:
        """Titles and the rule under them."""
        return Table(self.columns, []).text()

    def line(self, record: EpochRecord) -> str:
        """The line of one epoch."""
        cells: dict[str, str | Cell] = {
            "epoch": str(record.epoch),
            "train loss": Cell(_digits(record.train_loss), "cyan" if record.train_loss_best else None),
            "valid loss": Cell(_digits(record.valid_loss), "green" if record.valid_loss_best else None),
            "train/val": _digits(record.train_valid_ratio),
            "valid acc": _digits(record.valid_accuracy),
            "dur": f"{record.seconds:.2f}s",
        }
        row = [cells.get(column.title) or _digits(record.scores.get(column.title)) for column in self.columns]
        return Table(self.columns, [row]).text(self.color).splitlines()[-1]


def _digits(number: float | None) -> str:
    return "" if number is None else f"{number:.5f}"


class TrainingProgress:
    """What one fit prints; silent at ``verbose=0``.

    Parameters
    ----------
    net
        About to be trained.
    n_images
        Number of images that all epochs train on together.
    validates, classifies
        Whether there are a validation set and an accuracy.
    scores
        Names of further figures.
    """

    def __init__(
        self, net: NeuralNet, n_images: int, *, validates: bool, classifies: bool, scores: Sequence[str] = ()
    ) -> None:
        self.verbose = int(net.verbose)
        self.table = EpochTable(validates=validates, classifies=classifies, color=wants_color(), scores=scores)
        self.total = n_images
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self._print(layer_info(net, self.verbose) if self.verbose >= TABLE_VERBOSITY else greeting(net))
        if self.verbose and net.findings_.problems:
            self._print(findings_text(net))
        self._print(self.table.head())

    def __enter__(self) -> Self:
        if self.verbose and sys.stdout.isatty():
            self.bar = _bar()
            self.task = self.bar.add_task("", total=self.total)
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    @property
    def on_batch(self) -> Callable[[int], None] | None:
        """What is to be called with the number of images of each batch: moves the bar on, if there is one."""
        if self.bar is None or self.task is None:
            return None
        return partial(self.bar.advance, self.task)

    def epoch(self, record: EpochRecord) -> None:
        """Print the line of an epoch."""
        self._print(self.table.line(record))

    def interrupted(self, n_epochs: int) -> None:
        """Tell that training ended by hand."""
        self._print(f"Interrupted after {n_epochs} full epoch{'s' * (n_epochs != 1)}; what was learned is kept.")

    def _print(self, text: str) -> None:
        # While it runs, the bar has replaced stdout by one that prints above it.
        if self.verbose:
            print(text, flush=True)


def _bar() -> Progress:
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
