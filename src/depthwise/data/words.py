"""Words for well-known sets: "digits", "mnist", "cifar10"."""

from dataclasses import replace
from os import PathLike
from pathlib import Path

from depthwise.data import datasets
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, resize
from depthwise.data.splits import choose_split

WORDS = ("digits", "mnist", "cifar10")


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a word itself; a `Path` never is, nor ``"./digits"``."""
    return path in WORDS


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The set of that name, from where `datasets` finds it without fetching."""
    word = str(path)
    if word == "digits":
        choose_split(word, split, ())
        images = datasets.digits()
    else:
        images = getattr(datasets, word)("train" if split is None else split)
    problems: tuple[str, ...] = ()
    if Path(word).exists():
        problems = (f"{word!r} is the well-known set of that name; write './{word}' for what is called so here",)
    return replace(images, X=resize(images.X, size), problems=(*images.problems, *problems))
