"""Well-known sets: found where they lie, fetched only when asked, from a server of our own."""

import gzip
import hashlib
import http.server
import io
import sys
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from depthwise.data import datasets, load_images
from depthwise.data.datasets import MNIST_FILES
from depthwise.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (5, 4, 4), np.uint8)
Y = np.array([3, 0, 2, 1, 0], np.uint8)


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


FILES = dict(zip(MNIST_FILES, (idx(X[:3]), idx(Y[:3]), idx(X[3:]), idx(Y[3:])), strict=True))


class Server(http.server.ThreadingHTTPServer):
    """Serves FILES; a file in `cut` breaks off in the middle, one in `damaged` is another."""

    cut: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    asked: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        content = FILES[name] if name not in self.server.damaged else b"damaged"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def place(tmp_path, monkeypatch):
    """No data anywhere, and a cache of our own."""
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def server(place, monkeypatch):
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr(datasets, "MNIST", f"http://127.0.0.1:{running.server_port}/")
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
        monkeypatch.setattr(datasets, "MNIST_FILES", checksums)
        yield running
        running.shutdown()


def test_fetched_once_and_only_when_asked(server, place):
    with pytest.raises(DataError) as error:
        datasets.mnist()
    assert str(error.value) == (
        f"mnist: not in {place / 'mnist'}. Set the variable DEPTHWISE_DATA to the folder that holds mnist/, "
        "or fetch it once with dw.datasets.mnist(download=True)."
    )
    assert server.asked == [] and not place.exists()
    test = datasets.mnist("test", download=True)
    assert sorted(server.asked) == sorted(FILES)
    np.testing.assert_array_equal(test.X[:, 0], X[3:])
    assert (test.source, test.split, test.splits, test.y.tolist()) == ("mnist", "test", ("train", "test"), [1, 0])
    # Now it is there, also by its word; asking again fetches nothing.
    np.testing.assert_array_equal(load_images("mnist").X[:, 0], X[:3])
    assert load_images("mnist", split="test", size=8).X.shape == (2, 1, 8, 8)
    datasets.mnist(download=True)
    assert len(server.asked) == 4


def test_another_content_is_refused_and_not_kept(server, place):
    server.damaged = frozenset(["train-labels-idx1-ubyte.gz"])
    with pytest.raises(DataError) as error:
        datasets.mnist(download=True)
    assert str(error.value) == (
        f"{datasets.MNIST}train-labels-idx1-ubyte.gz: has not the expected SHA-256 "
        f"{datasets.MNIST_FILES['train-labels-idx1-ubyte.gz']}, so it is damaged or another file. Try again later."
    )
    assert [path.name for path in (place / "mnist").iterdir()] == ["train-images-idx3-ubyte.gz"]
    with pytest.raises(DataError, match="or fetch it once"):
        datasets.mnist()
    server.damaged = frozenset()
    assert len(datasets.mnist(download=True)) == 3


def test_a_broken_transfer_leaves_nothing(server, place):
    server.cut = frozenset(["train-images-idx3-ubyte.gz"])
    with pytest.raises(DataError) as error:
        datasets.mnist(download=True)
    assert str(error.value) == (
        f"{datasets.MNIST}train-images-idx3-ubyte.gz: cannot be fetched (ChunkedEncodingError). Check the connection, "
        f"or fetch it by other means and put it into {place / 'mnist'}/."
    )
    assert list((place / "mnist").iterdir()) == []


def test_a_cache_that_cannot_be_written(server, place):
    place.touch()
    with pytest.raises(DataError) as error:
        datasets.mnist(download=True)
    assert str(error.value) == f"{place / 'mnist'}: cannot be written (Not a directory). Make room there."


def test_no_server(place, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(datasets, "CIFAR10", "http://127.0.0.1:9/")
    with pytest.raises(DataError, match=r"cannot be fetched .ConnectionError.. Check the connection, or fetch it by"):
        datasets.cifar10(download=True)


def test_without_pooch(monkeypatch):
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError) as error:
        datasets.mnist(download=True)
    assert str(error.value) == "downloads need the package pooch, which is missing. Run pip install pooch."


def test_own_folder_comes_first(place, tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "data"))
    with pytest.raises(DataError, match=f"mnist: neither in {tmp_path / 'data' / 'mnist'} nor in {place / 'mnist'}. "):
        load_images("mnist")
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    for name, content in FILES.items():
        (tmp_path / "data" / "mnist" / name).write_bytes(content)
    assert len(datasets.mnist()) == 3
    # A word is a word even where a folder is called so.
    (tmp_path / "mnist").mkdir()
    assert load_images("mnist").problems == (
        "'mnist' is the well-known set of that name; write './mnist' for what is called so here",
    )


def test_cifar10_as_archives_of_pictures(place, tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    for part in ("train", "test"):
        with tarfile.open(tmp_path / "cifar10" / f"{part}.tar.xz", "w:xz") as tar:
            for i in range(2):
                stream = io.BytesIO()
                Image.fromarray(X[i]).convert("RGB").save(stream, "PNG")
                member = tarfile.TarInfo(f"{part}/{'cat' if i else 'dog'}/{i}.png")
                member.size = stream.tell()
                stream.seek(0)
                tar.addfile(member, stream)
    for _ in range(2):  # the second time out of the cache
        test = datasets.cifar10("test")
        assert test.X.shape == (2, 3, 4, 4) and test.y.tolist() == ["dog", "cat"] and test.split == "test"
        assert test.X.flags.writeable and not isinstance(test.X, np.memmap)
    assert len(list((place / "decoded").iterdir())) == 2
    (place / "decoded").chmod(0)
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cifar10" / "test.tar.xz")  # no folder
    assert len(datasets.cifar10("test")) == 2
    (place / "decoded").chmod(0o700)


def test_the_published_checksums_are_whole():
    for checksum in (*MNIST_FILES.values(), *datasets.CIFAR10_FILES.values()):
        assert len(checksum) == 64 and int(checksum, 16)


def test_an_unknown_part(place):
    with pytest.raises(DataError) as error:
        datasets.mnist("valid")
    assert str(error.value) == (
        "mnist: split 'valid' was asked for, but only train, test is there. "
        "Choose what is there with split=, on the command line --split."
    )
