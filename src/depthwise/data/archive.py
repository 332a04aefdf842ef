"""A folder per class, or the batches of CIFAR, inside a tar file: read without unpacking it to the disk.

A folder may hold several such files, called after the parts: train.tar.xz and test.tar.xz.
"""

import bz2
import gzip
import lzma
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np

from depthwise.data import cifar
from depthwise.data.cached import keep, state_of
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, is_picture, left_out, note, read_pictures
from depthwise.data.splits import ORDER, choose_split, split_of
from depthwise.errors import DataError

_Where = tuple[str, ...]  # folders from the archive down, and for a picture its name

_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
_LISTED = ("ids", "skipped", "problems", "splits")  # what is kept of an ImageSet beside its arrays
_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def recognizes(path: str | PathLike[str]) -> bool:
    """Whether `path` is a tar file, or a folder with one for a part."""
    path = Path(path)
    return _is_archive(path) or (path.is_dir() and bool(_parts(path)))


def read(path: str | PathLike[str], size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    """The pictures of one part in the order of the archive, with the names of their folders as labels."""
    path = Path(path)
    if not path.is_dir():
        return _read_kept(path, str(path), size, split, cache)
    parts = _parts(path)
    chosen = choose_split(str(path), split, parts) or next(iter(parts))
    images = _read_kept(parts[chosen], str(path), size, None, cache)
    return replace(images, split=chosen, splits=tuple(parts))


def _read_kept(path: Path, source: str, size: Size | None, split: str | None, cache: Path | None) -> ImageSet:
    if cache is None:
        return _read(path, source, size, split)

    def make(draft: Path) -> dict[str, Any]:
        images = _read(path, source, size, split)
        np.save(draft, images.X)
        listed = {name: getattr(images, name) for name in _LISTED}
        return listed | {"split": images.split, "y": images.require_labels().tolist()}

    X, facts = keep(cache, (str(path.absolute()), size, split), state_of(path), make)
    listed: dict[str, Any] = {name: None if facts[name] is None else tuple(facts[name]) for name in _LISTED}
    return ImageSet(X=X, y=np.array(facts["y"]), source=source, split=facts["split"], **listed)


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(_ENDINGS) and path.is_file()


def _parts(folder: Path) -> dict[str, Path]:
    found = {split_of(file.name.split(".")[0]): file for file in sorted(folder.iterdir()) if _is_archive(file)}
    return {part: found[part] for part in ORDER if part in found}


def _read(path: Path, source: str, size: Size | None, split: str | None) -> ImageSet:
    members: dict[str, bytes] = {}
    others: list[str] = []
    try:
        # As a stream: a compressed file that is sought in begins anew at each step back.
        with _unpacked(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isdir() or name.name.startswith("."):
                    continue
                wanted = is_picture(name.name) or cifar.is_member(name.name)
                # A sparse file is as long as its header says, with nothing in it; a link is no picture either.
                if wanted and member.isfile() and not member.issparse() and (content := tar.extractfile(member)):
                    members[str(name)] = content.read()
                else:
                    others.append(str(name))
            # To its end, where the checksum is.
            while stream.read(1 << 20):
                pass
    # What damage ends in differs between the ways of packing; only what the system refuses has a number.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path}: a damaged archive ({error}). Fetch the file again.") from error
    batches = {PurePosixPath(name).name: name for name in members if not is_picture(name)}
    if cifar.are_batches(batches):
        return cifar.read_batches(source, batches, lambda name: members[batches[name]], size, split)
    return _read_members(source, members, others, size, split)


def _unpacked(path: Path) -> BinaryIO:
    with path.open("rb") as probe:
        start = probe.read(6)
    for magic, opener in _COMPRESSED.items():
        if start.startswith(magic):
            return cast(BinaryIO, opener(path))
    return path.open("rb")


def _read_members(
    source: str, members: dict[str, bytes], others: list[str], size: Size | None, split: str | None
) -> ImageSet:
    placed = {name: PurePosixPath(name).parts for name in members if is_picture(name)}
    part_of = {name: split_of(where[-3]) if len(where) > 2 else None for name, where in placed.items()}
    present = [part for part in ORDER if part in part_of.values()]
    chosen = choose_split(source, split, present)
    folders = {where[:-1] for name, where in placed.items() if len(where) > 1 and part_of[name] == chosen}
    classes = folders if chosen else _side_by_side(folders)
    names = [name for name, where in placed.items() if where[:-1] in classes]
    if not names:
        raise DataError(f"{source}: no pictures in folders. Pack a folder for each class.")
    X, kept, unreadable = read_pictures(source, [members[name] for name in names], names, size)
    labels = [placed[name][-2] for name in names]
    lost = sorted(set(labels) - {labels[i] for i in kept})
    elsewhere = {placed[name][:-2] for name, part in part_of.items() if part not in (None, chosen)}
    outside = [where for where in placed.values() if where[:-1] not in classes and not _is_within(where, elsewhere)]
    problems = (
        note(others, "file", "skipped, no picture"),
        *_notes(outside, classes, ", ".join(present) or "the class folders"),
        *unreadable,
        note(lost, "class folder", "left out, without a readable picture"),
    )
    return ImageSet(
        X=X,
        y=np.array([labels[i] for i in kept]),
        source=source,
        ids=tuple(PurePosixPath(names[i]).stem for i in kept),
        skipped=left_out(names, kept),
        problems=tuple(filter(None, problems)),
        split=chosen,
        splits=tuple(present),
    )


def _side_by_side(folders: set[_Where]) -> set[_Where]:
    """The folders of the commonest depth, of two such the upper: classes, not what lies in or beside them."""
    depths = Counter(map(len, folders))
    depth = max(depths, key=lambda depth: (depths[depth], -depth), default=0)
    return {folder for folder in folders if len(folder) == depth}


def _is_within(where: _Where, folders: set[_Where]) -> bool:
    return any(where[:depth] in folders for depth in range(1, len(where)))


def _notes(outside: list[_Where], classes: set[_Where], what: str) -> tuple[str | None, ...]:
    """What a folder on the disk would say of pictures in no class folder; `what` they may lie beside."""
    above = {folder[:depth] for folder in classes for depth in range(len(folder))}
    roots = {folder[:-1] for folder in classes}
    beside: list[_Where] = []
    loose: list[_Where] = []
    nested: list[_Where] = []
    empty: list[_Where] = []
    for where in outside:
        folder = where[:-1]
        root = next((folder[:depth] for depth in range(len(folder) - 1) if folder[:depth] in roots), None)
        if root is not None:
            nested.append(folder[len(root) : len(root) + 2])
            empty += {folder[: len(root) + 1]} - classes
        elif folder in above:
            loose.append(where)
        else:
            beside.append(next(folder[:depth] for depth in range(1, len(where)) if folder[:depth] not in above))
    noted = (
        (beside, "folder", f"left out, beside {what}"),
        (loose, "picture", "skipped, outside the class folders"),
        (nested, "folder", "skipped, inside a class folder"),
        ([folder[-1:] for folder in empty], "class folder", "left out, without pictures"),
    )
    return tuple(note(["/".join(one) for one in dict.fromkeys(found)], noun, does) for found, noun, does in noted)
