"""scikit-learn's own searches, over the same names: whole layer lists, arguments of layers, training parameters."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the next import possible
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from depthwise import Conv2D, MaxPool2D, NeuralNetClassifier, Output

SMALL = [Conv2D(2), MaxPool2D(), Output()]
LARGE = [Conv2D(16), Output()]


def net(layers=SMALL, **params):
    settings = {"max_epochs": 2, "batch_size": 32, "learning_rate": 0.01, "validation": None, "random_state": 0}
    return NeuralNetClassifier(layers, **{**settings, "verbose": 0, **params})


def test_a_grid_of_layer_lists(digits):
    search = GridSearchCV(net(), {"layers": [SMALL, LARGE, "4C3-MP2-N"]}, cv=2).fit(*digits)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_ == {"layers": LARGE}
    assert scores[1] == scores.max() and np.isfinite(scores).all()
    assert search.best_estimator_.module_.state_dict()["conv2d1.weight"].shape[0] == 16


def test_a_grid_of_arguments_of_layers(digits):
    grid = {"conv2d1__out_channels": [2, 12], "maxpool2d2": [MaxPool2D(), MaxPool2D(3)]}
    search = GridSearchCV(net(), grid, cv=2).fit(*digits)
    assert search.best_params_["conv2d1__out_channels"] == 12
    first, second, _ = search.best_estimator_.layers
    assert (first, second) == (Conv2D(12), search.best_params_["maxpool2d2"])
    assert [Conv2D(2), MaxPool2D(), Output()] == SMALL  # the caller's list is as it was


def test_a_grid_reaches_through_a_pipeline(digits):
    pipeline = make_pipeline(FunctionTransformer(), net())
    search = GridSearchCV(pipeline, {"neuralnetclassifier__conv2d1__kernel_size": [1, 3]}, cv=2).fit(*digits)
    assert len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_halving_at_random_over_images_or_epochs(digits, resource):
    space = {"layers": [SMALL, LARGE], "learning_rate": loguniform(1e-3, 3e-2)}
    amounts = {"min_resources": 75, "max_resources": 300} if resource == "n_samples" else {"max_resources": 4}
    search = HalvingRandomSearchCV(
        net(), space, n_candidates=4, factor=2, resource=resource, cv=2, random_state=0, **amounts
    )
    search.fit(*digits)
    assert search.n_candidates_[:2] == [4, 2]
    assert search.best_params_["layers"] == LARGE
    if resource == "max_epochs":
        assert len(search.best_estimator_.history_) == search.n_resources_[-1]
