"""Tables of pixels, a row an image: CSV files as Kaggle's digit recognizer hands them out.

Rows are ``[label,] pixels``.  Pixels are square images, row by row: s x s values are grey, s x s x 3 are red, green and
blue of one pixel after another.  Without a header a row of one value more than that begins with its label.  A header
names what is no pixel: a column called label, class, target or y holds the labels, first or last; one called id says
what each image is called, and so does one called index or nothing, unless it counts the rows from 0.
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

from depthwise.data.csv_lines import IDS, LABELS, Line, Table, is_table
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import choose_split
from depthwise.data.streams import opened
from depthwise.errors import DataError

_INDEX = ("", "index", "unnamed: 0")  # the last is how pandas reads a nameless column
_ROLES = {name: role for role, names in (("label", LABELS), ("id", IDS), ("index", _INDEX)) for name in names}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What stands where in a row."""

    before: tuple[str, ...]  # "label", "id" or "index", in front of the pixels
    pixels: int
    after: tuple[str, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        return (*self.before, *self.after)

    @property
    def n_fields(self) -> int:
        return self.pixels + len(self.roles)


_NO_LINE = Line(0, "")


@dataclass(kw_only=True)
class _Rows:
    """The rows of a table on their way to the parser, which gets the pixels alone."""

    table: Table
    row: _Row
    columns: list[list[str]]  # what stands in the others, in the order of their roles
    numbers: list[int] = field(default_factory=list)  # of the lines, one a row
    line: Line = _NO_LINE

    def pixels(self) -> Iterator[str]:
        separator, n_before, n_after = self.table.separator, len(self.row.before), len(self.row.after)
        for line in self.table.lines:
            self.line = line
            self.numbers.append(line.number)
            if '"' in line.text:
                fields = self.table.split(line)
                if len(fields) != self.row.n_fields:
                    raise self.fault()
                before, after = fields[:n_before], fields[n_before + self.row.pixels :]
                text = separator.join(self._pixels_of(fields))
            else:  # most lines: their pixels need not be told apart here
                *before, text = line.text.split(separator, n_before)
                text, *after = text.rsplit(separator, n_after)
            for column, value in zip(self.columns, (*before, *after), strict=False):
                column.append(value.strip())
            yield text

    def are_pixels(self) -> bool:
        """Whether the line that was read last holds as many whole numbers from 0 to 255 as it must."""
        fields = self.table.fields(self.line)
        return len(fields) == self.row.n_fields and all(map(_is_pixel, self._pixels_of(fields)))

    def fault(self) -> DataError:
        """What is wrong with the line that was read last."""
        fields, where = self.table.fields(self.line), f"{self.table.path}, line {self.line.number}"
        expected = self.row.n_fields
        if len(fields) != expected:
            return DataError(f"{where}: {len(fields)} columns, but the first row has {expected}. Mend the line.")
        for place, text in enumerate(self._pixels_of(fields)):
            if not _is_pixel(text):
                return self.no_pixel(self.line.number, place, text)
        return DataError(f"{where}: cannot be read as numbers. Mend the line.")

    def _pixels_of(self, fields: list[str]) -> list[str]:
        start = len(self.row.before)
        return fields[start : start + self.row.pixels]

    def no_pixel(self, line: int, place: int, text: str) -> DataError:
        """What is wrong with one pixel."""
        return DataError(
            f"{self.table.path}, line {line}, column {len(self.row.before) + place + 1}: {text[:40]!r} is no whole "
            "number from 0 to 255. Mend it, or save floating point numbers as .npy."
        )

    def column(self, role: str) -> list[str] | None:
        """What stands in the first column of a role, if there is one."""
        return next((texts for each, texts in zip(self.row.roles, self.columns, strict=True) if each == role), None)

    def labels(self) -> NDArray[Any] | None:
        """The labels, where the table has some."""
        texts = self.column("label")
        return None if texts is None else self.table.labels(self.numbers, texts)

    def ids(self) -> tuple[str, ...] | None:
        """What the images are called, where the table says so: an index that counts its rows does not."""
        index = self.column("index")
        if index == [str(place) for place in range(len(self.numbers))]:
            index = None
        ids = self.column("id") or index
        return None if ids is None else tuple(ids)


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a CSV file; what is in it is looked at when it is read."""
    return is_table(path)


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The rows as images, and their labels and names where the file has some."""
    path = Path(path)
    choose_split(str(path), split, ())
    rows, pixels = _parse(path)
    channels, side = _image(rows.row.pixels) or (1, 1)
    X = pixels.reshape(len(pixels), side, side, channels).transpose(0, 3, 1, 2)
    ids = rows.ids()
    n = sum(role != "label" for role in rows.row.roles) - (ids is not None)
    unread = f"{n} column{'s' * (n > 1)} left out, {'they number' if n > 1 else 'it numbers'} the images"
    return ImageSet(
        X=resize(np.ascontiguousarray(X), size),
        y=rows.labels(),
        source=str(path),
        ids=ids,
        problems=(unread,) if n else (),
    )


def _open(table: Table) -> _Rows:
    """The rows, in front of the first one of pixels."""
    first = next(table.lines, None)
    head = [] if first is None else table.fields(first)
    header = head if _is_header(head) else None
    if header or _counts(head):
        first = next(table.lines, None)
    if first is None:
        raise DataError(f"{table.path}: no rows{' but a header' * bool(head)}. Give a table with a row for each image.")
    n_fields = len(table.fields(first))
    if header is not None and len(header) != n_fields:
        raise DataError(
            f"{table.path}, line {first.number}: {n_fields} columns, but the header has {len(header)}. "
            "Give each a name."
        )
    row = _row_without_header(table.path, n_fields) if header is None else _row_of(table.path, header)
    rows = table._replace(lines=chain([first], table.lines))
    return _Rows(table=rows, row=row, columns=[[] for _ in row.roles])


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
    roles = [_ROLES.get(name.lower(), "pixel") for name in header]
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


def _parse(path: Path, pointed: bool = False) -> tuple[_Rows, NDArray[np.uint8]]:
    """The rows, and a byte for each pixel; where they are written as 12.0, four while they are read."""
    with opened(path) as stream:
        rows = _open(Table.of(path, stream))
        pixels = _load(rows, np.float32 if pointed else np.uint8)
    if pixels is None:
        return _parse(path, pointed=True)
    if pixels.shape[1] != rows.row.pixels:
        raise rows.fault()
    if pointed:
        right = (pixels >= 0) & (pixels <= 255) & (pixels == np.trunc(pixels))
        for row in np.flatnonzero(~right.all(1)):
            place = int(right[row].argmin())
            raise rows.no_pixel(rows.numbers[row], place, str(pixels[row, place]))
    return rows, pixels.astype(np.uint8, copy=False)


def _load(rows: _Rows, dtype: type) -> NDArray[Any] | None:
    """The pixels; None where they are whole numbers, but not written as bytes are."""
    try:
        with warnings.catch_warnings():
            # numpy warns where it cuts the fraction off a number.
            warnings.simplefilter("error")
            return np.loadtxt(rows.pixels(), dtype, comments=None, delimiter=rows.table.separator, ndmin=2)
    except DataError:
        raise
    # The line that numpy objects to is the last it asked for.
    except (ValueError, Warning) as error:
        if dtype is np.uint8 and rows.are_pixels():
            return None
        raise rows.fault() from error


def _is_pixel(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text and 0 <= value <= 255 and value == int(value)
