"""A submission is what Kaggle reads, and whole."""

import csv

import numpy as np
import pytest

from depthwise.data import write_submission
from depthwise.errors import DataError, FileError


@pytest.mark.parametrize("labels", [np.array([2, 0, 9]), ["cat", 'a "dog", big', "ümlaut"], np.array([], int)])
def test_it_is_read_back(tmp_path, labels):
    (tmp_path / "s.csv").write_text("old\n" * 100)
    write_submission(tmp_path / "s.csv", labels)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    assert head == ["ImageId", "Label"]
    assert rows == [[str(i), str(label)] for i, label in enumerate(labels, 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_ids_go_with_their_labels(tmp_path):
    write_submission(tmp_path / "s.csv", [2, 0, 9], ["7", 'a "b", c', "01"])
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream))[1:] == [["7", "2"], ['a "b", c', "0"], ["01", "9"]]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["1", "2"], "labels: 3 of them, but 2 ids. Give each image one."),
        (
            ["1", "2", "1"],
            "ids: 1 stands for several images, so that their labels cannot be told apart. Give each image its own.",
        ),
    ],
)
def test_ids_that_do_not_tell_images_apart(tmp_path, ids, message):
    with pytest.raises(DataError) as error:
        write_submission(tmp_path / "s.csv", [2, 0, 9], ids)
    assert str(error.value) == message and list(tmp_path.iterdir()) == []


def test_refused(tmp_path):
    with pytest.raises(DataError) as error:
        write_submission(tmp_path / "s.csv", np.eye(3))
    assert str(error.value) == "labels: of shape 3x3, but each image has one. Give what predict returns."
    with pytest.raises(FileError, match="is a folder"):
        write_submission(tmp_path, [1])
    assert list(tmp_path.iterdir()) == []
