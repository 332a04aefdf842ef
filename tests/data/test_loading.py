"""One door: which form is it, and what if it is none."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from depthwise.data import load_images
from depthwise.errors import DataError


def test_digits_are_scikit_learns():
    digits, bunch = load_images("digits"), load_digits()
    assert digits.X.dtype == np.uint8
    np.testing.assert_array_equal(digits.X[:, 0], bunch.images)
    np.testing.assert_array_equal(digits.y, bunch.target)
    assert digits.classes == tuple(range(10)) and digits.problems == () and digits.paths is None
    resized = load_images("digits", size=(16, 12)).X
    assert resized.shape == (1797, 1, 16, 12) and resized.max() <= 16


def test_a_folder_called_digits(write_picture, tmp_path, monkeypatch):
    write_picture("digits/seven/1.png")
    monkeypatch.chdir(tmp_path)
    assert load_images("./digits").classes == ("seven",)
    assert load_images("digits").problems == (
        "'digits' is the well-known set of that name; write './digits' for what is called so here",
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere",
            "no such file or folder. Give a folder of class folders, a file of images, or the word 'digits'.",
        ),
        ("cat.jpg", "one picture is no set of labeled images. Give the folder that holds the class folders."),
        (
            "notes.txt",
            "a file of unknown form. Give a .csv, .npz, .npy, .tar.gz or IDX file, or a folder.",
        ),
    ],
)
def test_refused(tmp_path, name, message):
    if name != "nowhere":
        (tmp_path / name).touch()
    with pytest.raises(DataError) as error:
        load_images(tmp_path / name)
    assert str(error.value) == f"{tmp_path / name}: {message}"


def test_digits_have_no_parts():
    with pytest.raises(DataError) as error:
        load_images("digits", split="test")
    assert str(error.value) == "digits: split 'test' was asked for, but the set has no parts. Leave split= out."
