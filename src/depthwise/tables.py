"""Columns and rows -> plain text, Markdown, HTML and rich; knows nothing of networks."""

from __future__ import annotations

import html
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import rich.table

# Name -> (code of ISO 6429, hue in HTML).  Each hue has a contrast of 4.5 or more to white and to black (WCAG 2.1,
# 1.4.3), since nobody can say whether the page or notebook around the table is light or dark.
COLORS = {
    "red": (31, "#e02929"),
    "green": (32, "#18872a"),
    "yellow": (33, "#936f04"),
    "blue": (34, "#2d6dee"),
    "magenta": (35, "#cb24bd"),
    "cyan": (36, "#088098"),
}


def wants_color() -> bool:
    """Whether colors reach a terminal; https://no-color.org switches them off."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column; numbers want ``align="right"``, and `min_width` keeps a table that grows row by row in line."""

    title: str
    align: Literal["left", "right"] = "left"
    min_width: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of one cell, all in one of `COLORS` if a color is given."""

    text: str
    color: str | None = None

    def __post_init__(self) -> None:
        if self.color is not None and self.color not in COLORS:
            raise ValueError(f"cell {self.text!r}: unknown color {self.color!r}. Choose one of {', '.join(COLORS)}.")


@dataclass(frozen=True, slots=True)
class Table:
    r"""A table that prints itself in four forms.

    Parameters
    ----------
    columns
        One `Column` each; in HTML the first one names its row.
    rows
        One cell per column: a `Cell`, or a plain string.
    title, caption
        Text above and below; lines are kept.

    Raises
    ------
    ValueError
        A row has more or fewer cells than there are columns.

    Examples
    --------
    >>> print(Table([Column("#", "right"), Column("name")], [["0", "input0"], ["1", Cell("conv2d1", "red")]]))
      #  name
    ---  -------
      0  input0
      1  conv2d1
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]]
    title: str | None = None
    caption: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {i}: {len(row)} cells for {len(self.columns)} columns. Give every row one cell per column."
                )

    def text(self, color: bool = False, head_padding: int = 2) -> str:
        """Plain text with a rule under the heads; `color` adds escape codes that leave the alignment as it is."""
        # Two more than the head: the "simple" form of tabulate, in which nolearn printed its layers.
        heads = zip(self._grid()[0], self.columns, strict=True)
        least = [max(_width(head.text) + head_padding, c.min_width) for head, c in heads]
        head, *rows = self._aligned(self._grid(), least, color)
        rule = ["-" * _width(text) for text in head]
        lines = ["  ".join(row).rstrip() for row in (head, rule, *rows)]
        return _paragraphs(self.title, "\n".join(lines), self.caption)

    def markdown(self) -> str:
        """A table of GitHub Flavored Markdown, aligned for the eye too; colors are lost."""
        grid = [[Cell(_markdown(cell.text)) for cell in row] for row in self._grid()]
        head, *rows = self._aligned(grid, [3] * len(self.columns))
        dashes = (("-" * _width(text))[1:] for text in head)
        rule = [d + (":" if c.align == "right" else "-") for d, c in zip(dashes, self.columns, strict=True)]
        lines = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
        title = f"**{_markdown(_one_line(self.title))}**" if self.title else None
        caption = "  \n".join(map(_markdown, (self.caption or "").splitlines()))
        return _paragraphs(title, "\n".join(lines), caption)

    def html(self) -> str:
        """A ``<table>`` with caption and scopes for screen readers, without any style sheet; text is escaped."""
        head, *body = (list(zip(row, self.columns, strict=True)) for row in self._grid())
        lines = ["<table>", "<thead><tr>", *(_html("th", *c, ' scope="col"') for c in head), "</tr></thead>", "<tbody>"]
        if self.title:
            lines.insert(1, f"<caption>{_html_lines(self.title)}</caption>")
        for name, *cells in body:
            lines += ["<tr>", _html("th", *name, ' scope="row"'), *(_html("td", *c) for c in cells), "</tr>"]
        lines += ["</tbody>", "</table>"]
        if self.caption:
            lines = ["<figure>", *lines, f"<figcaption>{_html_lines(self.caption)}</figcaption>", "</figure>"]
        return "\n".join(lines)

    def rich(self) -> rich.table.Table:
        """The same as a `rich.table.Table`; square brackets in the text are text, not markup."""
        import rich.box
        import rich.table
        from rich.text import Text

        title, caption = (Text(t) if t else None for t in (self.title, self.caption))
        table = rich.table.Table(title=title, caption=caption, box=rich.box.SIMPLE)
        head, *rows = ([Text(cell.text, cell.color or "") for cell in row] for row in self._grid())
        for text, column in zip(head, self.columns, strict=True):
            table.add_column(text, justify=column.align, min_width=column.min_width or None)
        for row in rows:
            table.add_row(*row)
        return table

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _grid(self) -> list[list[Cell]]:
        """Heads and rows, each text on one line."""
        cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in self.rows]
        heads = [Cell(column.title) for column in self.columns]
        return [[Cell(_one_line(c.text), c.color) for c in row] for row in (heads, *cells)]

    def _aligned(self, grid: list[list[Cell]], least: list[int], color: bool = False) -> list[list[str]]:
        """The grid's texts, padded so that column i is at least ``least[i]`` wide."""
        widths = [max(w, *(_width(row[i].text) for row in grid)) for i, w in enumerate(least)]
        places = list(zip(widths, (column.align for column in self.columns), strict=True))
        return [[_pad(cell, *place, color) for cell, place in zip(row, places, strict=True)] for row in grid]


def _width(text: str) -> int:
    """Places that `text` takes on a terminal: letters of East Asia take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _pad(cell: Cell, width: int, align: str, color: bool) -> str:
    gap = " " * (width - _width(cell.text))
    text = f"\033[{COLORS[cell.color][0]}m{cell.text}\033[0m" if color and cell.color else cell.text
    return gap + text if align == "right" else text + gap


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _paragraphs(*parts: str | None) -> str:
    return "\n\n".join(part for part in parts if part)


def _markdown(text: str) -> str:
    # An underscore inside a word (conv2d1_bias) means nothing to Markdown and stays readable.
    return re.sub(r"[\\|*`<&~$\[]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def _html_lines(text: str) -> str:
    return "<br>".join(map(html.escape, text.splitlines()))


def _html(tag: str, cell: Cell, column: Column, attributes: str = "") -> str:
    style = f"text-align: {column.align}" + (f"; color: {COLORS[cell.color][1]}" if cell.color else "")
    return f'<{tag}{attributes} style="{style}">{html.escape(cell.text)}</{tag}>'
