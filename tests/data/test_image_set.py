"""The record checks itself."""

from pathlib import Path

import numpy as np
import pytest

from depthwise.data import ImageSet
from depthwise.errors import DataError

X = np.zeros((3, 1, 8, 6), np.uint8)


def test_what_it_says():
    pets = ImageSet(X=X, y=np.array(["dog", "cat", "dog"]), source="pets", split="train", splits=("train", "test"))
    assert repr(pets) == "<ImageSet 'pets' (train): 3 images of 1x8x6, 2 classes>"
    assert pets.input_shape == (1, 8, 6)
    assert pets.classes == ("cat", "dog")
    assert pets.require_classes() is pets


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"X": X[0]},
            "pets: X has 3 dimensions but images need 4. Give it the shape (n_images, channels, height, width).",
        ),
        ({"y": np.arange(2)}, "pets: 3 images but 2 labels. Give each image one."),
        ({"paths": (Path("a.png"),)}, "pets: 3 images but 1 paths. Give each image one."),
        ({"ids": ("a", "b")}, "pets: 3 images but 2 ids. Give each image one."),
    ],
)
def test_what_does_not_fit(options, message):
    with pytest.raises(DataError) as error:
        ImageSet(**({"X": X, "y": np.arange(3), "source": "pets"} | options))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("labels", "minimum", "message"),
    [
        ([7, 7, 7], 2, "pets: all 3 images are of one class, 7, but training needs 2. Add images of another."),
        ([7, 7, 8], 3, "pets: 3 images of 2 classes, but training needs 3. Add images of another."),
        ([], 2, "pets: no images, but training needs 2. Add images of another."),
    ],
)
def test_too_few_classes(labels, minimum, message):
    with pytest.raises(DataError) as error:
        ImageSet(X=X[: len(labels)], y=np.array(labels), source="pets").require_classes(minimum)
    assert str(error.value) == message


def test_a_set_without_labels():
    pets = ImageSet(X=X, y=None, source="pets")
    assert repr(pets) == "<ImageSet 'pets': 3 images of 1x8x6, no labels>"
    assert pets.classes == () and pets.counts == {}
    for require in (pets.require_labels, pets.require_classes):
        with pytest.raises(DataError) as error:
            require()
        assert str(error.value) == "pets: 3 images without labels, but labels are needed. Add them."
