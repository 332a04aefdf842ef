"""Picture files -> one array, decoded by several threads at once."""

import io
import operator
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from depthwise.errors import DataError

Size = int | tuple[int, int]
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_SHOWN = 3  # names in a note
_MAX_CHUNK = 32  # pictures a thread takes at once: small ones decode faster than threads change


class Pictures(NamedTuple):
    """What `read_pictures` could read: the array, the positions in the list of paths, and notes on the others."""

    X: NDArray[np.uint8]
    kept: list[int]
    problems: tuple[str, ...]


def find_pictures(paths: str | PathLike[str] | Iterable[str | PathLike[str]]) -> tuple[str, list[Path]]:
    """What was given, for messages, and the files of all pictures there: one or more.

    Raises
    ------
    DataError
        A path does not exist, or no picture is there.
    """
    given = [Path(p).expanduser() for p in ([paths] if isinstance(paths, str | PathLike) else paths)]
    files: list[Path] = []
    for path in given:
        try:
            if not path.exists():
                raise DataError(f"{path}: no such file or folder. Give a picture or a folder of pictures.")
            inside = (
                sorted(p for p in path.iterdir() if is_picture(p.name) and p.is_file()) if path.is_dir() else [path]
            )
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error
        files += inside
    where = str(given[0]) if len(given) == 1 else f"{len(given)} paths"
    if not files:
        raise DataError(f"{where}: no pictures here. Give a picture or a folder of pictures.")
    return where, files


def read_pictures(
    source: str,
    files: Sequence[Path | bytes],
    names: Sequence[str],
    size: Size | None = None,
    channels: int | None = None,
) -> Pictures:
    """Decode files or their content, at least one, into one array; `names` are theirs in messages.

    Without `channels` there is one if all pictures are greyscale, else three.

    Raises
    ------
    DataError
        No file can be read, or sizes differ and `size` is None.
    """
    roll = Roll(source, names)
    images = roll.take(0, decode_all(files, None if size is None else as_size(size), channels))
    problems = roll.problems()
    n_channels = channels or max(1 if pixels.ndim == 2 else 3 for pixels in images)
    X = np.empty((len(images), n_channels, *roll.shape), np.uint8)
    for place in reversed(range(len(images))):
        # Popped, so that the pixels are not in memory twice.
        X[place] = as_planes(images.pop())
    return Pictures(X, roll.kept, problems)


class Roll:
    """What is known of pictures while they are decoded, some at a time."""

    def __init__(self, source: str, names: Sequence[str]) -> None:
        self.source, self.names = source, names
        self.kept: list[int] = []
        self.shape: tuple[int, ...] = ()  # height and width
        self._unread: list[str] = []
        self._deep: list[str] = []

    def take(self, start: int, decoded: "Sequence[Decoded]") -> list[NDArray[np.uint8]]:
        """The pixels of those that could be read, of the pictures from number `start` on.

        Raises
        ------
        DataError
            One has another size than the first.
        """
        images = []
        for i, (pixels, fact) in enumerate(decoded, start):
            if pixels is None:
                self._unread.append(f"{self.names[i]} ({fact})")
                continue
            self.shape = self.shape or pixels.shape[:2]
            if pixels.shape[:2] != self.shape:
                (h1, w1), (h2, w2) = self.shape, pixels.shape[:2]
                raise DataError(
                    f"{self.source}: {self.names[self.kept[0]]} is {h1}x{w1} but {self.names[i]} is {h2}x{w2} "
                    f"(height x width). Give a size to bring all to, such as size={min(h1, w1)} or size=({h1}, {w1})."
                )
            if fact:
                self._deep.append(self.names[i])
            self.kept.append(i)
            images.append(pixels)
        return images

    def problems(self) -> tuple[str, ...]:
        """Notes on pictures that were skipped or changed.

        Raises
        ------
        DataError
            None could be read.
        """
        if not self.kept:
            raise DataError(
                f"{self.source}: none of {len(self.names)} pictures can be read: {shortened(self._unread)}. "
                "Save them as PNG or JPEG."
            )
        unread = note(self._unread, "picture", "skipped, unreadable")
        return tuple(filter(None, (unread, note(self._deep, "picture", "cut from 16 bits to 8"))))


