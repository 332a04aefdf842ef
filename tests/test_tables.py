"""Tables print as the tutorials of nolearn did, and their four forms lose nothing."""

import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthwise.tables import COLORS, Cell, Column, Table


def numbers(*titles: str) -> list[Column]:
    return [Column(title, "right") for title in titles]


def stripped(text: str) -> list[str]:
    """The lines as they stand in the tutorials, whose leading spaces are lost."""
    return [line.lstrip() for line in text.splitlines()]


# Benjamin Bossan: Training convolutional neural networks with nolearn (2016), outputs of cells 11, 25 and 39.
SIZES = """\
#  name         size
---  -----------  --------
0  input0       1x28x28
1  conv2d1      96x24x24
6  maxpool2d6   96x8x8
10  maxpool2d10  128x1x1
11  dense11      64
14  dense14      10"""

CAPACITIES = """\
name        size        total    cap.Y    cap.X    cov.Y    cov.X
----------  --------  -------  -------  -------  -------  -------
input0      1x28x28       784   100.00   100.00   100.00   100.00
conv2d1     32x26x26    21632   100.00   100.00    10.71    10.71
maxpool2d7  96x1x1         96    63.16    63.16    67.86    67.86
dense11     10             10   100.00   100.00   100.00   100.00"""

FIELDS = """\
name         size        total    cap.Y    cap.X    cov.Y    cov.X    filter Y    filter X    field Y    field X
-----------  --------  -------  -------  -------  -------  -------  ----------  ----------  ---------  ---------
conv2d1      32x28x28    25088   100.00   100.00    10.71    10.71           3           3          3          3
maxpool2d12  64x7x7       3136    22.22    22.22    96.43    96.43           6           6         27         27"""

EPOCHS = """\
epoch    train loss    valid loss    train/val    valid acc  dur
-------  ------------  ------------  -----------  -----------  ------
1       2.49039       1.47864      1.68424      0.93246  21.84s
2       1.46182       1.20667      1.21145      0.96527  21.43s
10       0.60635       0.57576      1.05313      0.98033  21.35s"""

SIZE_COLUMNS = [Column("#", "right"), Column("name"), Column("size")]
CAPACITY_COLUMNS = [Column("name"), Column("size"), *numbers("total", "cap.Y", "cap.X", "cov.Y", "cov.X")]
FIELD_COLUMNS = [*CAPACITY_COLUMNS, *numbers("filter Y", "filter X", "field Y", "field X")]
EPOCH_COLUMNS = [*numbers("epoch", "train loss", "valid loss", "train/val", "valid acc"), Column("dur", min_width=6)]


@pytest.mark.parametrize(
    ("columns", "golden"),
    [(SIZE_COLUMNS, SIZES), (CAPACITY_COLUMNS, CAPACITIES), (FIELD_COLUMNS, FIELDS), (EPOCH_COLUMNS, EPOCHS)],
    ids=["sizes", "capacities", "fields", "epochs"],
)
def test_text_is_the_tutorials(columns, golden):
    rows = [line.split() for line in golden.splitlines()[2:]]
    table = Table(columns, rows)
    assert stripped(table.text()) == golden.splitlines()
    # What the tutorials lost: with its leading spaces every line that ends in a number is as long as the rule.
    lines = table.text().splitlines()
    assert all(len(line) <= len(lines[1]) for line in lines)
    if columns[-1].align == "right":
        assert {len(line) for line in lines} == {len(lines[1])}


def test_a_table_that_grows_keeps_its_columns():
    whole = Table(EPOCH_COLUMNS, [line.split() for line in EPOCHS.splitlines()[2:]]).text().splitlines()
    one_by_one = [Table(EPOCH_COLUMNS, [line.split()]).text().splitlines() for line in EPOCHS.splitlines()[2:]]
    assert [*one_by_one[0][:2], *(lines[2] for lines in one_by_one)] == whole


def test_title_and_caption_stand_apart():
    table = Table([Column("a")], [["1"]], title="## Layers", caption="one\ntwo")
    assert table.text() == "## Layers\n\na\n---\n1\n\none\ntwo"
    assert str(table) == table.text()


def test_wide_letters_take_two_places():
    lines = Table([Column("class"), Column("n", "right")], [["猫の画像", "7"], ["cafe\u0301", "8"]]).text().splitlines()
    assert lines[2:] == ["猫の画像    7", "cafe\u0301        8"]


texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=8)
colors = st.sampled_from([None, *COLORS])


