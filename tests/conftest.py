"""What every test may ask for: real data where it is at hand, golden texts, one thread for each worker."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parents[1]

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch or numpy starts its threads: two workers of many threads each are slower than two of one.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

# On a loaded machine a deadline measures the neighbors.  The examples of `make test` are the same each time, so that a
# change is judged by what it changes; `make explore` draws new ones.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files of tests/golden")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with mnist/ and cifar10/: DEPTHWISE_DATA, else shared/data beside the repository."""
    folder = Path(os.environ.get("DEPTHWISE_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; DEPTHWISE_DATA names the folder")
    return folder


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What is drawn without a seed is the same each time, whichever tests ran before."""
    import numpy as np

    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: the text equals tests/golden/name, which ``pytest --update`` rewrites."""

    def compare(name: str, text: str) -> None:
        path = REPO / "tests" / "golden" / name
        # One line end at the end, whatever the text has, so that editors leave the file alone.
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; pytest --update writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str, str]]:
    """Run a command line; give its status, output and errors."""

    def run_command(*words: object) -> tuple[Any, str, str]:
        from depthwise.cli import main

        monkeypatch.setattr(sys, "argv", ["depthwise", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
            sys.exit(0)
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run_command


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A gigabyte more than this process has by now."""
    resource = pytest.importorskip("resource", reason="the system sets no limits to memory")
    status = Path("/proc/self/statm")
    if not status.is_file():
        pytest.skip("the system does not tell a process's memory")
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(status.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
