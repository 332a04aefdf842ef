"""Lines and fields of CSV files."""

import csv
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

from depthwise.errors import DataError

LABELS = ("label", "labels", "class", "target", "y")
"""Names of columns that hold labels."""

LONGEST = 1 << 24
"""Bytes of a line at most, so that a file without line ends does not fill the memory: 4 million pixels."""


class Line(NamedTuple):
    """A line of text and its number, from 1."""

    number: int
    text: str


def is_table(path: str | PathLike[str]) -> bool:
    """Whether `path` is a file called .csv or .csv.gz."""
    path = Path(path)
    return path.name.lower().endswith((".csv", ".csv.gz")) and path.is_file()


def lines_of(path: Path, stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not empty.

    Raises
    ------
    DataError
        They are no text in UTF-8, or one is longer than `LONGEST`.
    """
    number = 0
    while content := stream.readline(LONGEST):
        number += 1
        if len(content) == LONGEST:
            raise DataError(f"{path}, line {number}: longer than {LONGEST:,} bytes. Give a table with a row an image.")
        try:
            # Excel begins a file with a mark that is no part of its text.
            text = content.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: no text in UTF-8 ({error.reason}). Save it as UTF-8.") from error
        if "\0" in text or "\r" in text:
            raise DataError(f"{path}, line {number}: has control characters, it is no line of text. Replace the file.")
        if text.strip():
            yield Line(number, text)


def separator_of(text: str) -> str:
    """What separates the fields of a line: the commonest of comma, semicolon and tab."""
    return max(",;\t", key=text.count)


def fields_of(text: str, separator: str) -> list[str]:
    """The fields of a line without blanks and quotes around them."""
    try:
        return [field.strip() for field in next(csv.reader([text], delimiter=separator))]
    except csv.Error:  # a field longer than csv takes
        return [field.strip() for field in text.split(separator)]
