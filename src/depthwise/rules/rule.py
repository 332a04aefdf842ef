"""What a rule is: a code, a name, reasons, two examples that are run as tests, and a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from depthwise.analysis.health import TrainingHealth
from depthwise.layers import Layer
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Finding, Remedy, Severity, name_run

Profile = Literal["natural", "digits", "segmentation", "detection"]
PROFILES: tuple[Profile, ...] = ("natural", "digits", "segmentation", "detection")
"""What the images and the task are like: photographs, handwriting with an empty border, networks without classifier."""

CLASSIFIERS: tuple[Profile, ...] = ("natural", "digits")

FAMILIES = {
    "SHP": "shapes",
    "CAP": "capacity",
    "COV": "coverage",
    "CST": "cost",
    "NRM": "norms",
    "ACT": "activations",
    "REG": "regularization",
    "HED": "head",
    "TRN": "training",
}
"""Prefix of the codes -> family."""

Need = Literal["analysis", "n_outputs", "loss", "batch_size", "health"]

NEEDS: dict[Need, str] = {
    "analysis": "the network does not fit to the images",
    "n_outputs": "the number of classes is not given",
    "loss": "the loss is not given",
    "batch_size": "the batch size is not given",
    "health": "no training was recorded",
}
"""Facts that may be missing -> why a rule that needs one is not applicable."""


@dataclass(frozen=True)
class Example:
    """A network for one image size, with the facts that a rule may ask for."""

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    n_outputs: int | None = None
    loss: str | None = None
    batch_size: int | None = None
    health: TrainingHealth | None = None


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    code, name
        ``CAP001`` for selecting, ``low-capacity`` for reading: the pattern, not the cure.  A code is never reused.
    severity
        The gravest that its findings may have.
    title
        What it finds, in one sentence.
    why
        Why that is bad, with thresholds.
    source
        Where this is known from.
    bad, good
        A network that breaks the rule, and the same one mended, which keeps all rules.
    needs
        Facts without which it is not applicable.
    profiles
        Kinds of images and tasks in which it makes sense.
    note
        Known networks on which it speaks, and what to think of it there.
    """

    code: str
    name: str
    severity: Severity
    title: str
    why: str
    source: str
    bad: Example
    good: Example
    check: Callable[[Facts], Iterable[Finding]] = field(repr=False)
    needs: tuple[Need, ...] = ("analysis",)
    profiles: tuple[Profile, ...] = PROFILES
    note: str = ""

    @property
    def family(self) -> str:
        """What its codes are about."""
        return FAMILIES[self.code[:3]]

    def why_not_applicable(self, facts: Facts) -> str | None:
        """Why it has nothing to say here, or ``None``."""
        if facts.profile not in self.profiles:
            return f"it makes no sense with profile {facts.profile!r}"
        return next(
            (reason for need, reason in NEEDS.items() if need in self.needs and getattr(facts, need) is None), None
        )

    def finding(
        self,
        layers: Iterable[str],
        message: str,
        why: str = "",
        remedies: Iterable[Remedy | None] = (),
        *,
        severity: Severity | None = None,
        place: str | None = None,
    ) -> Finding:
        """A finding of this rule; remedies that are ``None`` are left out."""
        names = tuple(dict.fromkeys(layers))
        kept = tuple(remedy for remedy in remedies if remedy is not None)
        where = name_run(names) if place is None else place
        return Finding(self.code, self.name, severity or self.severity, names, where, message, why, kept)


def rule(
    code: str,
    severity: Severity,
    *,
    title: str,
    why: str,
    source: str,
    bad: Example,
    good: Example,
    needs: tuple[Need, ...] = ("analysis",),
    profiles: tuple[Profile, ...] = PROFILES,
    note: str = "",
) -> Callable[[Callable[[Facts], Iterator[Finding]]], Rule]:
    """Make a function a rule that is called after it: ``low_capacity`` becomes ``low-capacity``."""

    def make(check: Callable[[Facts], Iterator[Finding]]) -> Rule:
        name = check.__name__.replace("_", "-")
        return Rule(code, name, severity, title, why, source, bad, good, check, needs, profiles, note)

    return make
