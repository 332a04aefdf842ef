"""Small handwritten digits and the smallest races."""

import signal

import numpy as np
import pytest
from sklearn.datasets import load_digits

from depthwise.search import ArchitectureSearch
from depthwise.training import NeuralNetClassifier

DESIGNS = ("4C3-MP2-N", "6C3-MP2-N", "8C3-MP2-N", "3C3-GAP-N")


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C means what it means in a terminal, also where a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def digits():
    """300 images of 8x8 and their labels."""
    X, y = load_digits(return_X_y=True)
    return X[:300].reshape(-1, 1, 8, 8).astype(np.uint8), y[:300]


@pytest.fixture
def make_search():
    """A search of two rungs, with what is named otherwise."""

    def make(designs=DESIGNS, **params):
        net = params.pop("estimator", NeuralNetClassifier([], batch_size=32, learning_rate=0.01))
        settings = {"rungs": (1, 2), "keep": 0.5, "n_seeds": 2, "verbose": 0, **params}
        return ArchitectureSearch(list(designs), estimator=net, **settings)

    return make


def outcome(search):
    """All that must be equal between two runs of one race: everything but the clock."""
    found = {name: column.tolist() for name, column in search.cv_results_.items() if name != "seconds"}
    weights = {name: value.tolist() for name, value in search.best_estimator_.module_.state_dict().items()}
    return found, search.best_index_, search.best_score_, weights


@pytest.fixture
def outcome_of():
    return outcome
