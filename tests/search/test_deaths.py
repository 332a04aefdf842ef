"""Processes that die, drivers that are interrupted, time that runs out: nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from deadly import Breaks, Deadly, FailsOnceAnEpoch, Interrupts

from depthwise.errors import StudyError, TrainingError
from depthwise.search import ArchitectureSearch, Job, Study
from depthwise.search.jobs import Lookout
from depthwise.search.pool import Pool
from depthwise.search.study import ABOUT, FORMAT
from depthwise.search.thinning import choose_field, spread
from depthwise.training import NeuralNetClassifier

TESTS = Path(__file__).parents[1]
PARALLEL = pytest.mark.filterwarnings("ignore:A worker stopped:UserWarning")


def net(*callbacks, **params):
    return NeuralNetClassifier([], **{"batch_size": 32, "learning_rate": 0.01, "callbacks": list(callbacks), **params})


@pytest.mark.slow
@PARALLEL
def test_a_design_that_ends_its_process_is_given_up_and_one_killed_once_is_not(make_search, digits, tmp_path):
    for name in ("always", "once"):
        (tmp_path / name).mkdir()
    deadly = Deadly(6, tmp_path / "always"), Deadly(8, tmp_path / "once", times=1)
    search = make_search(
        ("4C3-N", "6C3-N", "8C3-N"), estimator=net(*deadly), rungs=(1,), n_jobs=2, n_threads=1, n_seeds=1
    )
    found = search.fit(*digits).cv_results_
    assert found["status"].tolist() == ["finished", "failed", "finished"]
    assert (
        found["error"][1] == "given up after 2 attempts without an epoch: its process died (killed, or out of memory)"
    )
    assert len(list((tmp_path / "always").iterdir())) in (2, 3)  # in company it may have been pulled down by another
    assert len(list((tmp_path / "once").iterdir())) == 1
    alone = make_search(("4C3-N", "6C3-N", "8C3-N"), estimator=net(), rungs=(1,), n_threads=1, n_seeds=1).fit(*digits)
    scores = found["score_rung1_seed0"]
    assert [scores[0], scores[2]] == [alone.cv_results_["score_rung1_seed0"][place] for place in (0, 2)]


def test_what_no_design_is_to_blame_for_is_tried_again(make_search, digits, tmp_path):
    search = make_search(("4C3-N",), estimator=net(Breaks(tmp_path, times=1)), rungs=(1,), n_seeds=1).fit(*digits)
    assert search.cv_results_["status"].tolist() == ["finished"]
    (tmp_path / "always").mkdir()
    with pytest.raises(
        TrainingError, match="given up after 2 attempts without an epoch: RuntimeError: can't allocate memory"
    ):
        make_search(("4C3-N",), estimator=net(Breaks(tmp_path / "always", 99)), rungs=(1,), n_seeds=1).fit(*digits)


def test_who_fails_but_comes_further_each_time_is_not_given_up(make_search, digits, tmp_path, outcome_of):
    settings = {"rungs": (6,), "n_seeds": 1}
    failing = make_search(("4C3-N",), estimator=net(FailsOnceAnEpoch(tmp_path)), **settings).fit(*digits)
    assert len(list(tmp_path.iterdir())) == 5
    assert outcome_of(failing) == outcome_of(make_search(("4C3-N",), estimator=net(), **settings).fit(*digits))


DYING = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from deadly import Deadly
from sklearn.datasets import load_digits
from depthwise.search import ArchitectureSearch
from depthwise.training import NeuralNetClassifier
X, y = load_digits(return_X_y=True)
net = NeuralNetClassifier([], batch_size=32, callbacks=[Deadly(6, Path({deaths!r}))])
search = ArchitectureSearch(["4C3-N", "6C3-N"], estimator=net, rungs=(1,), n_seeds=1, study={study!r})
print(search.fit(X[:200].reshape(-1, 8, 8), y[:200]).cv_results_["error"])
"""


@pytest.mark.slow
def test_a_design_that_ends_the_process_of_the_search_is_given_up_at_last(tmp_path):
    (tmp_path / "deaths").mkdir()
    code = DYING.format(path=sys.path, deaths=str(tmp_path / "deaths"), study=str(tmp_path / "study"))
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False) for _ in range(6)]
    assert [run.returncode for run in runs] == [1] * 5 + [0]
    assert "given up after 5 attempts without an epoch: its process died" in runs[-1].stdout


DONE = {"score": 1.0, "standard_error": 0.0, "epochs": 1, "seconds": 1.0, "history": {}}


class Mourned(Pool):
    """A pool of a study of three designs, the first of which ends its process."""

    def __init__(self, study):
        super().__init__(study, 2)
        self.waves = []

    def _run_wave(self, wave, on_done):
        self.waves.append([task.job.design for task in wave])
        for task in wave:
            attempt = self.study.begin(task.job)
            if attempt.number > 2:
                self.study.write_result(task.job, {"error": attempt.problem})
            elif task.job.design == 0 or len(wave) == 3:
                if len(wave) == 3 and task.job.design == 1:
                    break  # pulled down by the first; the third was not begun
            else:
                self.study.write_result(task.job, DONE)
        return [task for task in wave if self.study.mark(task.job).exists()]


