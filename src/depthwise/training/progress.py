"""All that training prints: the network before it, a line an epoch, a live bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch

from depthwise.rules import Findings
from depthwise.tables import Cell, Column, Table, wants_color
from depthwise.training.history import EpochRecord
from depthwise.training.live import LiveBar, live_bar

if TYPE_CHECKING:
    from depthwise.training.estimator import NeuralNet

TABLE_VERBOSITY = 2
"""From here on, fit prints the table of layers first."""

MOST_COLUMNS = 3
"""Verbosity of the widest table there is."""

LARGEST_WRITTEN_OUT = 1e6
"""From here on a figure would be wider than its column: 1234567.00000."""

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


def architecture_problems(net: NeuralNet) -> Findings:
    """Errors and warnings of the rules, but those of an earlier training."""
    return Findings(tuple(finding for finding in net.findings_.problems if finding.code[:3] != "TRN"))


def findings_text(problems: Findings) -> str:
    """A paragraph each; training goes on all the same."""
    return f"{problems.text(prices=False)}\n`depthwise check` tells more.\n"


def greeting(net: NeuralNet) -> str:
    """How large the network is."""
    learnable = sum(parameter.numel() for parameter in net.module_.parameters() if parameter.requires_grad)
    return f"# Neural Network with {learnable} learnable parameters\n"


def choices_text(net: NeuralNet) -> str:
    """What was chosen where a parameter says ``"auto"`` or nothing."""
    optimizer = net.optimizer_
    fused = "fused " if any(group.get("fused") for group in optimizer.param_groups) else ""
    of_it = {
        "cpu": lambda: f" ({torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)})",
        "cuda": lambda: f" ({torch.cuda.get_device_name(net.device_)})",
    }.get(net.device_.type, str)
    return f"On {net.device_}{of_it()} in {net.precision_}, {fused}{type(optimizer).__name__}, seed {net.seed_}."


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def interrupted_text(n_epochs: int) -> str:
    """That training ended by hand."""
    if n_epochs == 0:
        return "Interrupted in the first epoch; what was learned is kept."
    return f"Interrupted after {n_epochs} full epoch{'s' * (n_epochs != 1)}; the network is that of the best one."


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
    if number is None:
        return ""
    return f"{number:.5f}" if abs(number) < LARGEST_WRITTEN_OUT else f"{number:.4e}"


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
    verbose
        Instead of the network's.
    """

    def __init__(
        self,
        net: NeuralNet,
        n_images: int,
        *,
        validates: bool,
        classifies: bool,
        scores: Sequence[str] = (),
        verbose: int | None = None,
    ) -> None:
        self.verbose = int(net.verbose) if verbose is None else verbose
        self.table = EpochTable(validates=validates, classifies=classifies, color=wants_color(), scores=scores)
        self.total = n_images
        self.bar: LiveBar | None = None
        if self.verbose < TABLE_VERBOSITY:
            self._print(greeting(net))
        else:
            self._print(f"{layer_info(net, self.verbose)}\n{choices_text(net)}\n")
        if self.verbose and (problems := architecture_problems(net)):
            self._print(findings_text(problems))
        self._print(self.table.head())

    def __enter__(self) -> Self:
        if self.verbose:
            self.bar = live_bar(self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    @property
    def on_batch(self) -> Callable[[int], None] | None:
        """What is to be called with the number of images of each batch: moves the bar on, if there is one."""
        return None if self.bar is None else self.bar.advance

    def epoch(self, record: EpochRecord) -> None:
        """Print the line of an epoch."""
        self._print(self.table.line(record))

    def verdict(self, findings: Findings) -> None:
        """Tell what was wrong with the training: errors and warnings, a paragraph each; nothing where nothing was."""
        if findings.problems:
            self._print(f"\n{Findings(findings.problems).text(prices=False)}\n")

    def interrupted(self, n_epochs: int) -> None:
        """Tell that training ended by hand."""
        self._print(interrupted_text(n_epochs))

    def _print(self, text: str) -> None:
        # While it runs, the bar has replaced stdout by one that prints above it.
        if self.verbose:
            say(text)
