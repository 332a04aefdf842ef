"""Files that nobody wrote: every reader ends in images or in one clear error, whatever the bytes are."""

import gzip
import io
import pickle
import random
import struct
import tracemalloc

import numpy as np
import pytest

from depthwise.data import batches, csv_paths, csv_pixels, load_images, read_idx
from depthwise.data.numpy_files import read_npy
from depthwise.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (2, 4, 4), np.uint8)
NUMBERS = [b"0", b"-1", b"255", b"256", b"1e9", b"nan", b"0.5", b"9" * 30, b"1_0", b"0x10", b"\xd9\xa3"]
PIECES = [b"", b",", b";", b"\n", b"\r", b'"', b"label", b"\0", b"\xff", b"\xef\xbb\xbf", b"a.png", *NUMBERS]


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, X=X, y=np.arange(2))
    return stream.getvalue()


def csv_bytes() -> bytes:
    head = ",".join(["label", *(f"p{i}" for i in range(16))])
    return "\n".join([head, *(",".join(map(str, [7, *image])) for image in X.reshape(2, -1).tolist()), ""]).encode()


def mutated(rng: random.Random, valid: bytes) -> bytes:
    """The valid file with some bytes changed, cut, doubled or replaced; now and then mere noise."""
    content = bytearray(valid if rng.random() < 0.95 else rng.randbytes(rng.randrange(60)))
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(6):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                content[at : at + rng.randrange(9)] = rng.choice(PIECES)
            case 2:
                del content[at : at + rng.randrange(1, 20)]
            case 3:
                content[at:at] = content[at : at + rng.randrange(30)]
            case 4:
                content[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff"])
            case 5:
                del content[at:]
    return bytes(content)


def read_table(path, content: bytes) -> None:
    path.write_bytes(content)
    form = csv_paths if csv_paths.recognizes(path) else csv_pixels
    form.read(path, None, None, None)


def read_file(path, content: bytes) -> None:
    path.write_bytes(content)
    load_images(path)


def read_idx_file(path, content: bytes) -> None:
    path.write_bytes(content)
    read_idx(path)


PICKLE = pickle.dumps({"data": X.reshape(2, 16), "labels": [1, 2], "names": ["a", "b"]}, 2)
IDX = struct.pack(">HBB3I", 0, 8, 3, 2, 4, 4) + X.tobytes()
READERS = {
    "csv": ("a.csv", csv_bytes(), read_table, 110_000),
    "csv.gz": ("a.csv.gz", gzip.compress(csv_bytes()), read_table, 10_000),
    "idx": ("a-idx", IDX, read_idx_file, 110_000),
    "idx.gz": ("a-idx.gz", gzip.compress(IDX), read_idx_file, 10_000),
    "npz": ("a.npz", npz(), read_file, 20_000),
    "npy": ("a.npy", npy(X), lambda path, content: read_npy(io.BytesIO(content), "a.npy"), 30_000),
    "cifar": ("batch", PICKLE, lambda path, content: batches.unpickle(content, "batch"), 60_000),
}
MEMORY = 40e6
"""Bytes that no file of less than a kilobyte may take: pieces of a megabyte and the libraries' own buffers."""


def attack(tmp_path, kind: str, n: int, seed: int) -> tuple[int, int]:
    """How many files were read and how many refused; anything else raises."""
    name, valid, read, _ = READERS[kind]
    rng, path = random.Random(seed), tmp_path / name
    outcomes = [0, 0]
    for turn in range(n):
        content = mutated(rng, valid)
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
        try:
            read(path, content)
            outcomes[0] += 1
        except DataError as error:
            assert str(error), content
            outcomes[1] += 1
        except BaseException as error:
            raise AssertionError(f"turn {turn}: {error!r} of {content!r}") from error
        assert tracemalloc.get_traced_memory()[1] < MEMORY, content  # zero where nothing is traced
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize("kind", READERS)
def test_some_files(tmp_path, kind):
    tracemalloc.start()
    try:
        read, refused = attack(tmp_path, kind, 60, seed=1)
    finally:
        tracemalloc.stop()
    assert read and refused


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_many_files(tmp_path, little_memory, kind):
    read, refused = attack(tmp_path, kind, READERS[kind][3], seed=2)
    assert read > 100 and refused > 100
