"""The race on a cluster: a real scheduler of Dask and two worker processes on this machine."""

import os
import signal
import threading
import time

import joblib
import pytest
from deadly import Deadly

from depthwise.training import NeuralNetClassifier

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Dask's and tornado's are not ours to mend
DESIGNS = ("4C3-MP2-N", "6C3-MP2-N", "8C3-MP2-N", "3C3-GAP-N")


@pytest.fixture
def cluster():
    """A scheduler and two processes."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as made,
        distributed.Client(made) as client,
        joblib.parallel_config(backend="dask"),
    ):
        yield client


def workers_of(client):
    return [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]


def test_a_cluster_finds_what_one_process_finds(make_search, digits, tmp_path, cluster, outcome_of):
    found = make_search(DESIGNS, study=tmp_path / "cluster", n_threads=1).fit(*digits)
    with joblib.parallel_config(backend="sequential"):
        alone = make_search(DESIGNS, n_threads=1).fit(*digits)
    assert outcome_of(found) == outcome_of(alone)


def test_a_killed_worker_costs_the_rung_it_was_at(make_search, digits, tmp_path, cluster, outcome_of):
    settings = {"rungs": (5, 40), "n_threads": 1, "n_seeds": 1}
    pids = workers_of(cluster)

    def kill():
        while len(list((tmp_path / "study" / "results").glob("*-5.json"))) < 2:
            time.sleep(0.02)
        os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = make_search(DESIGNS, study=tmp_path / "study", **settings).fit(*digits)
    killer.join()
    with joblib.parallel_config(backend="sequential"):
        alone = make_search(DESIGNS, **settings).fit(*digits)
    assert outcome_of(found) == outcome_of(alone)


def test_a_design_that_ends_every_worker_is_given_up(make_search, digits, tmp_path, cluster):
    (tmp_path / "deaths").mkdir()
    net = NeuralNetClassifier([], batch_size=32, callbacks=[Deadly(6, tmp_path / "deaths")])
    search = make_search(("4C3-N", "6C3-N"), estimator=net, rungs=(1,), n_seeds=1, n_threads=1).fit(*digits)
    assert search.cv_results_["status"].tolist() == ["finished", "failed"]
    assert search.cv_results_["error"][1].startswith("given up after 2 attempts without an epoch: its process died")
    assert len(list((tmp_path / "deaths").iterdir())) == 2
