"""What a report is about: which images are looked at, and labels of every kind."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from depthwise import Conv2D, NeuralNetClassifier, NeuralNetRegressor, Output
from depthwise.errors import DataError
from depthwise.inspection.probabilities import compute_probabilities
from depthwise.pages import report
from depthwise.pages.subject import choose_samples, gather

N_CLASSES = 3
ANSWERS = st.lists(
    st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1), st.integers(40, 98)),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(answers=ANSWERS, count=st.integers(1, 14))
def test_as_many_images_as_there_are_half_of_them_mistakes(answers, count):
    columns, said = (np.array(values) for values in list(zip(*answers, strict=True))[:2])
    shares = np.array([percent for *_, percent in answers]) / 100
    probabilities = np.repeat((1 - shares)[:, None] / (N_CLASSES - 1), N_CLASSES, 1)
    probabilities[np.arange(len(said)), said] = shares
    chosen = choose_samples(probabilities, columns, count)

    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(answers))
    wrong = said != columns
    assert wrong[chosen].sum() == min(wrong.sum(), max((count + 1) // 2, count - (~wrong).sum()))
    assert sorted(wrong[chosen], reverse=True) == wrong[chosen].tolist()  # mistakes first
    truth = probabilities[np.arange(len(columns)), columns]
    mistakes = truth[chosen][wrong[chosen]]
    assert mistakes.tolist() == sorted(truth[wrong])[: len(mistakes)]
    # No class is shown twice more often than another one that has right answers left.
    of = [np.bincount(columns[rows], minlength=N_CLASSES) for rows in (chosen[~wrong[chosen]], np.flatnonzero(~wrong))]
    left = of[0] < of[1]
    assert not left.any() or of[0].max() <= of[0][left].min() + 1


@pytest.fixture(scope="module")
def module():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 16, 2))


def test_one_image_is_looked_at_where_all_answers_are_wrong(module):
    images = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
    wrong = 1 - compute_probabilities(module, images).argmax(1)
    page = report(module, images, wrong, n_samples=1)
    assert page.numbers["verdict"]["accuracy"] == 0 and len(page.numbers["attention"]["samples"]) == 1


@pytest.fixture(scope="module")
def trained():
    X, y = np.random.default_rng(0).integers(0, 256, (8, 1, 6, 6)).astype(np.uint8), np.array(["cat", "dog"] * 4)
    options = {"max_epochs": 1, "validation": None, "random_state": 0, "verbose": 0}
    layers = [Conv2D(2), Output()]
    return (
        X,
        y,
        NeuralNetClassifier(layers, **options).fit(X, y),
        NeuralNetRegressor(layers, **options).fit(X, np.arange(8)),
    )


def test_labels_of_a_data_frames_column_are_labels(trained):
    X, y, net, _ = trained
    other = NeuralNetClassifier(net.layers, max_epochs=1, validation=None, random_state=0, verbose=0)
    other.fit(X, y.astype(object))
    for network in (net, other):
        for labels in (y, y.astype(object), list(y)):
            subject = gather(network, X, labels, None, title=None, n_samples=1, command=None)
            assert subject.columns.tolist() == [0, 1] * 4


def test_labels_that_are_none_are_told(trained):
    X, y, net, regressor = trained
    mixed = "y: labels are of two kinds, 'a' (str) and None (NoneType). Make all of them strings, or whole numbers."
    for network, labels, message in (
        ("4C3-2N", ["a", None, *"bbbbbb"], mixed),
        (net, ["a", None, *"bbbbbb"], mixed),
        ("4C3-2N", [None] * 8, "y: holds None, which is no label. Give strings, or whole numbers."),
        (regressor, y, "y: dtype='numeric' is not compatible with arrays of bytes/strings"),
        ("4C3-2N", [[0], [1, 2]] * 4, "y: make no array (setting an array element with a sequence."),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            report(network, X, labels)


def test_text_beside_maps_is_no_number():
    module = nn.Conv2d(1, 2, 3)  # gives maps, and no classes that labels could name
    page = report(module, np.zeros((2, 1, 6, 6), np.float32), ["a", "b"])
    assert "data" in page.sections and page.numbers["data"]["classes"] == []
