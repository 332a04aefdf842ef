"""What is odd about images that could all be read: found by brute force, said once, and cheaply."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthwise.data import ImageSet, datasets, find_duplicates
from depthwise.data.duplicates import EXAMINED_BYTES, IMBALANCE

few = st.lists(st.integers(0, 9), min_size=1, max_size=12)


def images(levels, labels=None, **options) -> ImageSet:
    """Images whose pixels say which is equal to which, none of a single color."""
    X = np.arange(24, dtype=np.uint8).reshape(1, 1, 4, 6) + np.array(levels, np.uint8)[:, None, None, None]
    return ImageSet(X=X, y=None if labels is None else np.array(labels), source="pets", **options)


@given(a=few, b=few)
def test_every_repeated_image_is_found(a, b):
    within = [[i, a.index(level)] for i, level in enumerate(a) if a.index(level) != i]
    between = [[i, b.index(level)] for i, level in enumerate(a) if level in b]
    assert find_duplicates(images(a)).tolist() == within
    assert find_duplicates(images(a), images(b)).tolist() == between


def test_other_shapes_and_types_are_never_equal():
    grey = ImageSet.from_arrays(np.zeros((2, 8, 8), np.uint8))
    assert len(find_duplicates(grey, ImageSet.from_arrays(np.zeros((2, 4, 4, 4), np.uint8)))) == 0
    assert len(find_duplicates(grey, ImageSet.from_arrays(np.zeros((2, 8, 8), np.float32)))) == 0
    assert len(find_duplicates(grey, grey)) == 1


def test_what_is_told():
    paths = tuple(Path("pets", label, f"{i}.png") for i, label in enumerate(["cat", "cat", "dog", "dog"]))
    pets = images([1, 1, 1, 5], ["cat", "cat", "dog", "dog"], paths=paths, problems=("1 file skipped: a",))
    assert pets.examined().problems == (
        "1 file skipped: a",
        "1 image repeated pixel by pixel: cat/1.png = cat/0.png",
        "1 image repeated pixel by pixel under another label: dog/2.png = cat/0.png",
    )
    assert pets.examined().examined().problems == pets.examined().problems
    plain = ImageSet.from_arrays(np.repeat(np.arange(5), 192).reshape(5, 3, 8, 8))
    assert plain.problems == ("5 images of a single color: image 0, image 1, image 2, ...",)
    # Each channel of one value is one color, whatever the others are.
    assert "1 image of a single color" in ImageSet.from_arrays(np.arange(3).repeat(64).reshape(1, 3, 8, 8)).problems[0]


def test_unequal_classes():
    assert IMBALANCE == 10
    nearly = images(range(11), ["cat"] * 9 + ["dog"] * 2)
    assert nearly.examined().problems == ()
    assert images(range(11), ["cat"] * 10 + ["dog"]).examined().problems == (
        "classes are unbalanced: 10 images of cat, but 1 of dog",
    )
    assert nearly.counts == {"cat": 9, "dog": 2} and images([1]).counts == {}


def test_large_sets_are_searched_only_on_request(monkeypatch):
    monkeypatch.setattr("depthwise.data.image_set.EXAMINED_BYTES", 100)
    large = images([1] * 11, ["cat"] * 10 + ["dog"])
    assert large.X.nbytes > 100
    assert large.examined().problems == ("classes are unbalanced: 10 images of cat, but 1 of dog",)
    assert len(large.examined(whole=True).problems) == 3


def test_describe():
    pets = images([1, 1, 5], ["dog", "cat", "dog"], split="train", splits=("train", "test")).examined()
    assert pets.describe() == (
        "pets (train of train, test): 3 images of 1x4x6, uint8\n"
        "2 classes: cat 1, dog 2\n"
        "note: 1 image repeated pixel by pixel under another label: image 1 = image 0"
    )
    assert images([1, 2]).describe() == "pets: 2 images of 1x4x6, uint8\nno labels"
    assert images(range(21), range(21)).describe().endswith("21 classes: 1 to 1 images each, in the middle 1")


def test_mnist_is_searched_whole(data_dir, monkeypatch):
    if not (data_dir / "mnist").is_dir():
        pytest.skip(f"no mnist in {data_dir}")
    monkeypatch.setenv("DEPTHWISE_DATA", str(data_dir))
    train, test = datasets.mnist(), datasets.mnist("test")
    assert train.X.nbytes < EXAMINED_BYTES
    assert train.examined().problems == ()
    # No image of MNIST is there twice, whichever part.
    assert len(find_duplicates(test, train)) == 0
    again = find_duplicates(ImageSet(X=train.X[[70, 60]], y=None, source="again"), train)
    assert again.tolist() == [[0, 70], [1, 60]]
