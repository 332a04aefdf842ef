"""A folder per class, or the batches of CIFAR, inside a tar file: read without unpacking it to the disk.

A folder may hold several such files, called after the parts: train.tar.xz and test.tar.xz.
"""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np

from depthwise.data import cifar
from depthwise.data.cached import keep, state_of
from depthwise.data.image_set import ImageSet
from depthwise.data.pictures import Size, is_picture, note, read_pictures
from depthwise.data.splits import ORDER, choose_split, split_of
from depthwise.errors import DataError

_COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
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
        facts = {"problems": images.problems, "split": images.split, "splits": images.splits}
        return facts | {"y": images.require_labels().tolist()}

    X, facts = keep(cache, (str(path.absolute()), size, split), state_of(path), make)
    problems, splits = tuple(facts["problems"]), tuple(facts["splits"])
    return ImageSet(X=X, y=np.array(facts["y"]), source=source, problems=problems, split=facts["split"], splits=splits)


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
    loose = [name for name, where in placed.items() if len(where) < 2]
    part_of = {name: split_of(where[-3]) if len(where) > 2 else None for name, where in placed.items()}
    present = [part for part in ORDER if part in part_of.values()]
    chosen = choose_split(source, split, present)
    names = [name for name in placed if name not in loose and part_of[name] == chosen]
    if not names:
        raise DataError(f"{source}: no pictures in folders. Pack a folder for each class.")
    X, kept, unreadable = read_pictures(source, [members[name] for name in names], names, size)
    problems = (note(others, "file", "skipped, no picture"), note(loose, "picture", "skipped, outside class folders"))
    return ImageSet(
        X=X,
        y=np.array([placed[names[i]][-2] for i in kept]),
        source=source,
        problems=(*filter(None, problems), *unreadable),
        split=chosen,
        splits=tuple(present),
    )
