"""Tables of picture files: CSV files with a column of paths and a column of labels.

The column of paths is the one whose first entry ends as a picture does; paths are relative to the table.  A column
called id says what each image is called, be it that of the paths.  If there is one column besides, it holds the labels;
else the one called label, class, target or y.
"""

from os import PathLike
from pathlib import Path

import numpy as np

from depthwise.data.cached import read_files
from depthwise.data.csv_lines import IDS, LABELS, Table, is_table
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, is_picture, left_out, note
from depthwise.data.splits import choose_split
from depthwise.data.streams import opened
from depthwise.errors import DataError


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a CSV file that names a picture in one of its first two lines."""
    if not is_table(path):
        return False
    path = Path(path)
    with opened(path) as stream:
        table = Table.of(path, stream)
        first = [table.fields(line) for line, _ in zip(table.lines, range(2), strict=False)]
    return any(is_picture(field) for fields in first for field in fields)


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The pictures in the order of the table, and their labels where it has some."""
    path = Path(path)
    choose_split(str(path), split, ())
    with opened(path) as stream:
        table = Table.of(path, stream)
        rows = [(line.number, table.fields(line)) for line in table.lines]
    header = [] if any(map(is_picture, rows[0][1])) else rows.pop(0)[1]
    n_columns = len(header or rows[0][1])
    for number, fields in rows:
        if len(fields) != n_columns:
            raise DataError(f"{path}, line {number}: {len(fields)} columns, but there are {n_columns}. Mend the line.")
    paths = next(i for i, field in enumerate(rows[0][1]) if is_picture(field))
    ids = next((i for i, name in enumerate(header) if name.lower() in IDS), None)
    labels = _label_column(path, header, [i for i in range(n_columns) if i not in (paths, ids)])
    there = [(number, fields) for number, fields in rows if (path.parent / fields[paths]).is_file()]
    missing = [fields[paths] for _, fields in rows if not (path.parent / fields[paths]).is_file()]
    if not there:
        raise DataError(
            f"{path}: none of its {len(rows)} pictures is there, such as {path.parent / missing[0]}. "
            "Put the table into the folder that its paths begin at."
        )
    names = [fields[paths] for _, fields in there]
    # All labels decide whether they are numbers, so that the type does not hang on which pictures can be read.
    y = None if labels is None else table.labels([n for n, _ in there], [fields[labels] for _, fields in there])
    X, kept, unreadable = read_files(str(path), [path.parent / name for name in names], names, size, cache)
    return ImageSet(
        X=X,
        y=None if y is None else y[np.array(kept)],
        source=str(path),
        paths=tuple(path.parent / names[i] for i in kept),
        ids=tuple(Path(names[i]).stem if ids is None else there[i][1][ids] for i in kept),
        skipped=(*missing, *left_out(names, kept)),
        problems=tuple(filter(None, (note(missing, "picture", "skipped, not there"), *unreadable))),
    )


def _label_column(path: Path, header: list[str], others: list[int]) -> int | None:
    if len(others) <= 1:
        return others[0] if others else None
    named = [i for i in others if header and header[i].lower() in LABELS]
    if len(named) != 1:
        raise DataError(
            f"{path}: {len(others)} columns besides the paths, {len(named)} of them called one of {', '.join(LABELS)}. "
            "Put a header before the rows that calls the labels label."
        )
    return named[0]
