"""The estimators as scikit-learn knows them."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from depthwise.layers import Conv2D, Dense, MaxPool2D, Output
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor

SETTINGS = {
    "max_epochs": 15,
    "batch_size": 16,
    "learning_rate": 0.03,
    "validation": None,
    "verbose": 0,
    "random_state": 0,
}


def declared_failures(estimator):
    reason = "a batch with an image twice is another batch than one with an image of weight 2"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(
    [NeuralNetClassifier([Dense(32), Output()], **SETTINGS), NeuralNetRegressor([Dense(32), Output()], **SETTINGS)],
    expected_failed_checks=declared_failures,
)
def test_scikit_learn_has_no_complaint(estimator, check):
    check(estimator)


def test_kinds():
    assert is_classifier(NeuralNetClassifier([])) and is_regressor(NeuralNetRegressor([]))


def test_a_grid_reaches_into_layers(digits):
    X, y = digits
    net = NeuralNetClassifier([Conv2D(4), MaxPool2D(), Output()], max_epochs=1, verbose=0, random_state=0)
    grid = {"conv2d1__out_channels": [1, 6], "maxpool2d2": [MaxPool2D(), MaxPool2D(3)]}
    search = GridSearchCV(net, grid, cv=2).fit(X[:120], y[:120])
    assert len(search.cv_results_["params"]) == 4 and search.best_estimator_.layers[0].out_channels in (1, 6)
    assert net.layers == [Conv2D(4), MaxPool2D(), Output()]


def test_pipelines_and_cross_validation(two_classes):
    X, y = two_classes
    net = NeuralNetClassifier([Dense(8), Output()], max_epochs=15, learning_rate=0.02, verbose=0, random_state=0)
    assert cross_val_score(make_pipeline(StandardScaler(), net), X, y, cv=3).mean() > 0.8


def test_a_constructor_only_stores(two_classes):
    layers, callbacks = [Dense(4), Output()], []
    net = NeuralNetClassifier(layers, callbacks=callbacks)
    assert net.layers is layers and net.callbacks is callbacks
    assert set(vars(net)) == set(net.get_params(deep=False))
    fitted = clone(net).set_params(max_epochs=1, verbose=0).fit(*two_classes)
    learned = set(vars(fitted)) - set(fitted.get_params(deep=False))
    assert all(name.endswith("_") for name in learned), learned


def test_the_representation_is_short():
    assert repr(NeuralNetClassifier([Conv2D(8), Output()])) == "NeuralNetClassifier(layers=[Conv2D(8), Output()])"


@pytest.mark.parametrize("seed", [np.random.RandomState(0), None, 3])
def test_every_kind_of_random_state_will_do(two_classes, seed):
    NeuralNetClassifier([Output()], max_epochs=1, verbose=0, random_state=seed).fit(*two_classes)
