"""The folder of a study: what is raced, the data, and all that is known so far.

=========================================  ===============================================================
study.json                                 what is raced, written last: a folder without it is no study yet
data/X_train.npy, y_train.npy, ...         the images, once for all processes
jobs/<design>-<seed>/                      state of a training, after every epoch
jobs/<design>-<seed>-<rung>.safetensors    the network at its last rung
jobs/<design>-<seed>-<rung>.started        there while a process is at it
results/<design>-<seed>-<rung>.json        what came out; the job is done when this is there
cuts/<rung>.json                           who went on from a rung
=========================================  ===============================================================

Every file is there whole or not at all.  What is not there is computed; nothing else is known of the state of a race.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthwise.errors import FileError, StudyError
from depthwise.files import whole_file, write_whole

FORMAT = 2
"""Of the folder; another one is refused."""
DEATH = "its process died (killed, or out of memory)"
PARTS = ("X_train", "y_train", "X_valid", "y_valid")
ABOUT = {"designs", "estimator", "race", "threads", "versions", "data"}
"""What ``study.json`` tells besides its format."""
FOLDERS = ("data", "jobs", "results", "cuts")
UNREADABLE = (OSError, ValueError, EOFError)
"""What NumPy raises of a file that is no array."""
Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, order=True)
class Job:
    """The unit of work: a network of one design from one seed, trained up to one rung."""

    design: int
    seed: int
    rung: int

    @property
    def training(self) -> str:
        """What its rungs have in common."""
        return f"{self.design:03d}-{self.seed}"

    @property
    def name(self) -> str:
        """How its files are called."""
        return f"{self.training}-{self.rung}"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job.

    Attributes
    ----------
    number
        From 1, since the training last came further.
    progress
        Changes with every epoch that is finished.
    problem
        What the last attempt failed of.
    """

    number: int
    progress: int
    problem: str


class Study:
    """A study folder, and what its ``study.json`` says.

    Parameters
    ----------
    folder
        With a ``study.json``.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        path = self.folder / "study.json"
        about = _read_json(path, {"format"})
        if about["format"] != FORMAT:
            raise StudyError(
                f"{self.folder}: has format {about['format']!r}, but this version reads {FORMAT}. "
                "Go on with the version that began it, or give another folder."
            )
        if not about.keys() >= ABOUT:
            raise _damaged(path)
        self.about = about

    @classmethod
    def exists(cls, folder: str | os.PathLike[str]) -> bool:
        """Whether a study was begun in a folder."""
        return (Path(folder) / "study.json").is_file()

    @classmethod
    def open(cls, folder: str | os.PathLike[str], about: Mapping[str, Any], arrays: Arrays) -> Study:
        """Begin a study, or go on with the one that is there.

        Parameters
        ----------
        folder
            New, empty, or with a study.
        about
            What is raced, as values that JSON can hold; ``versions`` may differ, all else must be as it was.
        arrays
            Training and validation data, in the order of `PARTS`.

        Raises
        ------
        StudyError
            The study there is another one, or the folder cannot be used.
        """
        place = Path(folder)
        about = {"format": FORMAT, **json.loads(json.dumps(about)), "data": _describe(arrays)}
        begun = cls.exists(place)
        if begun:
            cls(place)._demand_same(about)
        elif not _is_new(place):
            raise StudyError(f"{place}: holds other things and no study. Give a new or an empty folder.")
        try:
            for name in FOLDERS:
                (place / name).mkdir(parents=True, exist_ok=True)
            if not _holds(place, about["data"]):
                for name, array in zip(PARTS, arrays, strict=True):
                    with whole_file(place / "data" / f"{name}.npy") as stream:
                        np.save(stream, array, allow_pickle=False)
            if not begun:
                write_whole(place / "study.json", json.dumps(about, indent=1).encode())
        except FileError as problem:
            raise StudyError(str(problem)) from None
        except OSError as problem:
            reason = problem.strerror or problem
            raise StudyError(f"{place}: the study cannot be written ({reason}). Give another folder.") from None
        return cls(place)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, nobody else races in the folder.

        Raises
        ------
        StudyError
            Somebody does.
        """
        try:
            import fcntl
        except ImportError:  # Windows: who begins a search twice there is on his own
            yield
            return
        folder = os.open(self.folder, os.O_RDONLY)  # its lock goes with the process, however that ends
        try:
            with suppress(OSError):  # a file system that knows no locks
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise StudyError(
                        f"{self.folder}: another search is at work there. Wait for its end, or give another folder."
                    ) from None
            yield
        finally:
            os.close(folder)

    def arrays(self) -> Arrays:
        """The data, on disk until they are read."""
        try:
            return _load(self.folder)
        except UNREADABLE as problem:
            raise StudyError(f"{self.folder / 'data'}: cannot be read ({problem}). Begin a new study.") from None

    def result(self, job: Job) -> dict[str, Any] | None:
        """What came out of a job; ``None`` while it is not done."""
        return _read_result(self._result(job)) if self.is_done(job) else None

    def is_done(self, job: Job) -> bool:
        """Whether the result of a job is there."""
        return self._result(job).is_file()

    def results(self) -> Iterator[tuple[Job, dict[str, Any]]]:
        """All jobs that are done, with what came out."""
        for path in sorted((self.folder / "results").glob("[0-9]*.json")):
            design, seed, rung = map(int, path.stem.split("-"))
            yield Job(design, seed, rung), _read_result(path)

    def write_result(self, job: Job, result: Mapping[str, Any]) -> None:
        """Declare a job done; its mark goes."""
        write_whole(self._result(job), json.dumps(result).encode())
        self.mark(job).unlink(missing_ok=True)

    def cut(self, rung: int) -> dict[str, Any] | None:
        """Who went on from a rung, if that is decided."""
        path = self.folder / "cuts" / f"{rung}.json"
        return _read_json(path, {"field", "rungs", "n_seeds"}) if path.is_file() else None

    def write_cut(self, rung: int, decided: Mapping[str, Any]) -> None:
        """Keep who goes on from a rung."""
        write_whole(self.folder / "cuts" / f"{rung}.json", json.dumps(decided).encode())

    def state(self, job: Job) -> Path:
        """Folder of a training's state."""
        return self.folder / "jobs" / job.training

    def network(self, job: Job) -> Path:
        """File of the network that a job made."""
        return self.folder / "jobs" / f"{job.name}.safetensors"

    def mark(self, job: Job) -> Path:
        """File that is there while a process is at a job, and after it has died or failed at it."""
        return self.folder / "jobs" / f"{job.name}.started"

    def begin(self, job: Job) -> Attempt:
        """Mark a job; the attempts at it are counted since its training last came further."""
        mark, state = self.mark(job), self.state(job)
        progress = max((entry.stat().st_mtime_ns for entry in state.iterdir()), default=0) if state.is_dir() else 0
        attempt = Attempt(1, progress, DEATH)
        if mark.is_file():
            before = Attempt(**_read_json(mark, {"number", "progress", "problem"}))
            if before.progress == progress:
                attempt = replace(before, number=before.number + 1)
        write_whole(mark, json.dumps(asdict(attempt)).encode())
        return attempt

    def blame(self, job: Job, attempt: Attempt, problem: str) -> None:
        """Keep what an attempt has failed of."""
        write_whole(self.mark(job), json.dumps(asdict(replace(attempt, problem=problem))).encode())

    def _result(self, job: Job) -> Path:
        return self.folder / "results" / f"{job.name}.json"

    def _demand_same(self, now: Mapping[str, Any]) -> None:
        """Refuse to go on with anything else than was begun."""
        before = self.about
        if before["data"] != now["data"]:
            raise self._other("the data are others", f"{_told(before['data'])}, now {_told(now['data'])}", "these data")
        if before["threads"] != now["threads"]:
            then, here = before["threads"], now["threads"]
            raise self._other(
                "the number of threads is another",
                f"{then} a job, now {here}; another number adds in another order, and scores would differ",
                f"n_threads={then}",
            )
        was, is_ = [entry["name"] for entry in before["designs"]], [entry["name"] for entry in now["designs"]]
        if before["designs"] != now["designs"]:
            raise self._other("the designs are others", f"{_listed(was)}, now {_listed(is_)}", "these designs")
        for part in ("estimator", "race"):
            for name in sorted(before[part].keys() | now[part].keys()):
                then, here = before[part].get(name), now[part].get(name)
                if then != here:
                    raise self._other(f"{name} is another", f"{then}, now {here}", f"{name}={then}")

    def _other(self, what: str, values: str, cure: str) -> StudyError:
        return StudyError(
            f"{self.folder}: {what} than when the study was begun (then {values}). "
            f"Go on with {cure}, or give another folder."
        )


