"""Layer lists as text: ``"32C3-MP2-64C3-MP2-64N-10N"``, TOML files, and the textbook's pattern (read only).

The compact form is defined in :mod:`depthwise.notation.compact`, the pattern in :mod:`depthwise.notation.pattern`, the
file in :mod:`depthwise.notation.toml`.  Knows nothing of torch.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from depthwise.errors import NotationError
from depthwise.layers import Layer
from depthwise.notation.compact import read_compact
from depthwise.notation.pattern import read_pattern
from depthwise.notation.toml import read_toml, write_toml
from depthwise.notation.writing import write_layers

__all__ = ["read_layers", "read_toml", "write_layers", "write_toml"]

TOML_START = re.compile(r"\[\[?\s*layers\b|[\w.\"'-]+\s*=")
"""First line of a TOML text: the first layer or a key.  Neither of the other forms has an equals sign."""

PATH = re.compile(r"(?!.*->)(.*[/\\].*|.*\.[A-Za-z]\w*)")
"""A path: the compact form has no slash, and no point with a letter behind it."""


def read_layers(text_or_path: str | os.PathLike[str]) -> tuple[Layer, ...]:
    """Read a layer list from its compact form, a pattern, TOML text, or a path that ends in ``.toml``.

    Parameters
    ----------
    text_or_path
        ``"32C3-MP2-10N"``, ``"INPUT -> [CONV -> RELU]*2 -> FC"``, the text of a TOML file, or where such a file is.

    Raises
    ------
    NotationError
        The text is none of these, or holds a layer that cannot be; the message marks the place.

    Examples
    --------
    >>> read_layers("32C3-MP2-64C3s2ps-D0.25-10N")
    (Conv2D(32), MaxPool2D(), Conv2D(64, stride=2, padding='same'), Dropout(p=0.25), Output(units=10))
    >>> read_layers("INPUT -> [[CONV -> RELU] x 2 -> POOL]*1 -> FC")
    (Conv2D(32, padding='same'), Conv2D(32, padding='same'), MaxPool2D(), Output())
    >>> read_layers("32C3-XX2-10N")
    Traceback (most recent call last):
    depthwise.errors.NotationError: cannot read '32C3-XX2-10N' at character 6:
        32C3-XX2-10N
             ^
    'XX2' is no layer. Write one such as 32C3, MP2 or 64N; all letters: A, AP, BN, C, CB, D, DW, DWB, F, GAP, GMP, GN, \
IN, LR, MP, N, R(...), S, SB, SD, T, TB, UP, ZP.
    """
    if isinstance(text_or_path, os.PathLike):
        return _read_file(Path(text_or_path))
    if not isinstance(text_or_path, str):
        raise NotationError(
            f"a notation must be text or a path, not {text_or_path!r}. Write it as '32C3-MP2-10N', or hand over the "
            "layers themselves as a list."
        )
    text = text_or_path
    if text.strip().lower().endswith(".toml") and "\n" not in text.strip():
        return _read_file(Path(text.strip()))
    if _looks_like_toml(text):
        return read_toml(text)
    if PATH.fullmatch(text.strip()):
        return _read_file(Path(text.strip()))
    return read_pattern(text) if "->" in text else read_compact(text)


def _looks_like_toml(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return TOML_START.match(first) is not None


def _read_file(path: Path) -> tuple[Layer, ...]:
    if path.suffix.lower() != ".toml" and not os.path.exists(path):  # noqa: PTH110 -- which never raises
        raise NotationError(
            f"there is no file '{path}'. Give the path of one, or a notation such as 32C3-MP2-10N, which has no slash "
            "and no ending."
        )
    if path.suffix.lower() != ".toml":
        raise NotationError(
            f"cannot read the file '{path}': a layer list is stored as .toml. Write one with write_toml."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise NotationError(f"cannot read the file '{path}': {reason}. Give the path of a TOML text file.") from None
    try:
        return read_toml(text)
    except NotationError as problem:
        raise NotationError(f"file '{path}': {problem}") from None
