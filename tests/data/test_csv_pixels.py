"""Tables of pixels: which column is what, what is refused, and how fast."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthwise.data import ImageSet, csv_pixels, load_images
from depthwise.errors import DataError

HEADER = "label,pixel0,pixel1,pixel2,pixel3"


@pytest.fixture
def read(tmp_path):
    """The set in a table of these lines."""

    def read_lines(*lines: str, name="train.csv", **options) -> ImageSet:
        (tmp_path / name).write_bytes("\n".join([*lines, ""]).encode())
        return load_images(tmp_path / name, **options)

    return read_lines


@pytest.fixture
def refused(read, tmp_path):
    def read_lines(*lines: str, **options) -> str:
        with pytest.raises(DataError) as error:
            read(*lines, **options)
        return str(error.value).replace(str(tmp_path), "DIR")

    return read_lines


@st.composite
def tables(draw):
    channels, side, n = draw(st.sampled_from([1, 3])), draw(st.integers(2, 6)), draw(st.integers(1, 5))
    X = np.frombuffer(draw(st.binary(min_size=n * channels * side**2, max_size=n * channels * side**2)), np.uint8)
    y = draw(st.none() | st.lists(st.integers(-(2**40), 2**40) | st.just(7), min_size=n, max_size=n))
    return X.reshape(n, side, side, channels), y, draw(st.booleans()), draw(st.sampled_from(",;\t"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), end=st.sampled_from(["\n", "\r\n"]), zipped=st.booleans(), point=st.booleans())
def test_what_was_written_is_read(tmp_path, table, end, zipped, point):
    X, y, with_header, separator = table
    n_pixels = X[0].size
    with_header = with_header or n_pixels == 49 or (y is not None and n_pixels == 48)  # else 7x7, or 4x4x3 and a label
    lines = [separator.join([*(["label"] if y else []), *(f"p{i}" for i in range(n_pixels))])] if with_header else []
    for i, image in enumerate(X.reshape(len(X), -1).tolist()):
        lines.append(
            separator.join(map(str, [*(y[i : i + 1] if y else []), *(f"{v}.0" if point else v for v in image)]))
        )
    content = end.join([*lines, ""]).encode()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content) if zipped else content)
    found = csv_pixels.read(tmp_path / "a.csv.gz", None, None, None)
    assert found.X.dtype == np.uint8 and found.X.flags.c_contiguous
    np.testing.assert_array_equal(found.X, X.transpose(0, 3, 1, 2))
    assert (None if found.y is None else found.y.tolist()) == y


def test_kaggle(read):
    train = read(HEADER, "7,0,1,2,255", "3,4,5,6,7")
    assert train.X.tolist() == [[[[0, 1], [2, 255]]], [[[4, 5], [6, 7]]]] and train.y.tolist() == [7, 3]
    assert (train.classes, train.split, train.splits, train.problems) == ((3, 7), None, (), ())
    test = read(HEADER.removeprefix("label,"), "0,1,2,255", name="test.csv")
    assert test.X.tolist() == [[[[0, 1], [2, 255]]]] and test.y is None and test.classes == ()
    assert read(HEADER, "7,0,1,2,255", size=4).X.shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("lines", "labels", "problems"),
    [
        (["7,0,1,2,255"], [7], ()),
        (["seven,0,1,2,255"], ["seven"], ()),
        (["0,1,2,255"], None, ()),
        (["", "p,q,r,s", "  ", "0,1,2,255"], None, ()),
        (["p,q,r,s,Class", "0,1,2,255,7"], [7], ()),
        (["id,p,q,r,s", "90,0,1,2,255"], None, ()),
        ([",Unnamed: 0,p,q,r,s", "0,0,0,1,2,255"], None, ("2 columns left out, they number the images",)),
        ([",label,p,q,r,s", "0,7,0,1,2,255"], [7], ("1 column left out, it numbers the images",)),
        (["0,1,2,3", "0,1,2,255"], None, ()),  # as pandas heads columns without names ...
        (["0,1,2,3,4", "7,0,1,2,255"], [7], ()),
        ([",0,1,2,3", "0,0,1,2,255"], None, ("1 column left out, it numbers the images",)),
        (["label,0,1,2,3", "7,0,1,2,255"], [7], ()),
        (["\ufeffp,q,r,s", '"0","1"," 2",255'], None, ()),
        ([HEADER, '"seven", 0, 1, 2, 255 '], ["seven"], ()),
        ([HEADER, '"a ""big"", round 7", 0,"1",2, "255"'], ['a "big", round 7'], ()),
        (["label;p;q;r;s", '"a; b, c, d, e, f";0;1;2;255'], ["a; b, c, d, e, f"], ()),
        ([HEADER, "7,0.0,1.,2,2.55e2"], [7], ()),
    ],
)
def test_which_column_is_what(read, lines, labels, problems):
    found = read(*lines)
    assert found.X.tolist() == [[[[0, 1], [2, 255]]]] and found.problems == problems
    assert (None if found.y is None else found.y.tolist()) == labels


@pytest.mark.parametrize(
    ("header", "columns", "ids"),
    [
        ("id,", ["7,", "3,", "01,"], ("7", "3", "01")),
        ("label,ImageId,", ["5,7,", "6,3,", "5,1,"], ("7", "3", "1")),
        (",", ["7,", "3,", "1,"], ("7", "3", "1")),
        (",", ["0,", "1,", "2,"], None),  # as pandas numbers rows
        ("index,id,", ["7,a,", "3,b,", "1,c,"], ("a", "b", "c")),
    ],
)
def test_what_the_images_are_called(read, header, columns, ids):
    assert read(f"{header}p,q,r,s", *(f"{text}{i},1,2,3" for i, text in enumerate(columns))).ids == ids


def test_whole_numbers_may_go_on_with_points(read):
    lines = [f"{i % 10},{i % 256},1,2,255" for i in range(300)]
    found = read(HEADER, *lines, "3,7.0,1.0,2.0,255.0", "4,8,1,2,255")
    assert found.X[:, 0, 0, 0].tolist() == [*(i % 256 for i in range(300)), 7, 8]
    assert found.X.dtype == np.uint8 and found.y.tolist()[-2:] == [3, 4]


def test_color_is_red_green_blue_of_one_pixel_after_another(read):
    found = read(",".join(map(str, range(12))), ",".join(map(str, range(10, 22))))
    assert found.X[0, :, 0, 1].tolist() == [13, 14, 15]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "DIR/train.csv: no rows. Give a table with a row for each image."),
        ([HEADER], "DIR/train.csv: no rows but a header. Give a table with a row for each image."),
        (
            [HEADER, "7,0,1,2,3", "7,0,256,2,3"],
            "DIR/train.csv, line 3, column 3: '256' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0,-1,2,3"],
            "DIR/train.csv, line 2, column 3: '-1' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0,,2,3"],
            "DIR/train.csv, line 2, column 3: '' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0,1,2,3", "", "7,0,1,2"],
            "DIR/train.csv, line 4: 4 columns, but the first row has 5. Mend the line.",
        ),
        (
            [HEADER, "7,0,1,2,3", "7,0,1,2,3,4"],
            "DIR/train.csv, line 3: 6 columns, but the first row has 5. Mend the line.",
        ),
        ([HEADER, "7,0,1"], "DIR/train.csv, line 2: 3 columns, but the header has 5. Give each a name."),
        ([HEADER, "7,0,1,2,3", ",0,1,2,3"], "DIR/train.csv, line 3: the label is missing. Fill it in."),
        (
            ["7,0,x,2,3", "7,0,1,2,3"],
            "DIR/train.csv, line 1, column 3: 'x' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            ["0.1,0.5,0,1"],
            "DIR/train.csv, line 1, column 1: '0.1' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0.0,1.0,2.0,3.0", "7,0.0,1.0,300.0,3.0"],
            "DIR/train.csv, line 3, column 4: '300.0' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0.0,1.0,2.0,3.0", "7,0.0,1.0,x,3.0"],
            "DIR/train.csv, line 3, column 4: 'x' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, "7,0,1,2,3", '7,0,"1,2",3'],
            "DIR/train.csv, line 3: 4 columns, but the first row has 5. Mend the line.",
        ),
        (
            [HEADER, "7,0,1,2,3", '7,0,"1,2",3,4'],
            "DIR/train.csv, line 3, column 3: '1,2' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [HEADER, '"seven,0,1,2,3'],
            "DIR/train.csv, line 2: its quotes cannot be read (unexpected end of data). "
            "Put a whole field between two quotes on one line, and write a quote inside it twice.",
        ),
        ([HEADER, "7,0,1,2,3", "NaN,0,1,2,3"], "DIR/train.csv, line 3: the label is missing. Fill it in."),
        (
            ["1,2,3,4", "0,0.5,0,1"],
            "DIR/train.csv, line 2, column 2: '0.5' is no whole number from 0 to 255. "
            "Mend it, or save floating point numbers as .npy.",
        ),
        (
            [",".join(["1"] * 7)],
            "DIR/train.csv: 7 columns are no square image, grey or color, with or without a label. "
            "Save other shapes as .npy.",
        ),
        (
            ["label,p,q,r", "1,2,3,4"],
            "DIR/train.csv: 3 pixels are no square image, grey or color. Save other shapes as .npy.",
        ),
        (
            ["digit,p,q,r,s", "1,2,3,4,5"],
            "DIR/train.csv: 5 pixels are no square image, grey or color. "
            "If 'digit' holds labels, call it label; if numbers of images, call it id.",
        ),
        (
            ["label,p,q,r,s,class", "1,2,3,4,5,6"],
            "DIR/train.csv: the header calls label, class what is no pixel, but that stands before or after all "
            "pixels, and one column at most holds labels. Move or rename the others.",
        ),
        (
            ["p,q,id,r,s", "1,2,3,4,5"],
            "DIR/train.csv: the header calls id what is no pixel, but that stands before or after all pixels, "
            "and one column at most holds labels. Move or rename the others.",
        ),
        (
            [",".join(["1"] * 49)],
            "DIR/train.csv: 49 columns are 49 pixels, or a label and 48 pixels. "
            "Put a header before the rows that calls the labels label.",
        ),
    ],
)
def test_refused(refused, lines, message):
    assert refused(*lines) == message


def test_refused_as_files(refused, tmp_path):
    assert refused("7,0,1,2,3", split="test") == (
        "DIR/train.csv: split 'test' was asked for, but the set has no parts. Leave split= out."
    )
    for content, message in (
        (b"\xff\xfe1,2\n", "DIR/a.csv, line 1: no text in UTF-8 (invalid start byte). Save it as UTF-8."),
        (b"1,2,3\x004\n", "DIR/a.csv, line 1: has control characters, it is no line of text. Replace the file."),
        (b"1," * (1 << 23), "DIR/a.csv, line 1: longer than 16,777,216 bytes. Give a table with a row an image."),
        (
            gzip.compress(b"1,2,3,4\n" * 50)[:-9],
            "DIR/a.csv: the gzip stream is damaged (Compressed file ended before the end-of-stream marker was "
            "reached). Fetch the file again.",
        ),
    ):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(DataError) as error:
            load_images(tmp_path / "a.csv")
        assert str(error.value).replace(str(tmp_path), "DIR") == message


def test_ten_thousand_rows_take_no_more_memory_than_they_need(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (10_000, 785), np.uint8)
    lines = [",".join(map(str, row)) for row in X[:500].tolist()] * 20
    X = np.tile(X[:500], (20, 1))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = load_images(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.X.reshape(10_000, -1), X[:, 1:])
    tracemalloc.start()
    try:
        csv_pixels.read(tmp_path / "a.csv", None, None, None)
        assert tracemalloc.get_traced_memory()[1] < 4 * X.nbytes
    finally:
        tracemalloc.stop()
