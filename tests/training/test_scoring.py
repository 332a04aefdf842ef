"""Scores of every epoch."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, make_scorer, mean_absolute_error
from sklearn.model_selection import ShuffleSplit

from depthwise.errors import TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import EarlyStopping, History, NeuralNetClassifier, NeuralNetRegressor

SETTINGS = {"max_epochs": 4, "verbose": 0, "random_state": 0, "learning_rate": 0.05}


def test_scores_are_those_of_the_whole_validation_set(two_classes):
    X, y = two_classes
    held_out = X[40:], y[40:]
    net = NeuralNetClassifier([Output()], scoring=["f1_macro", "neg_log_loss"], validation=held_out, **SETTINGS)
    net.fit(X[:40], y[:40])
    last = net.history_[-1].scores
    assert last["f1_macro"] == pytest.approx(f1_score(held_out[1], net.predict(held_out[0]), average="macro"))
    assert last["neg_log_loss"] == pytest.approx(-log_loss(held_out[1], net.predict_proba(held_out[0])))
    assert net.history_["f1_macro"][-1] == last["f1_macro"] and len(net.history_["f1_macro"]) == 4
    assert History.from_dict(net.history_.to_dict()) == net.history_
    assert net.history_.to_list()[0]["neg_log_loss"] == net.history_[0].scores["neg_log_loss"]


def test_scorers_of_ones_own_and_regression(two_classes):
    X, _ = two_classes
    scorer = make_scorer(mean_absolute_error)
    net = NeuralNetRegressor([Output()], scoring={"mae": scorer, "r2": "r2"}, validation=(X, X[:, 0]), **SETTINGS)
    net.fit(X, X[:, 0])
    assert net.history_["mae"][-1] == pytest.approx(mean_absolute_error(X[:, 0], net.predict(X)), rel=1e-5)
    assert net.history_["r2"][-1] == pytest.approx(net.score(X, X[:, 0]), rel=1e-5)


def test_without_validation_there_are_none(two_classes):
    net = NeuralNetClassifier([Output()], scoring="f1_macro", validation=None, **SETTINGS).fit(*two_classes)
    assert net.history_[0].scores == {}


def test_a_score_can_end_training(two_classes):
    stop = EarlyStopping(patience=2, monitor="f1_macro")
    params = SETTINGS | {"max_epochs": 60}
    net = NeuralNetClassifier([Dense(8), Output()], scoring="f1_macro", early_stopping=stop, **params).fit(*two_classes)
    scores = net.history_["f1_macro"]
    assert len(scores) < 60 and stop.best_epoch_ == int(np.argmax(scores)) + 1


def test_a_number_is_the_patience(two_classes):
    net = NeuralNetClassifier([Dense(8), Output()], early_stopping=2, **SETTINGS | {"max_epochs": 200})
    X, y = two_classes
    net.set_params(learning_rate=0.5).fit(X, y)
    losses = net.history_["valid_loss"]
    assert len(losses) == int(np.argmin(losses)) + 3


def test_a_splitter_says_what_is_held_out(two_classes):
    X, y = two_classes
    splitter = ShuffleSplit(3, test_size=0.25, random_state=5)
    _, valid = next(splitter.split(X, y))
    net = NeuralNetClassifier([Output()], validation=splitter, scoring="accuracy", **SETTINGS).fit(X, y)
    assert net.history_[-1].valid_accuracy == pytest.approx(net.score(X[valid], y[valid]))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scoring": "f1_macr"}, r"scoring: scikit-learn has no scorer 'f1_macr'\. Did you mean 'f1_macro'\?"),
        ({"scoring": "r2"}, r"scoring: 'r2' cannot score this network"),
        ({"early_stopping": EarlyStopping(monitor="f2")}, r"monitor is 'f2' but must be one of epoch, train_loss"),
        ({"validation": ShuffleSplit(1, test_size=400)}, r"cannot split 60 images: "),
        ({"early_stopping": 0}, r"early_stopping is 0 but must be None, a whole number of 1 or more"),
    ],
)
def test_wrong_scores(two_classes, params, message):
    with pytest.raises(TrainingError, match=message):
        NeuralNetClassifier([Output()], **SETTINGS | params).fit(*two_classes)
