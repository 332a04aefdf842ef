"""A folder per class, with or without train, valid and test above."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from depthwise.data.cached import read_files
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, is_picture, left_out, note, shortened
from depthwise.data.splits import ORDER, choose_split, split_of
from depthwise.errors import DataError

_FORMS = (".csv", ".csv.gz", ".npz", ".npy", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a folder."""
    return Path(path).is_dir()


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The pictures of one part, sorted by class and name, with the names of their folders as labels."""
    path = Path(path)
    parts = _parts(path)
    chosen = choose_split(str(path), split, parts)
    root = parts[chosen] if chosen else path
    listing = _list(root)
    if not listing.pictures:
        raise DataError(f"{root}: {listing.why_no_pictures()}")
    names = [f"{label}/{name}" for label, name in listing.pictures]
    X, kept, unreadable = read_files(str(root), [root / name for name in names], names, size, cache)
    beside = [e.name for e in _scan(path) if _is_visible_folder(e) and Path(e) not in parts.values()] if parts else []
    lost = sorted({label for label, _ in listing.pictures} - {listing.pictures[i][0] for i in kept})
    problems = [
        note(beside, "folder", f"left out, beside {', '.join(parts)}"),
        *listing.problems(),
        *unreadable,
        note(lost, "class folder", "left out, without a readable picture"),
    ]
    return ImageSet(
        X=X,
        y=np.array([listing.pictures[i][0] for i in kept]),
        source=str(path),
        paths=tuple(root / names[i] for i in kept),
        ids=tuple(Path(names[i]).stem for i in kept),
        skipped=left_out(names, kept),
        problems=tuple(filter(None, problems)),
        split=chosen,
        splits=tuple(parts),
    )


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """What lies in a folder of class folders; names are relative to it."""

    pictures: list[tuple[str, str]] = field(default_factory=list)  # label, file name
    hidden: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def problems(self) -> tuple[str | None, ...]:
        return (
            note(self.hidden, "hidden file", "skipped"),
            note(self.others, "file", "skipped, no picture"),
            note(self.loose, "picture", "skipped, outside the class folders"),
            note(self.nested, "folder", "skipped, inside a class folder"),
            note(self.empty, "class folder", "left out, without pictures"),
        )

    def why_no_pictures(self) -> str:
        if self.nested:
            return f"only folders in its folders: {shortened(self.nested)}. Give the folder above the class folders."
        if self.loose:
            n = len(self.loose)
            return f"{n} picture{'s' * (n > 1)} but no class folders. Move those of each class to a folder of its own."
        if self.empty:
            return f"no pictures in its class folders {shortened(self.empty)}. Put PNG, JPEG or other pictures there."
        if files := [name for name in self.others if name.lower().endswith(_FORMS)]:
            return f"no class folders, but {shortened(files)}. Give the file itself."
        return "no class folders and no IDX files. Put the pictures of each class into a folder of its own."


def _list(root: Path) -> _Listing:
    listing = _Listing()
    for entry in _scan(root):
        if _is_hidden(entry.name):
            listing.hidden.append(entry.name)
        elif not entry.is_dir():
            (listing.loose if is_picture(entry.name) else listing.others).append(entry.name)
        else:
            n_before = len(listing.pictures)
            for inner in _scan(entry):
                name = f"{entry.name}/{inner.name}"
                if _is_hidden(inner.name):
                    listing.hidden.append(name)
                elif inner.is_dir():
                    listing.nested.append(name)
                elif is_picture(inner.name):
                    listing.pictures.append((entry.name, inner.name))
                else:
                    listing.others.append(name)
            if len(listing.pictures) == n_before:
                listing.empty.append(entry.name)
    return listing


def _parts(path: Path) -> dict[str, Path]:
    """The folders that stand for train, valid and test.

    A class may be called "train", among buses and cars: only one with class folders inside is a part.
    """
    parts: dict[str, Path] = {}
    for entry in _scan(path):
        part = split_of(entry.name)
        if part is None or not _is_visible_folder(entry) or not any(map(_has_pictures, _scan(entry))):
            continue
        if part in parts:
            both = f"{parts[part].name} and {entry.name}"
            raise DataError(f"{path}: {both} are both the {part} part. Rename one of them.")
        parts[part] = Path(entry)
    return {part: parts[part] for part in ORDER if part in parts}


def _has_pictures(entry: os.DirEntry[str]) -> bool:
    return _is_visible_folder(entry) and any(is_picture(inner.name) for inner in _scan(entry))


def _is_visible_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and not _is_hidden(entry.name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"  # the latter comes with archives made on a Mac


def _scan(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)
