"""Tables of picture files: CSV files with a column of paths and a column of labels.

The column of paths is the one whose first entry ends as a picture does; paths are relative to the table.  If there is
one column besides, it holds the labels; else the one called label, class, target or y.
"""

from os import PathLike
from pathlib import Path

import numpy as np

from depthwise.data.cached import read_files
from depthwise.data.csv_lines import LABELS, Line, fields_of, is_table, lines_of, separator_of
from depthwise.data.image_set import ImageSet
from depthwise.data.layout import read_labels
from depthwise.data.pictures import Size, is_picture, note
from depthwise.data.splits import choose_split
from depthwise.data.streams import opened
from depthwise.errors import DataError


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a CSV file that names a picture in one of its first two lines."""
    if not is_table(path):
        return False
    path = Path(path)
    with opened(path) as stream:
        first = [line for line, _ in zip(lines_of(path, stream), range(2), strict=False)]
    return any(map(is_picture, (field for line in first for field in _fields(line))))


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The pictures in the order of the table, and their labels where it has some."""
    path = Path(path)
    choose_split(str(path), split, ())
    with opened(path) as stream:
        rows = [(line.number, _fields(line)) for line in lines_of(path, stream)]
    header = None if any(map(is_picture, rows[0][1])) else rows.pop(0)[1]
    n_columns = len(header or rows[0][1])
    for number, fields in rows:
        if len(fields) != n_columns:
            raise DataError(f"{path}, line {number}: {len(fields)} columns, but there are {n_columns}. Mend the line.")
    paths = next(i for i, field in enumerate(rows[0][1]) if is_picture(field))
    labels = _label_column(path, header, [i for i in range(n_columns) if i != paths])
    there = [(number, fields) for number, fields in rows if (path.parent / fields[paths]).is_file()]
    missing = [fields[paths] for _, fields in rows if not (path.parent / fields[paths]).is_file()]
    if not there:
        raise DataError(
            f"{path}: none of its {len(rows)} pictures is there, such as {path.parent / missing[0]}. "
            "Put the table into the folder that its paths begin at."
        )
    for number, fields in there:
        if labels is not None and not fields[labels]:
            raise DataError(f"{path}, line {number}: the label is missing. Fill it in.")
    names = [fields[paths] for _, fields in there]
    X, kept, unreadable = read_files(str(path), [path.parent / name for name in names], names, size, cache)
    # All labels decide whether they are numbers, so that the type does not hang on which pictures can be read.
    y = None if labels is None else read_labels([fields[labels] for _, fields in there])[np.array(kept)]
    return ImageSet(
        X=X,
        y=y,
        source=str(path),
        paths=tuple(path.parent / names[i] for i in kept),
        problems=tuple(filter(None, (note(missing, "picture", "skipped, not there"), *unreadable))),
    )


def _fields(line: Line) -> list[str]:
    return fields_of(line.text, separator_of(line.text))


def _label_column(path: Path, header: list[str] | None, others: list[int]) -> int | None:
    if len(others) <= 1:
        return others[0] if others else None
    named = [i for i in others if header and header[i].lower() in LABELS]
    if len(named) != 1:
        raise DataError(
            f"{path}: {len(others)} columns besides the paths, {len(named)} of them called one of {', '.join(LABELS)}. "
            "Put a header before the rows that calls the labels label."
        )
    return named[0]
