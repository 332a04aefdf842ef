"""How the learning rate moves: schedules by name, or any of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from depthwise.errors import TrainingError, did_you_mean

WARMUP_SHARE = 0.05
"""Share of the steps over which ``"warmup"`` and ``"warmup_cosine"`` rise, as 5 epochs of 90 (Goyal et al. 2017)."""
ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1 / 25e4
"""Share of the steps that rise, first and last factor: PyTorch's OneCycleLR, after Smith and Topin 2017."""
STEPS_AT, STEP_FACTOR = (1 / 2, 3 / 4), 0.1
"""Divide by ten after half and after three quarters of the steps (He et al. 2016, CIFAR-10: 32k and 48k of 64k)."""


def _fall(progress: float, start: float = 1.0, end: float = 0.0) -> float:
    """Half a period of a cosine, from `start` at 0 to `end` at 1."""
    return end + (start - end) * (1 + cos(pi * progress)) / 2


def _warm(progress: float) -> float:
    return min(progress / WARMUP_SHARE, 1.0)


def _one_cycle(progress: float) -> float:
    if progress < ONE_CYCLE_RISE:
        return _fall(progress / ONE_CYCLE_RISE, ONE_CYCLE_START, 1.0)
    return _fall((progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE), 1.0, ONE_CYCLE_END)


def _warmup_cosine(progress: float) -> float:
    if progress < WARMUP_SHARE:
        return _warm(progress)
    return _fall((progress - WARMUP_SHARE) / (1 - WARMUP_SHARE))


FACTORS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": _fall,
    "one_cycle": _one_cycle,
    "step": lambda progress: STEP_FACTOR ** sum(progress >= place for place in STEPS_AT),
    "warmup": _warm,
    "warmup_cosine": _warmup_cosine,
}
"""Factor of the learning rate, from 0 at the first step to 1 after the last."""

PLATEAU = "plateau"
SCHEDULES = (*FACTORS, PLATEAU)


class Schedule:
    """Moves an optimizer's learning rate.

    Parameters
    ----------
    schedule
        A name of :data:`SCHEDULES`, ``None`` for ``"constant"``, or a function of the optimizer that gives one of
        PyTorch's schedulers, which then goes on by one each epoch.
    optimizer
        Whose learning rate it is.
    n_steps
        Of the whole training.

    Raises
    ------
    TrainingError
        The name is unknown, or the function gives something else.

    Examples
    --------
    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> schedule = Schedule("cosine", optimizer, n_steps=2)
    >>> optimizer.step()
    >>> schedule.after_step()
    >>> round(schedule.learning_rate, 4)  # a quarter of the way from the end: the middle of the second step
    0.0146
    """

    def __init__(self, schedule: Any, optimizer: Optimizer, n_steps: int) -> None:
        self.optimizer = optimizer
        self.scheduler: LRScheduler | None = None
        self.by_steps = isinstance(schedule, str) and schedule in FACTORS
        if schedule is None or schedule == "constant":
            return
        if self.by_steps:
            factor = FACTORS[schedule]
            # The middle of each step, so that neither the first nor the last is lost where a factor is 0.
            self.scheduler = LambdaLR(optimizer, lambda step: factor(min((step + 0.5) / n_steps, 1.0)))
        elif schedule == PLATEAU:
            self.scheduler = ReduceLROnPlateau(optimizer)
        elif callable(schedule):
            self.scheduler = _made(schedule, optimizer)
        else:
            listed = ", ".join(map(repr, SCHEDULES))
            raise TrainingError(
                f"schedule is {schedule!r} but must be one of {listed}, or a function of the optimizer."
                f"{did_you_mean(schedule, SCHEDULES)}"
            )

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """Go on, if it goes by steps."""
        if self.by_steps and self.scheduler is not None:
            self.scheduler.step()

    def after_epoch(self, loss: float) -> None:
        """Go on, if it goes by epochs; `loss` is the validation loss, or that of training without one."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None and not self.by_steps:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {} if self.scheduler is None else self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another one stood."""
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state)


def _made(function: Callable[[Optimizer], Any], optimizer: Optimizer) -> LRScheduler:
    try:
        scheduler = function(optimizer)
    except TypeError as problem:
        raise TrainingError(
            f"schedule: {function!r} cannot be called with the optimizer alone ({problem}). "
            "Write for example functools.partial(torch.optim.lr_scheduler.StepLR, step_size=5)."
        ) from None
    if not isinstance(scheduler, (LRScheduler, ReduceLROnPlateau)):
        raise TrainingError(
            f"schedule: {function!r} gives a {type(scheduler).__name__}, but must give a scheduler of "
            "torch.optim.lr_scheduler."
        )
    return scheduler
