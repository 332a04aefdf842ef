"""Tables of pixels, a row an image: CSV files as Kaggle's digit recognizer hands them out.

Rows are ``[label,] pixels``.  Pixels are square images, row by row: s x s values are grey, s x s x 3 are red, green and
blue of one pixel after another.  Without a header a row of one value more than that begins with its label.  A header
names what is no pixel: a column called label, class, target or y holds the labels, first or last; one called id, index
or nothing is left out.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import isqrt
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise.data.csv_lines import LABELS, Line, fields_of, is_table, lines_of, separator_of
from depthwise.data.image_set import ImageSet
from depthwise.data.layout import read_labels
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import choose_split
from depthwise.data.streams import opened
from depthwise.errors import DataError

_IDS = ("", "id", "imageid", "image_id", "index", "unnamed: 0")  # the last is how pandas reads a nameless column


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What stands where in a row."""

    before: tuple[str, ...]  # "label" or "id", in front of the pixels
    pixels: int
    after: tuple[str, ...]

    @property
    def n_fields(self) -> int:
        return len(self.before) + self.pixels + len(self.after)


_NO_LINE = Line(0, "")


@dataclass(kw_only=True)
class _Table:
    """The rows of a file on their way to the parser, which gets the pixels alone."""

    path: Path
    lines: Iterator[Line]
    separator: str
    row: _Row
    pointed: bool  # whether pixels are written as 12.0
    labels: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # of the lines, one a row
    line: Line = _NO_LINE

    def pixels(self) -> Iterator[str]:
        n_before, n_after = len(self.row.before), len(self.row.after)
        for line in self.lines:
            self.line = line
            self.numbers.append(line.number)
            *before, text = line.text.split(self.separator, n_before)
            text, *after = text.rsplit(self.separator, n_after)
            for role, value in zip((*self.row.before, *self.row.after), (*before, *after), strict=False):
                if role == "label":
                    self.labels.append(value.strip().strip('"'))
            yield text


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a CSV file; what is in it is looked at when it is read."""
    return is_table(path)


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The rows as images, and their labels where the file has some."""
    path = Path(path)
    choose_split(str(path), split, ())
    with opened(path) as stream:
        table = _open(path, lines_of(path, stream))
        pixels = _parse(table)
    channels, side = _image(table.row.pixels) or (1, 1)
    X = pixels.reshape(len(pixels), side, side, channels).transpose(0, 3, 1, 2)
    left_out = "id" in (*table.row.before, *table.row.after)
    return ImageSet(
        X=resize(np.ascontiguousarray(X), size),
        y=_labels(table),
        source=str(path),
        problems=("1 column left out, it numbers the images",) if left_out else (),
    )


def _open(path: Path, lines: Iterator[Line]) -> _Table:
    """The table, in front of its first row of pixels."""
    first = next(lines, None)
    head = [] if first is None else fields_of(first.text, separator_of(first.text))
    header = head if _is_header(head) else None
    if header or _counts(head):
        first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: no rows{' but a header' * bool(head)}. Give a table with a row for each image.")
    separator = separator_of(first.text)
    fields = fields_of(first.text, separator)
    n_fields = len(fields)
    if header is not None and len(header) != n_fields:
        raise DataError(
            f"{path}, line {first.number}: {n_fields} columns, but the header has {len(header)}. Give each a name."
        )
    row = _row_without_header(path, n_fields) if header is None else _row_of(path, header)
    pointed = any("." in field for field in fields[len(row.before) : len(row.before) + row.pixels])
    return _Table(path=path, lines=chain([first], lines), separator=separator, row=row, pointed=pointed)


def _is_header(fields: list[str]) -> bool:
    """Words for the most part: a single one among numbers is a label, or a mistake that must not go unseen."""
    words = sum(not _is_number(field) for field in fields)
    return 2 * words > len(fields) or (words == 1 and not _is_number(fields[0]) and _counts(fields[1:]))