def _is_new(place: Path) -> bool:
    """Whether a folder is not there, empty, or all that was left of a beginning that was killed."""
    paths = [path for path in place.rglob("*") if not path.name.startswith(".")] if place.is_dir() else []  # no drafts
    inside = {path.relative_to(place).as_posix() for path in paths}
    return not place.is_file() and inside <= {*FOLDERS, *(f"data/{name}.npy" for name in PARTS)}


def _read_result(path: Path) -> dict[str, Any]:
    return _read_json(path, {"error"}, {"score", "standard_error", "epochs", "seconds", "history"})


def _read_json(path: Path, *forms: set[str]) -> dict[str, Any]:
    """A dictionary that has all keys of one of some forms."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as problem:
        raise StudyError(f"{path}: cannot be read ({problem.strerror}). Check path and permissions.") from None
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(content, dict) or not any(form <= content.keys() for form in forms):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> StudyError:
    cure = "Give another folder" if path.name == "study.json" else "Remove it, and it is computed again"
    return StudyError(f"{path}: is damaged. {cure}.")


def _load(place: Path) -> Arrays:
    parts = [np.load(place / "data" / f"{name}.npy", mmap_mode="r") for name in PARTS]
    return parts[0], parts[1], parts[2], parts[3]


def _holds(place: Path, data: Mapping[str, Any]) -> bool:
    """Whether the arrays that a folder is to hold are there, undamaged."""
    try:
        return _describe(_load(place)) == data
    except UNREADABLE:
        return False


def _describe(arrays: Arrays) -> dict[str, Any]:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return {"n_train": len(arrays[0]), "n_valid": len(arrays[2]), "sha256": digest.hexdigest()}


def _told(data: Mapping[str, Any]) -> str:
    return f"{data['n_train']} images to train and {data['n_valid']} to validate on, sha256 {data['sha256'][:8]}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (", ..." * (len(names) > 3))
    return f"{len(names)}: {shown}"
