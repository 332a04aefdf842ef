"""The study folder: it continues what was begun and refuses anything else."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
import torch

from depthwise.errors import StudyError
from depthwise.search import Job, Study
from depthwise.training import NeuralNetClassifier


def net(**params):
    return NeuralNetClassifier([], **{"batch_size": 32, "learning_rate": 0.01, **params})


@pytest.fixture(scope="module")
def begun(digits, tmp_path_factory):
    """A finished study."""
    from depthwise.search import ArchitectureSearch

    folder = tmp_path_factory.mktemp("studies") / "begun"
    designs = ["4C3-MP2-N", "6C3-MP2-N", "3C3-GAP-N"]
    settings = {"rungs": (1, 2), "keep": 0.5, "n_seeds": 2, "verbose": 0}
    return ArchitectureSearch(designs, estimator=net(), study=folder, **settings).fit(*digits)


@pytest.fixture
def folder(begun, tmp_path):
    return shutil.copytree(begun.study_, tmp_path / "study")


def resume(make_search, digits, folder, designs=("4C3-MP2-N", "6C3-MP2-N", "3C3-GAP-N"), **params):
    return make_search(designs, study=folder, **params).fit(*digits)


def test_a_finished_study_answers_without_training(make_search, digits, folder, begun, outcome_of):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = resume(make_search, digits, folder)
    assert outcome_of(again) == outcome_of(begun)
    assert again.cv_results_["seconds"].tolist() == begun.cv_results_["seconds"].tolist()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("lost", ["results", "cuts", "results/00*-0-1.json", "results/*-1-2.json"])
def test_what_is_lost_is_computed_again_to_the_bit(make_search, digits, folder, begun, outcome_of, lost):
    for path in folder.glob(lost):
        for file in [path] if path.is_file() else path.iterdir():
            file.unlink()
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


def test_a_search_that_was_killed_again_and_again_goes_on(make_search, digits, folder, begun, outcome_of):
    for name in ("results", "cuts", "jobs"):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()
    attempts = [Study(folder).begin(Job(0, 0, 1)) for _ in range(4)]
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


def test_any_seed_goes_on_with_the_one_that_was_drawn(make_search, digits, tmp_path):
    one = resume(make_search, digits, tmp_path / "study", random_state=None)
    other = resume(make_search, digits, tmp_path / "study", random_state=None)
    assert one.best_score_ == other.best_score_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"n_threads": 7},
            "the number of threads is another than when the study was begun (then 1 a job, now 7; another number adds "
            "in another order, and scores would differ). Go on with n_threads=1, or give another folder.",
        ),
        (
            {"estimator": net(learning_rate=0.5)},
            "learning_rate is another than when the study was begun (then 0.01, now 0.5). "
            "Go on with learning_rate=0.01, or give another folder.",
        ),
        (
            {"rungs": (1, 3)},
            "rungs is another than when the study was begun (then [1, 2], now [1, 3]). "
            "Go on with rungs=[1, 2], or give another folder.",
        ),
        (
            {"random_state": 5, "validation": 0.2},
            "the data are others than when the study was begun",
        ),
        (
            {"designs": ("4C3-MP2-N", "6C3-MP2-N")},
            "the designs are others than when the study was begun (then 3: 4C3-MP2-N, 6C3-MP2-N, 3C3-GAP-N, "
            "now 2: 4C3-MP2-N, 6C3-MP2-N). Go on with these designs, or give another folder.",
        ),
    ],
)
def test_anything_else_is_refused(make_search, digits, folder, params, message):
    if "n_threads" not in params:
        params = {"n_threads": json.loads((folder / "study.json").read_text())["threads"], **params}
    else:
        about = json.loads((folder / "study.json").read_text())
        (folder / "study.json").write_text(json.dumps({**about, "threads": 1}))
    before = sorted(folder.rglob("*"))
    with pytest.raises(StudyError) as problem:
        resume(make_search, digits, folder, **params)
    assert str(problem.value).startswith(f"{folder}: {message}")
    assert sorted(folder.rglob("*")) == before


def test_other_data_are_refused(make_search, digits, folder):
    X, y = digits
    changed = X.copy()
    changed[0, 0, 0, 0] += 1
    with pytest.raises(StudyError, match=r"the data are others .* 240 images to train and 60 to validate on, sha256"):
        resume(make_search, (changed, y), folder)


def test_a_folder_with_other_things_is_refused_and_left_alone(make_search, digits, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StudyError) as problem:
        resume(make_search, digits, tmp_path)
    assert str(problem.value) == f"{tmp_path}: holds other things and no study. Give a new or an empty folder."
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_beginning_that_was_killed_is_begun_again(make_search, digits, folder, begun, outcome_of):
    (folder / "study.json").unlink()
    for name in ("jobs", "results", "cuts"):
        shutil.rmtree(folder / name)
    (folder / "data" / "X_train.npy").write_bytes(b"half")
    (folder / ".study.json.1234abcd").write_bytes(b"{")  # drafts
    (folder / "data" / ".y_train.npy.1234abcd").write_bytes(b"")
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("study.json", b"{", "study.json: is damaged. Give another folder."),
        ("results/000-0-1.json", b"[]", "000-0-1.json: is damaged. Remove it, and it is computed again."),
        ("study.json", b'{"format": 9}', "has format 9, but this version reads 2. Go on with the version that began"),
        ("study.json", b'{"format": 2, "designs": []}', "study.json: is damaged. Give another folder."),
        ("results/000-0-1.json", b'{"score": 1}', "000-0-1.json: is damaged. Remove it, and it is computed again."),
        ("cuts/1.json", b'{"field": []}', "1.json: is damaged. Remove it, and it is computed again."),
    ],
)
def test_damaged_files_are_told(make_search, digits, folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(StudyError) as problem:
        resume(make_search, digits, folder)
    assert message in str(problem.value)


def test_images_that_cannot_be_read_are_told(folder):
    (folder / "data" / "X_train.npy").write_bytes(b"")
    with pytest.raises(StudyError, match=r"data: cannot be read .* Begin a new study"):
        Study(folder).arrays()


@pytest.mark.parametrize("found", [None, b"", b"half", "other"])
def test_images_that_are_lost_damaged_or_others_are_written_anew(make_search, digits, folder, begun, outcome_of, found):
    path = folder / "data" / "X_train.npy"
    if found == "other":
        np.save(path, 1 + np.load(path))
    elif found is None:
        path.unlink()
    else:
        path.write_bytes(found)
    for lost in ("results/000-0-1.json", "cuts/1.json"):
        (folder / lost).unlink()
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


@pytest.mark.skipif(os.name == "nt", reason="no locks there")
def test_two_searches_do_not_share_a_folder(make_search, digits, folder, begun, outcome_of):
    with Study(folder).alone(), pytest.raises(StudyError) as problem:
        resume(make_search, digits, folder)
    assert str(problem.value) == (
        f"{folder}: another search is at work there. Wait for its end, or give another folder."
    )
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


def test_what_a_loss_or_a_callback_holds_is_part_of_the_study(make_search, digits, folder):
    for params in ({"loss": torch.nn.CrossEntropyLoss()}, {"callbacks": [lambda net, record: False]}):
        with pytest.raises(StudyError, match=f"{next(iter(params))} is another than when the study was begun"):
            resume(make_search, digits, folder, estimator=net(**params))


@pytest.mark.parametrize("when", range(1, 15, 3))
def test_a_full_disk_is_told_and_the_study_stays_whole(
    make_search, digits, tmp_path, monkeypatch, begun, outcome_of, when
):
    calls = 0

    def sync(descriptor):
        nonlocal calls
        calls += 1
        if calls >= when:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "study"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        with pytest.raises((StudyError, ValueError), match="No space left on device"):
            resume(make_search, digits, folder)
    assert not list(folder.rglob(".*"))  # no draft is left
    assert outcome_of(resume(make_search, digits, folder)) == outcome_of(begun)


def test_images_that_do_not_fit_on_the_disk_are_told(make_search, digits, tmp_path, monkeypatch):
    def save(stream, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", save)
    with pytest.raises(StudyError) as problem:
        resume(make_search, digits, tmp_path / "study")
    path = tmp_path / "study" / "data" / "X_train.npy"
    assert str(problem.value) == f"{path}: cannot be written (No space left on device). Give another path."
    assert not list(path.parent.iterdir())


def test_the_names_of_files_tell_the_job():
    job = Job(design=7, seed=2, rung=27)
    assert (job.training, job.name) == ("007-2", "007-2-27")


def test_a_study_is_read_without_the_search(folder, begun):
    study = Study(folder)
    assert [entry["name"] for entry in study.about["designs"]] == begun.cv_results_["name"].tolist()
    jobs = dict(study.results())
    assert jobs[Job(0, 0, 1)]["score"] == begun.cv_results_["score_rung1_seed0"][0]
    assert {job.rung for job in jobs} == {1, 2}
