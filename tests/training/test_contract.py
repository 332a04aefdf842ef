"""The estimator among scikit-learn's tools, and images in the forms they come in."""

import io

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch.utils.data import Subset, TensorDataset

from depthwise.data import ImageSet
from depthwise.layers import Conv2D, Dense, Input, MaxPool2D, Output
from depthwise.training import NeuralNetClassifier


def classifier(layers=None, **params):
    layers = [Conv2D(4), MaxPool2D(), Output()] if layers is None else layers
    return NeuralNetClassifier(layers, **{"max_epochs": 2, "random_state": 0, "verbose": 0, **params})


def weights(net):
    return torch.cat([value.flatten() for value in net.module_.state_dict().values()])


def test_a_search_over_whole_lists_and_over_arguments_in_a_pipeline(digits):
    X, y = digits
    steps = [("double", FunctionTransformer(lambda images: images * 2.0)), ("net", classifier(max_epochs=1))]
    lists = [[Conv2D(2), Output()], "3C3-MP2-N"]
    grid = [{"net__layers": lists}, {"net__conv2d1__out_channels": [5]}]
    search = GridSearchCV(Pipeline(steps), grid, cv=2, error_score="raise").fit(X[:120], y[:120])
    assert [len(p) for p in search.cv_results_["params"]] == [1, 1, 1]
    assert search.best_estimator_.predict(X[:5]).shape == (5,)


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_are_routed_through_pipelines_and_searches(two_classes, wrapped):
    X, y = two_classes
    weight = np.where(y == "right", 5.0, 0.1)
    net = classifier([Dense(4), Output()], validation=None, learning_rate=0.02)
    direct = classifier([Dense(4), Output()], validation=None, learning_rate=0.02).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        net.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = Pipeline([("as is", FunctionTransformer()), ("net", net)])
        if wrapped:
            search = GridSearchCV(pipeline, {"net__dense1__units": [4]}, cv=2, error_score="raise")
            fitted = search.fit(X, y, sample_weight=weight).best_estimator_[-1]
        else:
            fitted = pipeline.fit(X, y, sample_weight=weight)[-1]
    torch.testing.assert_close(weights(fitted), weights(direct), rtol=0, atol=0)


@pytest.mark.slow  # each process imports PyTorch
def test_cross_validation_in_two_processes_is_that_in_one(two_classes):
    X, y = two_classes
    net = classifier([Dense(4), Output()])
    scores = [cross_val_score(net, X, y, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2)]
    assert scores[0].tolist() == scores[1].tolist()
    kept = cross_validate(net, X, y, cv=2, return_estimator=True, scoring=["accuracy", "neg_log_loss"])
    assert len(kept["estimator"][0].history_) == 2 and (kept["test_neg_log_loss"] < 0).all()


def test_joblib_carries_a_fitted_pipeline(two_classes):
    X, y = two_classes
    pipeline = Pipeline([("scale", StandardScaler()), ("net", classifier([Dense(4), Output()]))]).fit(X, y)
    stream = io.BytesIO()
    joblib.dump(pipeline, stream)
    stream.seek(0)
    assert np.array_equal(joblib.load(stream).predict_proba(X), pipeline.predict_proba(X))


class Frame:
    """What scikit-learn asks of a data frame: columns with names, and values."""

    def __init__(self, values, columns):
        self.values, self.columns, self.shape, self.ndim = values, columns, values.shape, 2
        self.dtypes = [values.dtype] * len(columns)

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.values.dtype)

    def __len__(self):
        return len(self.values)


FORMS = {
    "float64": lambda X: X.astype(np.float64),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: X.astype(np.int64),
    "big-endian": lambda X: X.astype(">f4"),
    "channels last": lambda X: np.repeat(X, 3, 1).transpose(0, 2, 3, 1),
    "no channel": lambda X: X[:, 0],
    "rows of pixels": lambda X: X.reshape(len(X), -1),
    "columns of pixels": lambda X: Frame(X.reshape(len(X), -1), [f"pixel{i}" for i in range(64)]),
    "a tensor": lambda X: torch.from_numpy(X.copy()),
    "a tensor with gradient": lambda X: torch.from_numpy(X.astype(np.float32)).requires_grad_(),
    "a tensor of bfloat16": lambda X: torch.from_numpy(X.copy()).bfloat16(),
    "Fortran order": np.asfortranarray,
    "another view": lambda X: X[::-1, :, ::-1][::-1, :, ::-1],
}


@pytest.mark.parametrize("form", FORMS)
def test_images_in_every_form_make_the_same_network(digits, form):
    X, y = digits[0][:100], digits[1][:100]
    channels = 3 if form == "channels last" else 1
    plain = np.repeat(X, 3, 1) if channels == 3 else X
    layers = [Input((channels, 8, 8)), Conv2D(4), MaxPool2D(), Output()]
    expected, net = classifier(layers, max_epochs=1).fit(plain, y), classifier(layers, max_epochs=1)
    images = FORMS[form](X)
    assert np.array_equal(net.fit(images, y).predict(images), expected.predict(plain))
    torch.testing.assert_close(weights(net), weights(expected))


def test_names_of_columns_are_kept_and_compared(two_classes):
    X, y = two_classes
    net = classifier([Output()]).fit(Frame(X, list("abcd")), y)
    assert net.n_features_in_ == 4


@pytest.mark.parametrize("labels", [["b", "a"], [-(2**62), 2**62], np.array([5, 2**64 - 1], np.uint64), ["ß", ""]])
def test_classes_are_sorted_and_come_back_as_they_were(two_classes, labels):
    X, y = two_classes
    labels = np.asarray(labels)
    net = classifier([Output()]).fit(X, labels[(y == "right").astype(int)])
    assert net.classes_.tolist() == sorted(labels.tolist()) and net.predict(X).dtype == labels.dtype


def test_data_sets_and_image_sets_validate_and_are_evaluated(digits):
    X, y = digits
    reference = classifier(max_epochs=1, validation=(X[300:], y[300:])).fit(X[:300], y[:300])
    images = ImageSet(X=X[300:], y=y[300:], source="digits")
    pairs = TensorDataset(torch.from_numpy(X[300:].copy()), torch.from_numpy(y[300:].copy()))
    for given in (images, pairs, Subset(pairs, range(100))):
        net = classifier(max_epochs=1, validation=given).fit(X[:300], y[:300])
        assert net.history_["valid_loss"] == reference.history_["valid_loss"]
        assert net.evaluate(given) == reference.evaluate(X[300:], y[300:])
        assert np.array_equal(net.predict(given), reference.predict(X[300:]))
        assert net.score(given) == reference.score(X[300:], y[300:])
