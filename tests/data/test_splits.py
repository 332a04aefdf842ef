"""Parts of a set under whatever word."""

import pytest

from depthwise.data.splits import choose_split
from depthwise.errors import DataError


@pytest.mark.parametrize(
    ("wanted", "present", "chosen"),
    [
        (None, (), None),
        (None, ("test",), "test"),
        (None, ("test", "train"), "train"),
        ("val", ("train", "valid"), "valid"),
        ("t10k", ("train", "test"), "test"),
    ],
)
def test_chosen(wanted, present, chosen):
    assert choose_split("photos", wanted, present) == chosen


@pytest.mark.parametrize(
    ("wanted", "present", "message"),
    [
        (
            None,
            ("valid", "test"),
            "photos: holds the parts valid, test, but no train. Say which one with split=, or give that part alone.",
        ),
        (1, ("train",), "photos: unknown split 1. Choose one of train, valid, test."),
        (0, (), "photos: unknown split 0. Choose one of train, valid, test."),
        ("dev", ("train",), "photos: unknown split 'dev'. Choose one of train, valid, test."),
        ("test", (), "photos: split 'test' was asked for, but the set has no parts. Leave split= out."),
        (
            "valid",
            ("train", "test"),
            "photos: split 'valid' was asked for, but only train, test is there. "
            "Choose what is there with split=, on the command line --split.",
        ),
    ],
)
def test_refused(wanted, present, message):
    with pytest.raises(DataError) as error:
        choose_split("photos", wanted, present)
    assert str(error.value) == message
