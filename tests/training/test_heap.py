"""The heap is kept while somebody needs it, and given back afterwards."""

import json
import platform
import subprocess
import sys
import threading

import pytest

from depthwise.training import heap
from depthwise.training.heap import AFTERWARDS, KEEPING, kept_heap


class Libc:
    """Remembers what it was told."""

    def __init__(self):
        self.calls = []

    def mallopt(self, name, value):
        self.calls.append((name, value))
        return 1

    def malloc_trim(self, pad):
        self.calls.append(("trim", pad))
        return 1


@pytest.fixture
def libc(monkeypatch):
    libc = Libc()
    one = heap._Heap(libc)
    monkeypatch.setattr(heap, "_heap", lambda: one)
    return libc


OUTSIDE = [*AFTERWARDS, ("trim", 0)]


def test_the_first_sets_and_the_last_gives_back(libc):
    assert dict(KEEPING) == {-4: 0, -1: 2**31 - 1, -2: 64 << 20}
    assert dict(AFTERWARDS) == {-4: 65536, -3: 32 << 20, -1: 64 << 20, -2: 131072}
    with kept_heap():
        with kept_heap():
            assert libc.calls == list(KEEPING)
        assert libc.calls == list(KEEPING)
    assert libc.calls == [*KEEPING, *OUTSIDE]
    with kept_heap():
        assert libc.calls == [*KEEPING, *OUTSIDE, *KEEPING]


def test_an_error_inside_gives_back_too(libc):
    with pytest.raises(KeyboardInterrupt), kept_heap():
        raise KeyboardInterrupt
    assert libc.calls == [*KEEPING, *OUTSIDE]


def test_threads_share_it(libc):
    inside, done = threading.Barrier(9), threading.Barrier(9)

    def fit():
        with kept_heap():
            inside.wait()
            done.wait()

    threads = [threading.Thread(target=fit) for _ in range(8)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert libc.calls == list(KEEPING)
    done.wait()
    for thread in threads:
        thread.join()
    assert libc.calls == [*KEEPING, *OUTSIDE]


def test_it_can_be_switched_off(libc):
    with kept_heap(keep=False):
        pass
    assert libc.calls == []


@pytest.mark.parametrize("problem", [OSError, TypeError])
def test_elsewhere_nothing_happens(monkeypatch, problem):
    def refuse(name):
        raise problem("no such library")

    monkeypatch.setattr(heap.ctypes, "CDLL", refuse)
    monkeypatch.setattr(heap.platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert heap._find_glibc() is None
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())  # a library without mallopt
    assert heap._find_glibc() is None
    monkeypatch.setattr(heap.platform, "libc_ver", lambda: ("", ""))  # musl, macOS, Windows
    assert heap._find_glibc() is None
    one = heap._Heap(None)
    monkeypatch.setattr(heap, "_heap", lambda: one)
    with kept_heap():
        pass


ROUNDS = """
import json, resource, runpy, sys
kept_heap = runpy.run_path(sys.argv[1])["kept_heap"]  # without the package, that imports PyTorch

def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        blocks = [b"x" * (16 << 20) for _ in range(6)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20

start, plain = resident(), work()
with kept_heap():
    first, second = work(), work()
    kept = resident()
print(json.dumps({"plain": plain, "first": first, "second": second,
                  "kept": kept - start, "left": resident() - start, "after": work()}))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these calls")
def test_pages_are_cleared_once_and_handed_back_in_the_end():
    run = subprocess.run([sys.executable, "-c", ROUNDS, heap.__file__], capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    assert told["second"] < 200 and told["plain"] > 2000
    assert told["kept"] > 80 and told["left"] < 40
    assert told["after"] <= told["plain"]
