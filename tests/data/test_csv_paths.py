"""Tables of picture files: which column is what, and what is left out and said."""

import pytest

from depthwise.data import csv_paths, load_images
from depthwise.errors import DataError


@pytest.fixture
def read(tmp_path, write_picture):
    """By the reader alone, beside pictures a.png to d.png of 0, 10, 20, 30."""
    for i, name in enumerate("abcd"):
        write_picture(f"photos/{name}.png", 10 * i)

    def read_lines(*lines: str, **options):
        (tmp_path / "all.csv").write_text("\n".join(lines), encoding="utf-8")
        assert csv_paths.recognizes(tmp_path / "all.csv")
        return csv_paths.read(tmp_path / "all.csv", options.get("size"), options.get("split"), None)

    return read_lines


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        (["photos/c.png,cat", "photos/a.png,dog"], ["cat", "dog"]),
        (["5;photos/c.png", "7;photos/a.png"], [5, 7]),
        (["file_name", "photos/c.png", "photos/a.png"], None),
        (["id,Label,image,weight", "1,cat,photos/c.png,2", "2,dog,photos/a.png,2"], ["cat", "dog"]),
        (["file;label", "photos/c.png;cat, black", "photos/a.png;dog"], ["cat, black", "dog"]),
        (["photos/c.png;cat, black, big", "photos/a.png;dog"], ["cat, black, big", "dog"]),
        (['photos/c.png,"small; striped; young"', 'photos/a.png,"a ""dog"""'], ["small; striped; young", 'a "dog"']),
        (["image_id,file", "7,photos/c.png", "3,photos/a.png"], None),
        (["photos/c.png,01", "photos/a.png,1"], ["01", "1"]),
        (['"name","kind"', '"photos/c.png","a cat, maybe"', '"photos/a.png","dog"'], ["a cat, maybe", "dog"]),
    ],
)
def test_which_column_is_what(read, tmp_path, lines, labels):
    found = read(*lines)
    assert found.X[:, 0, 0, 0].tolist() == [20, 0]
    assert (None if found.y is None else found.y.tolist()) == labels
    assert found.paths == (tmp_path / "photos/c.png", tmp_path / "photos/a.png")
    assert found.problems == ()


def test_by_the_door(read, tmp_path):
    read("photos/c.png,5", "photos/a.png,7")
    found = load_images(tmp_path / "all.csv", size=3)
    assert found.X.shape == (2, 1, 3, 3)
    assert found.problems == ("2 images of a single color: c.png, a.png",)


def test_what_is_missing_is_said(read, tmp_path):
    (tmp_path / "photos/e.png").write_bytes(b"broken")
    found = read("photos/a.png,5", "photos/x.png,six", "photos/e.png,7", "photos/b.png,8")
    assert found.y.tolist() == [5, 8]
    assert found.problems == (
        "1 picture skipped, not there: photos/x.png",
        "1 picture skipped, unreadable: photos/e.png (no picture inside)",
    )
    assert found.ids == ("a", "b") and found.skipped == ("photos/x.png", "photos/e.png")


def test_ids_stay_with_their_pictures(read, tmp_path):
    (tmp_path / "photos/e.png").write_bytes(b"broken")
    found = read("id,file", "12,photos/d.png", "3,photos/e.png", "007,photos/b.png")
    assert found.ids == ("12", "007") and found.X[:, 0, 0, 0].tolist() == [30, 10]
    found = read("id,file,label", "5,photos/d.png,cat", "6,photos/a.png,dog")
    assert found.ids == ("5", "6") and found.y.tolist() == ["cat", "dog"]
    assert read("image_id,label", "photos/d.png,cat").ids == ("photos/d.png",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["x.png,5", "y.png,6"],
            "DIR/all.csv: none of its 2 pictures is there, such as DIR/x.png. "
            "Put the table into the folder that its paths begin at.",
        ),
        (["photos/a.png,5", "photos/b.png"], "DIR/all.csv, line 2: 1 columns, but there are 2. Mend the line."),
        (["photos/a.png,5", "photos/b.png,"], "DIR/all.csv, line 2: the label is missing. Fill it in."),
        (["photos/a.png,5", "photos/b.png,NA"], "DIR/all.csv, line 2: the label is missing. Fill it in."),
        (
            ["photos/a.png,5", 'photos/b.png,"a"b'],
            "DIR/all.csv, line 2: its quotes cannot be read (',' expected after '\"'). "
            "Put a whole field between two quotes on one line, and write a quote inside it twice.",
        ),
        (
            ["photos/a.png,5,6"],
            "DIR/all.csv: 2 columns besides the paths, 0 of them called one of label, labels, class, target, y. "
            "Put a header before the rows that calls the labels label.",
        ),
    ],
)
def test_refused(read, tmp_path, lines, message):
    with pytest.raises(DataError) as error:
        read(*lines)
    assert str(error.value).replace(str(tmp_path), "DIR") == message
