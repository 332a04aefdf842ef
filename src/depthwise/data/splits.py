"""The parts of a set: train, valid and test, under whatever word they come."""

from collections.abc import Collection

from depthwise.errors import DataError, UnsplitError

_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
    "t10k": "test",  # the 10,000 test images of MNIST
}
ORDER = ("train", "valid", "test")


def split_of(word: str) -> str | None:
    """The part that `word` stands for, or None.

    Examples
    --------
    >>> split_of("val"), split_of("Train"), split_of("cat")
    ('valid', 'train', None)
    """
    return _WORDS.get(word.lower())


def choose_split(source: str, wanted: str | None, present: Collection[str]) -> str | None:
    """The part to read: the wanted one, else train, else the only one; None for a set without parts.

    Raises
    ------
    DataError
        `wanted` is no part or is not there, or nothing is wanted and several parts but no train are there.

    Examples
    --------
    >>> choose_split("photos", None, ["train", "test"]), choose_split("photos", "val", ["train", "valid"])
    ('train', 'valid')
    """
    parts = ", ".join(present)
    if wanted is None:
        if len(present) > 1 and "train" not in present:
            raise DataError(
                f"{source}: holds the parts {parts}, but no train. Say which one with split=, or give that part alone."
            )
        return next(iter(sorted(present, key=ORDER.index)), None)
    split = split_of(wanted) if isinstance(wanted, str) else None
    if split is None:
        raise DataError(f"{source}: unknown split {wanted!r}. Choose one of {', '.join(ORDER)}.")
    if not present:
        raise UnsplitError(f"{source}: split {wanted!r} was asked for, but the set has no parts. Leave split= out.")
    if split not in present:
        raise DataError(
            f"{source}: split {wanted!r} was asked for, but only {parts} is there. "
            "Choose what is there with split=, on the command line --split."
        )
    return split