def test_suspects_are_tried_alone_and_the_rest_goes_on(tmp_path):
    for name in ("jobs", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "study.json").write_text(json.dumps(dict.fromkeys(ABOUT) | {"format": FORMAT}))
    study = Study(tmp_path)
    jobs = [Job(design, 0, 1) for design in range(3)]
    pool = Mourned(study)
    pool.run([SimpleNamespace(job=job) for job in jobs], lambda job: None)
    assert pool.waves == [[0, 1, 2], [0], [0], [0], [1], [2]]
    found = [study.result(job) for job in jobs]
    assert found == [{"error": "its process died (killed, or out of memory)"}, DONE, DONE]
    assert not list((tmp_path / "jobs").iterdir())


def test_processes_that_die_before_they_begin_end_the_race(digits, tmp_path, make_search, monkeypatch):
    class Broken:
        def __init__(self, **_):
            pass

        def __call__(self, tasks):
            raise RuntimeError("no module named depthwise")

    monkeypatch.setattr("depthwise.search.pool.Parallel", Broken)
    with pytest.raises(StudyError) as problem:
        make_search().fit(*digits)
    assert str(problem.value) == (
        "processes die before they begin a job (RuntimeError: no module named depthwise). Set n_jobs=1 to see why."
    )


def test_an_interrupted_search_goes_on(make_search, digits, tmp_path, capsys, outcome_of):
    whole = make_search(estimator=net(Interrupts(99))).fit(*digits)
    Interrupts.seen = 0
    with pytest.raises(KeyboardInterrupt):
        make_search(estimator=net(Interrupts(6)), study=tmp_path / "study", verbose=1).fit(*digits)
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == f"Interrupted. What is done is kept in {tmp_path / 'study'}; the same command goes on."
    assert 0 < len(list((tmp_path / "study" / "results").iterdir())) < 8
    Interrupts.seen = 99
    about = tmp_path / "study" / "study.json"
    about.write_text(about.read_text().replace("left=6", "left=99"))
    again = make_search(estimator=net(Interrupts(99)), study=tmp_path / "study").fit(*digits)
    assert outcome_of(again) == outcome_of(whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="makes an orphan by forking")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_orphan_ends_itself(tmp_path):
    parent = os.fork()
    if parent == 0:
        if os.fork() == 0:
            lookout = Lookout(driver=0)
            lookout.on_epoch_end(None, None)
            (tmp_path / "worked").touch()
            for _ in range(200):
                time.sleep(0.02)
                lookout.on_epoch_end(None, None)
            (tmp_path / "lived on").touch()
            os._exit(0)
        while not (tmp_path / "worked").exists():
            time.sleep(0.01)
        os._exit(0)
    os.waitpid(parent, 0)
    time.sleep(0.2)
    assert (tmp_path / "worked").exists() and not (tmp_path / "lived on").exists()


def test_who_races_alone_waits_for_nobody():
    Lookout(driver=os.getpid()).on_epoch_end(None, None)


def test_time_that_is_over_begins_nothing(make_search, digits):
    with pytest.raises(TrainingError, match=r"the time was over before a network was trained\. Give more minutes"):
        make_search(minutes=1e-9).fit(*digits)


def test_time_that_runs_out_ends_with_what_there_is_and_more_goes_on(
    make_search, digits, tmp_path, monkeypatch, outcome_of
):
    now = 0.0

    class Clock:
        @staticmethod
        def monotonic():
            return now

    monkeypatch.setattr("depthwise.search.pool.time", Clock)
    monkeypatch.setattr("depthwise.search.race.time", Clock)
    monkeypatch.setattr("depthwise.search.estimator.time", Clock)

    class Ticks:
        def __call__(self, net, record):
            nonlocal now
            now += 60.0

    # Four designs of one epoch: after three minutes one of them was not begun.
    ticking = net(Ticks())
    short = make_search(estimator=ticking, minutes=2.5, study=tmp_path / "study").fit(*digits)
    assert short.rungs_ == (1,)
    assert sorted(short.cv_results_["status"]) == ["finished"] * 3 + ["not begun"]
    longer = make_search(estimator=ticking, minutes=1000, study=tmp_path / "study").fit(*digits)
    assert outcome_of(longer) == outcome_of(make_search(estimator=ticking).fit(*digits))


