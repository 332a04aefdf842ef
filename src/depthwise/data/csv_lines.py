"""The lines of CSV files and their fields: separator and quotes are read in one way, by every table."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from numpy.typing import NDArray

from depthwise.data.layout import is_missing, read_labels
from depthwise.data.pictures import is_picture
from depthwise.errors import DataError

LABELS = ("label", "labels", "class", "target", "y")
"""Names of columns that hold labels."""

IDS = ("id", "imageid", "image_id")
"""Names of columns that hold what each image is called."""

LONGEST = 1 << 24
"""Bytes of a line at most, so that a file without line ends does not fill the memory: 4 million pixels."""

_QUOTED = re.compile(r'(?:^|(?<=[,;\t])) *"(?:[^"]|"")*"')  # a quote opens only where a field begins


class Line(NamedTuple):
    """A line of text and its number, from 1."""

    number: int
    text: str


class Table(NamedTuple):
    """The lines of a CSV file that are not empty, and what separates their fields: the first line tells."""

    path: Path
    separator: str
    lines: Iterator[Line]

    @classmethod
    def of(cls, path: Path, stream: BinaryIO) -> Self:
        """The table in a stream, in front of its first line."""
        lines = lines_of(path, stream)
        first = next(lines, None)
        if first is None:
            return cls(path, ",", lines)
        return cls(path, separator_of(first.text), chain([first], lines))

    def fields(self, line: Line) -> list[str]:
        """The fields of a line, without blanks around them; errors as of `split`."""
        return [field.strip() for field in self.split(line)]

    def split(self, line: Line) -> list[str]:
        """The fields of a line as they stand there, without quotes.

        Raises
        ------
        DataError
            A quote is not closed, or text follows one that is.
        """
        if '"' not in line.text:
            return line.text.split(self.separator)
        reader = csv.reader([line.text], delimiter=self.separator, skipinitialspace=True, strict=True)
        try:
            return next(reader)
        except csv.Error as error:
            raise DataError(
                f"{self.path}, line {line.number}: its quotes cannot be read ({error}). Put a whole field between "
                "two quotes on one line, and write a quote inside it twice."
            ) from error

    def labels(self, numbers: Sequence[int], texts: Sequence[str]) -> NDArray[Any]:
        """The labels of a column, of the lines with these numbers.

        Raises
        ------
        DataError
            One is missing.
        """
        missing = is_missing(texts)
        if True in missing:
            raise DataError(f"{self.path}, line {numbers[missing.index(True)]}: the label is missing. Fill it in.")
        return read_labels(texts)


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
    """What separates the fields of a line: the commonest of comma, semicolon and tab outside quotes.

    Before that counts whether it leaves the name of a picture in a field of its own.

    >>> separator_of('1.png,"small; striped; young"'), separator_of("file;label"), separator_of("1.png;small, striped")
    (',', ';', ';')
    """
    bare = _QUOTED.sub("", text)
    return max(
        ",;\t", key=lambda mark: (any(is_picture(field.strip()) for field in bare.split(mark)), bare.count(mark))
    )
