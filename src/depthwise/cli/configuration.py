"""What a repository wants checked: the table ``[tool.depthwise]`` of its pyproject.toml.

::

    [tool.depthwise]
    ignore = ["SHP005"]
    profile = "natural"

    [tool.depthwise.targets]
    "mynet.py:Net" = "3x224x224"
    "design.toml" = { input = "1x28x28", classes = 10, profile = "digits" }
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from depthwise.cli.options import read_shape
from depthwise.errors import RuleError, did_you_mean

FILE = "pyproject.toml"


@dataclass(frozen=True)
class Settings:
    """What a check is told; ``None`` and nothing are not told.

    Attributes
    ----------
    input
        Shape of one image, as ``1x28x28``.
    classes, loss, batch_size, profile, select, ignore
        As for :func:`depthwise.check`.
    """

    input: str | None = None
    classes: int | None = None
    loss: str | None = None
    batch_size: int | None = None
    profile: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def over(self, other: Settings) -> Settings:
        """These settings, and the other ones where these say nothing; what either ignores is ignored."""
        told = {entry.name: getattr(self, entry.name) or getattr(other, entry.name) for entry in fields(self)}
        return replace(self, **told | {"ignore": (*other.ignore, *self.ignore)})

    def options(self) -> dict[str, Any]:
        """As keyword arguments of :func:`depthwise.check`, without the shape."""
        told = {"n_outputs": self.classes, "loss": self.loss, "batch_size": self.batch_size}
        return {**told, "profile": self.profile or "natural", "select": self.select, "ignore": self.ignore}

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape, read."""
        return read_shape(self.input)


@dataclass(frozen=True)
class Configuration:
    """Settings for all targets, and the targets with their own."""

    common: Settings = Settings()
    targets: tuple[tuple[str, Settings], ...] = ()

    def of(self, target: str) -> Settings:
        """Settings of one target."""
        return dict(self.targets).get(target, Settings()).over(self.common)


def read_configuration(folder: Path) -> Configuration:
    """Read the nearest pyproject.toml in a folder or above it.

    Raises
    ------
    RuleError
        It cannot be read, or holds something that means nothing here.
    """
    path = next((place / FILE for place in (folder, *folder.parents) if (place / FILE).is_file()), None)
    if path is None:
        return Configuration()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise RuleError(f"{path} cannot be read: {problem}. Mend it, or run the command elsewhere.") from None
    tools = content.get("tool", {})
    _demand(isinstance(tools, dict), path, "tool", tools, "a table")
    table = tools.get("depthwise", {})
    _demand(isinstance(table, dict), path, "[tool.depthwise]", table, "a table")
    targets = table.pop("targets", {})
    _demand(isinstance(targets, dict), path, "targets", targets, 'a table such as "mynet.py:Net" = "3x224x224"')
    own = [
        (_from_here(target, path.parent), _settings({"input": each} if isinstance(each, str) else each, path))
        for target, each in targets.items()
    ]
    return Configuration(_settings(table, path), tuple(own))


def _from_here(target: str, folder: Path) -> str:
    """A target that is a file, which the configuration names from its own folder."""
    file, colon, name = target.rpartition(":") if ".py:" in target else (target, "", "")
    place = folder / file
    return f"{os.path.relpath(place)}{colon}{name}" if place.is_file() else target


TYPES = {"input": str, "classes": int, "loss": str, "batch_size": int, "profile": str, "select": list, "ignore": list}
WORDS = {str: "a text", int: "a whole number", list: "a list of codes"}


def _settings(table: object, path: Path) -> Settings:
    _demand(isinstance(table, Mapping), path, "a target", table, "an input shape or a table")
    assert isinstance(table, Mapping)
    told: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in TYPES:
            meant = did_you_mean(name, TYPES)
            raise RuleError(f"{path}: [tool.depthwise] has no {key!r}.{meant} It has: targets, {', '.join(TYPES)}.")
        fits = isinstance(value, TYPES[name]) and not isinstance(value, bool)
        codes = not isinstance(value, list) or all(isinstance(code, str) for code in value)
        _demand(fits and codes, path, key, value, WORDS[TYPES[name]])
        told[name] = tuple(value) if isinstance(value, list) else value
    return Settings(**told)


def _demand(ok: bool, path: Path, key: str, value: object, wanted: str) -> None:
    if not ok:
        raise RuleError(f"{path}: {key} is {value!r} but must be {wanted}.")