def test_a_short_race_trains_its_finalists_less(make_search, digits, monkeypatch, tmp_path):
    # An epoch is said to take a second; 40 of them are to fit into 20 seconds behind the first rung.
    monkeypatch.setattr("depthwise.search.standings.Standing.epoch_seconds", property(lambda own: 1.0))
    search = make_search(rungs=(1, 2, 20), minutes=20 / 60, n_seeds=2, study=tmp_path / "study").fit(*digits)
    assert search.rungs_ == (1, 2)
    assert (search.cv_results_["status"] == "finished").sum() >= 2
    again = make_search(rungs=(1, 2, 20), minutes=1000, n_seeds=2, study=tmp_path / "study").fit(*digits)
    assert again.rungs_ == (1, 2)  # a cut stays once it is made


def test_fields_fit_into_the_time():
    from depthwise.designer import design

    found = spread(design((1, 28, 28), 10), 27)
    assert len(found) == 27 and [one.macs for one in found] == sorted(one.macs for one in found)
    pace = {one: one.macs / 1e7 for one in found}
    sizes = {}
    for minutes in (1e9, 60, 5, 1, 1e-3):
        chosen, rungs = choose_field(pace, ArchitectureSearch((), n_jobs=2, minutes=minutes))
        sizes[minutes] = len(chosen)
        assert rungs[-1] == {27: 27, 9: 9, 3: 3}[len(chosen)]
    assert sizes[1e9] == 27 and sizes[1e-3] == 3
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)


DRIVER = """
import sys
sys.path[:0] = {path!r}
import numpy as np
from sklearn.datasets import load_digits
from depthwise.search import ArchitectureSearch
from depthwise.training import NeuralNetClassifier
if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    net = NeuralNetClassifier([], batch_size=32, learning_rate=0.005)
    designs = [f"{{width}}C3ps-MP2-{{2 * width}}C3-N" for width in (2, 3, 4, 6, 8, 10, 12, 16, 20)]
    ArchitectureSearch(
        designs, estimator=net, rungs=(2, 6, 18), n_seeds=3, n_jobs=2, n_threads=1, study=sys.argv[1]
    ).fit(X.reshape(-1, 1, 8, 8).astype(np.uint8), y)
"""


def drive(folder):
    """A process that searches; what it says goes to a file."""
    code = DRIVER.format(path=sys.path)
    with folder.with_suffix(".log").open("w") as log:
        return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=log, stderr=subprocess.STDOUT)


def finish(folder):
    """Run a search to its end; its final table."""
    driver = drive(folder)
    driver.wait(timeout=900)
    said = folder.with_suffix(".log").read_text()
    assert driver.returncode == 0, said
    return said[said.index("rank  design") :]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="kills the processes that /proc names")
def test_twenty_rounds_of_killing_lose_nothing(tmp_path):
    whole = tmp_path / "whole"
    table = finish(whole)
    pick = random.Random(0)
    kills = {"driver": 0, "worker": 0}
    folders = [tmp_path / "killed0"]
    while sum(kills.values()) < 20:
        driver = drive(folders[-1])
        await_work(driver, folders[-1], pick)
        if pick.random() < 0.7 and (workers := workers_of(driver)):
            os.kill(pick.choice(workers), signal.SIGKILL)
            kills["worker"] += 1
            await_work(driver, folders[-1], pick)
        if driver.poll() is None:
            driver.kill()
            kills["driver"] += 1
            driver.wait()
        else:  # it was done before it could be killed
            assert driver.returncode == 0, folders[-1].with_suffix(".log").read_text()
            folders.append(tmp_path / f"killed{len(folders)}")
    for folder in folders:
        told = finish(folder)
        assert scores(folder) == scores(whole)
        assert without_seconds(told) == without_seconds(table)
    assert min(kills.values()) >= 3, kills


def await_work(driver, folder, pick):
    """Wait until a job is begun or done, and a little longer; one time in five a moment of the beginning is taken."""
    if pick.random() < 0.2:
        time.sleep(pick.uniform(0, 4))
        return
    before = set(folder.glob("*/*"))
    while driver.poll() is None and set(folder.glob("*/*")) == before:
        time.sleep(0.02)
    time.sleep(pick.uniform(0, 2))


def workers_of(driver):
    """Processes of the driver's pool."""
    return [pid for pid in children(driver.pid) if b"popen_loky" in read(Path(f"/proc/{pid}/cmdline"))]


def children(parent):
    stats = {int(stat.parent.name): read(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    return [pid for pid, stat in stats.items() if stat and int(stat.rpartition(b")")[2].split()[1]) == parent]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def scores(folder):
    """All that a study has found, but for the seconds."""
    found = {}
    for job, result in Study(folder).results():
        history = {name: column for name, column in result.get("history", {}).items() if name != "seconds"}
        found[job] = {**result, "seconds": None, "history": history}
    return found


def without_seconds(table):
    """The table's lines without the column of the clock."""
    lines = table.split("\n\n")[0].splitlines()
    place = lines[0].index("seconds") - 2
    return [(line[: place + 1].rstrip(), line[place + 9 :].strip()) for line in lines if "---" not in line]