def as_planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey or color pixels with the channels in front."""
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def resize(X: NDArray[Any], size: Size | None) -> NDArray[Any]:
    """Images of shape (n, channels, height, width) at another size, by the rule of `load_images`; None keeps them."""
    if size is None or as_size(size) == X.shape[2:]:
        return X
    height, width = as_size(size)
    planes = X.reshape(-1, *X.shape[2:])
    resized = np.empty((len(planes), height, width), X.dtype)
    for plane, out in zip(planes, resized, strict=True):
        out[...] = np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
    return resized.reshape(*X.shape[:2], height, width)


def as_size(size: Size) -> tuple[int, int]:
    """(height, width) of a size given as one number or two.

    Raises
    ------
    DataError
        It is something else.

    Examples
    --------
    >>> as_size(32), as_size((28, 32))
    ((32, 32), (28, 32))
    """
    try:
        height, width = map(operator.index, size if isinstance(size, Sequence) else (size, size))
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise DataError(f"size={size!r}: not a size in pixels. Give one whole number, or (height, width).")
    return height, width


def is_picture(name: str) -> bool:
    """Whether a file of this name is visible and a picture by its ending."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122, 10 times as fast


def note(names: Sequence[str], noun: str, what: str) -> str | None:
    """A sentence for `ImageSet.problems`, or None if nothing bears a name.

    Examples
    --------
    >>> note(["a.txt", "b.txt", "c.txt", "d.txt"], "file", "skipped, no picture")
    '4 files skipped, no picture: a.txt, b.txt, c.txt, ...'
    """
    return f"{len(names)} {noun}{'s' * (len(names) != 1)} {what}: {shortened(names)}" if names else None


def left_out(names: Sequence[str], kept: Sequence[int]) -> tuple[str, ...]:
    """Names of what was not kept.

    >>> left_out(["a.png", "b.png", "c.png"], [0, 2])
    ('b.png',)
    """
    there = set(kept)
    return tuple(name for i, name in enumerate(names) if i not in there)


def shortened(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join([*names[:_SHOWN], *["..."] * (len(names) > _SHOWN)])


# Pixels of shape (height, width) or (height, width, 3), and whether they had 16 bits; or None, and why not.
Decoded = tuple[NDArray[np.uint8], bool] | tuple[None, str]


def decode_all(files: Sequence[Path | bytes], size: tuple[int, int] | None, channels: int | None) -> list[Decoded]:
    """Each file decoded, or why it could not be."""
    n_threads = min(32, os.cpu_count() or 1)
    step = max(1, min(_MAX_CHUNK, len(files) // (4 * n_threads)))
    chunks = [files[i : i + step] for i in range(0, len(files), step)]
    with ThreadPoolExecutor(n_threads) as pool:
        return [one for chunk in pool.map(lambda c: [_decode(f, size, channels) for f in c], chunks) for one in chunk]


def _decode(file: Path | bytes, size: tuple[int, int] | None, channels: int | None) -> Decoded:
    try:
        # In one go: Pillow's own reading of a small file takes a quarter of the whole time (13.0, 32x32 JPEG).
        content = file if isinstance(file, bytes) else file.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            if size:
                # JPEG decodes an eighth, a quarter or half of the pixels for a fraction of the time; twice the size
                # that is wanted leaves the interpolation something to average.
                image.draft(None, (2 * max(size), 2 * max(size)))
            ImageOps.exif_transpose(image, in_place=True)
            deep = _is_16_bit(image)
            flat = _flatten(image, channels, deep)
            if size and flat.size != size[::-1]:
                flat = flat.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(flat), deep
    except UnidentifiedImageError:
        return None, "no picture inside"
    # A damaged file makes Pillow raise nearly anything: OSError, SyntaxError, struct.error, EOFError ...
    except Exception as error:
        return None, str(error).split(": ")[0] or type(error).__name__


def _is_16_bit(image: Image.Image) -> bool:
    # Pillow has read 16 bits of PNG as 32, of which PNG has none.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _flatten(image: Image.Image, channels: int | None, deep: bool) -> Image.Image:
    """The picture in mode L or RGB: greyscale stays so unless `channels` says otherwise."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if deep:
            values = values >> 8
        elif values.min() < 0 or values.max() > 255:
            # How bright its brightest value is, nothing says; a guess by each picture would not compare them.
            raise ValueError(f"32-bit integers from {values.min()} to {values.max()}, not 0 to 255")
        image = Image.fromarray(values.astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("32-bit floats")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    mode = "RGB" if channels == 3 or (channels is None and not grey) else "L"
    return image if image.mode == mode else image.convert(mode)