def _counts(fields: list[str]) -> bool:
    """Whether these are the numbers from 0 on, as pandas heads columns without names."""
    return len(fields) > 3 and fields == [str(i) for i in range(len(fields))]


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _row_of(path: Path, header: list[str]) -> _Row:
    names = [name.lower() for name in header]
    roles = ["label" if name in LABELS else "id" if name in _IDS else "pixel" for name in names]
    n_before = next((i for i, role in enumerate(roles) if role == "pixel"), len(roles))
    n_after = next((i for i, role in enumerate(reversed(roles)) if role == "pixel"), 0)
    before, inside, after = roles[:n_before], roles[n_before : len(roles) - n_after], roles[len(roles) - n_after :]
    if set(inside) - {"pixel"} or (before + after).count("label") > 1:
        special = ", ".join(name for name, role in zip(header, roles, strict=True) if role != "pixel")
        raise DataError(
            f"{path}: the header calls {special} what is no pixel, but that stands before or after all pixels, and one "
            "column at most holds labels. Move or rename the others."
        )
    if _image(len(inside)) is None:
        hint = ""
        if _image(len(inside) - 1) and "label" not in roles:
            hint = f" If {header[n_before]!r} holds labels, call it label; if numbers of images, call it id."
        raise DataError(f"{path}: {len(inside)} pixels are no square image, grey or color.{hint or _GIVE_SQUARES}")
    return _Row(before=tuple(before), pixels=len(inside), after=tuple(after))


_GIVE_SQUARES = " Save other shapes as .npy."


def _row_without_header(path: Path, n_fields: int) -> _Row:
    plain, labeled = _image(n_fields), _image(n_fields - 1)
    if plain and labeled:
        raise DataError(
            f"{path}: {n_fields} columns are {n_fields} pixels, or a label and {n_fields - 1} pixels. "
            "Put a header before the rows that calls the labels label."
        )
    if not plain and not labeled:
        raise DataError(
            f"{path}: {n_fields} columns are no square image, grey or color, with or without a label.{_GIVE_SQUARES}"
        )
    return _Row(before=("label",) if labeled else (), pixels=n_fields - bool(labeled), after=())


def _image(pixels: int) -> tuple[int, int] | None:
    """Channels and side of a square image of so many values; a single pixel is none."""
    for channels in (1, 3):
        side = isqrt(max(0, pixels) // channels)
        if side > 1 and channels * side * side == pixels:
            return channels, side
    return None


def _parse(table: _Table) -> NDArray[np.uint8]:
    """A byte for each pixel; while a file that writes them with a point is read, four."""
    try:
        with warnings.catch_warnings():
            # numpy warns where it cuts the fraction off a number.
            warnings.simplefilter("error")
            pixels: NDArray[Any] = np.loadtxt(
                table.pixels(),
                dtype=np.float32 if table.pointed else np.uint8,
                delimiter=table.separator,
                comments=None,
                quotechar='"',
                ndmin=2,
            )
    except DataError:
        raise
    # The line that numpy objects to is the last it asked for.
    except (ValueError, Warning) as error:
        raise _fault(table) from error
    if pixels.shape[1] != table.row.pixels:
        raise _fault(table)
    if table.pointed:
        bad = np.flatnonzero(~((pixels >= 0) & (pixels <= 255) & (pixels == np.trunc(pixels))).all(1))
        if len(bad):
            raise DataError(
                f"{table.path}, line {table.numbers[bad[0]]}: pixels with fractions or outside 0..255. "
                "Scale them to whole numbers from 0 to 255, or save floating point numbers as .npy."
            )
    return pixels.astype(np.uint8, copy=False)


def _fault(table: _Table) -> DataError:
    where = f"{table.path}, line {table.line.number}"
    fields = fields_of(table.line.text, table.separator)
    if len(fields) != table.row.n_fields:
        return DataError(f"{where}: {len(fields)} columns, but the first row has {table.row.n_fields}. Mend the line.")
    start = len(table.row.before)
    for column, text in enumerate(fields[start : start + table.row.pixels], start + 1):
        if not (text.isascii() and text.isdecimal() and int(text[:9]) <= 255):
            return DataError(
                f"{where}, column {column}: {text[:40]!r} is no whole number from 0 to 255. "
                "Mend it, or save floating point numbers as .npy."
            )
    return DataError(f"{where}: cannot be read as numbers. Mend the line.")


def _labels(table: _Table) -> NDArray[Any] | None:
    if "label" not in (*table.row.before, *table.row.after):
        return None
    if "" in table.labels:
        line = table.numbers[table.labels.index("")]
        raise DataError(f"{table.path}, line {line}: the label is missing. Fill it in.")
    return read_labels(table.labels)