@st.composite
def tables(draw) -> Table:
    columns = draw(st.lists(st.builds(Column, texts, st.sampled_from(["left", "right"])), min_size=1, max_size=4))
    cells = st.one_of(texts, st.builds(Cell, texts, colors))
    rows = draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=4))
    return Table(columns, rows)


def text_of(cell: Cell | str) -> str:
    return cell if isinstance(cell, str) else cell.text


@settings(max_examples=40)
@given(tables())
def test_color_leaves_the_alignment(table):
    plain, colored = table.text().split("\n"), table.text(color=True).split("\n")
    # A colored cell of spaces keeps them inside its escape codes.
    assert [re.sub("\033\\[\\d+m", "", line).rstrip() for line in colored] == plain
    assert len(plain) == 2 + len(table.rows)


def test_color_is_the_terminals():
    table = Table([Column("a", "right"), Column("b")], [[Cell("1", "red"), Cell("2", "magenta")]])
    assert table.text(color=True).splitlines()[2] == "  \033[31m1\033[0m  \033[35m2\033[0m"


@settings(max_examples=40)
@given(tables())
def test_markdown_gives_the_texts_back(table):
    heads, _, *lines = table.markdown().split("\n")
    assert len(lines) == len(table.rows)
    for line, row in zip([heads, *lines], [[c.title for c in table.columns], *table.rows], strict=True):
        cells = re.findall(r"\|((?:\\.|[^|\\])*)(?=\|)", line)
        assert [re.sub(r"\\(.)", r"\1", cell).strip() for cell in cells] == [text_of(c).strip() for c in row]


def test_markdown():
    table = Table([Column("a|b"), Column("n", "right")], [["x_y _z_ *w*", "1"]], title="T", caption="one\ntwo")
    assert table.markdown().splitlines() == [
        "**T**",
        "",
        r"| a\|b            |   n |",
        r"| --------------- | --: |",
        r"| x_y \_z\_ \*w\* |   1 |",
        "",
        "one  ",
        "two",
    ]


class Cells(HTMLParser):
    """The texts of all cells, row by row, and the tags that were opened."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.inside = False
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        self.inside = False


@settings(max_examples=40)
@given(tables())
def test_html_gives_the_texts_back(table):
    found = Cells(table.html())
    expected = [[c.title for c in table.columns], *[[text_of(c) for c in row] for row in table.rows]]
    assert found.rows == expected
    assert {tag for tag, _ in found.tags} <= {"table", "thead", "tbody", "tr", "th", "td"}


def test_html_tells_a_screen_reader_what_is_what():
    table = Table(
        [Column("a<b"), Column("n", "right")], [["x & y", Cell("1", "red")]], title="T<i>", caption="one\ntwo"
    )
    found = Cells(table.html())
    assert [tag for tag, _ in found.tags] == [
        *("figure", "table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "th", "td", "figcaption", "br")
    ]
    assert [attrs["scope"] for tag, attrs in found.tags if tag == "th"] == ["col", "col", "row"]
    assert '<td style="text-align: right; color: #e02929">1</td>' in table.html()
    assert "a&lt;b" in table.html() and "x &amp; y" in table.html() and "T&lt;i&gt;" in table.html()
    assert table._repr_html_() == table.html()


@pytest.mark.parametrize("name", COLORS)
def test_colors_can_be_read_on_white_and_on_black(name):
    values = (int(COLORS[name][1][i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b
    assert 1.05 / (luminance + 0.05) >= 4.5
    assert (luminance + 0.05) / 0.05 >= 4.5


def test_rich_prints_brackets_as_they_are():
    from rich.console import Console

    table = Table([Column("a"), Column("n", "right")], [["[red]x[/]", Cell("12", "cyan")]], title="T", caption="C")
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(table.rich())
    printed = console.file.getvalue()
    assert "[red]x[/]" in printed and "\033[36m12\033[0m" in printed and "T" in printed and "C" in printed


def test_errors():
    with pytest.raises(ValueError, match=re.escape("cell 'x': unknown color 'pink'. Choose one of red, green, yellow")):
        Cell("x", "pink")
    with pytest.raises(ValueError) as error:
        Table([Column("a"), Column("b")], [["1", "2"], ["1"]])
    assert str(error.value) == "row 1: 1 cells for 2 columns. Give every row one cell per column."


def test_heads_without_padding():
    table = Table([Column("name"), Column("n", "right")], [["a", "1"]])
    assert table.text(head_padding=0).splitlines() == ["name  n", "----  -", "a     1"]
