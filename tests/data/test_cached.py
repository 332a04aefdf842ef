"""Decoded pictures in a file: the same as in memory, made anew when a picture changes, in bounded memory."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthwise.data import cached, load_images
from depthwise.errors import DataError
from depthwise.training import NeuralNetClassifier


@pytest.fixture
def photos(tmp_path):
    """Twelve pictures in two classes, the first ones grey, one broken."""
    random = np.random.default_rng(0)
    for i in range(12):
        path = tmp_path / "photos" / ("cat" if i < 6 else "dog") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (8, 6) if i < 4 else (8, 6, 3)
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
    (tmp_path / "photos" / "dog" / "broken.png").write_bytes(b"broken")
    return tmp_path / "photos"


@pytest.mark.parametrize("chunk", [1, 400, 1 << 26])
@pytest.mark.parametrize("size", [None, (5, 4)])
def test_the_same_as_in_memory(photos, tmp_path, monkeypatch, chunk, size):
    monkeypatch.setattr(cached, "CHUNK_BYTES", chunk)
    plain = load_images(photos, size=size)
    kept = load_images(photos, size=size, cache=tmp_path / "cache")
    np.testing.assert_array_equal(kept.X, plain.X)
    assert isinstance(kept.X, np.memmap) and not kept.X.flags.writeable and kept.X.shape[1] == 3
    assert (kept.y.tolist(), kept.paths, kept.problems) == (plain.y.tolist(), plain.paths, plain.problems)


def test_grey_stays_grey(photos, tmp_path):
    for path in list(photos.rglob("*.png"))[:]:
        if path.name > "04":
            path.unlink()
    assert load_images(photos, cache=tmp_path / "cache").X.shape == (4, 1, 8, 6)


def test_made_once_and_anew_when_a_picture_changes(photos, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = np.array(load_images(photos, cache=cache).X)
    with monkeypatch.context() as context:
        context.setattr(cached, "decode_all", None)  # nothing is decoded
        np.testing.assert_array_equal(load_images(photos, cache=cache).X, first)
    # Another content of the same size, at another time.
    path = photos / "cat" / "00.png"
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))
    before = {file.name for file in cache.iterdir()}
    load_images(photos, cache=cache)
    after = {file.name for file in cache.iterdir()}
    assert len(before) == len(after) == 2 and not before & after
    # A picture less; another size is kept beside.
    path.unlink()
    assert len(load_images(photos, cache=cache)) == 11
    load_images(photos, size=4, cache=cache)
    assert len(list(cache.iterdir())) == 4


def test_whole_or_not_at_all(photos, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    Image.new("L", (9, 9)).save(photos / "dog" / "z.png")
    with pytest.raises(DataError, match=r"cat/00.png is 8x6 but dog/z.png is 9x9 .height x width.. Give a size"):
        load_images(photos, cache=cache)
    assert list(cache.iterdir()) == []

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(cached, "write_whole", fail)
        with pytest.raises(KeyboardInterrupt):
            load_images(photos, size=4, cache=cache)
    # The array alone counts for nothing.
    assert len(load_images(photos, size=4, cache=cache)) == 13


def test_what_is_damaged_is_named(photos, tmp_path):
    cache = tmp_path / "cache"
    load_images(photos, cache=cache)
    array = next(cache.glob("*.npy"))
    array.write_bytes(array.read_bytes()[:200])
    with pytest.raises(DataError) as error:
        load_images(photos, cache=cache)
    assert str(error.value).startswith(f"{array}: damaged (")
    assert str(error.value).endswith("Remove it and what lies beside it.")
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as error:
        load_images(photos, cache=tmp_path / "file")
    assert str(error.value) == f"{tmp_path / 'file'}: cannot be used (File exists). Give another cache folder."


def test_a_network_trains_on_the_map(photos, tmp_path):
    images = load_images(photos, cache=tmp_path / "cache")
    net = NeuralNetClassifier("2C3-N", max_epochs=1, random_state=0, verbose=0).fit(images.X, images.y)
    assert net.predict(images.X).shape == (12,)


SCRIPT = """
import resource, sys
from depthwise.data import load_images
small, large, cache = sys.argv[1:]
load_images(small, cache=cache)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = load_images(large, cache=cache)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(images.X.nbytes >> 20, (after - before) >> (20 if sys.platform == "darwin" else 10))
"""


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path):
    pytest.importorskip("resource", reason="the system does not tell a process's memory")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).resize((512, 512)).save(tmp_path / "one.jpg")
    for name, n in (("small", 2), ("large", 1200)):
        (tmp_path / name / "cat").mkdir(parents=True)
        for i in range(n):
            os.link(tmp_path / "one.jpg", tmp_path / name / "cat" / f"{i}.jpg")
    words = [sys.executable, "-c", SCRIPT, tmp_path / "small", tmp_path / "large", tmp_path / "cache"]
    run = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    megabytes, grown = map(int, run.stdout.split())
    assert megabytes == 900
    assert grown < 4 * (cached.CHUNK_BYTES >> 20)
    assert Path(tmp_path / "cache").stat()
