"""Weights of one network in another: what is taken, what is not, and that it is told."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from depthwise.errors import FileError, TrainingError
from depthwise.layers import BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, Output
from depthwise.training import NeuralNetClassifier, WeightTransfer
from depthwise.training.transfer import OtherShape


def layers(width, *more):
    return [Input((1, 8, 8)), Conv2D(4, name="eyes"), BatchNorm(name="norm"), GlobalAvgPool2D(), *more,
            Output(width, name="head")]  # fmt: skip


def classifier(width=10, *more, **params):
    defaults = {"max_epochs": 1, "random_state": 0, "verbose": 0, "warm_start": True}
    return NeuralNetClassifier(layers(width, *more), **{**defaults, **params})


@pytest.fixture(scope="module")
def old(digits):
    return classifier().fit(*digits)


@pytest.mark.parametrize("form", ["path", "estimator", "module", "tensors"])
def test_all_sources_give_an_equal_network(old, digits, tmp_path, form):
    X, y = digits
    old.save(tmp_path / "old.safetensors")
    sources = {"path": tmp_path / "old.safetensors", "estimator": old, "module": old.module_}
    net = classifier(random_state=1)
    record = net.load_weights(sources.get(form, old.module_.state_dict()))
    assert record.complete and len(record.taken) == len(old.module_.state_dict())
    fitted = classifier(random_state=1).fit(X, y)
    fitted.predict(X)  # what is kept from it must not be of the old weights
    fitted.load_weights(old)
    assert np.array_equal(fitted.predict_proba(X), old.predict_proba(X))


def test_what_was_taken_and_what_was_not_is_told(old):
    net = classifier(3, Dense(5, name="more"))
    first = {name: value.clone() for name, value in net.initialize().module_.state_dict().items()}
    record = net.load_weights(old)
    now, there = net.module_.state_dict(), old.module_.state_dict()
    assert record.other_shape == (OtherShape("head.weight", (10, 4), (3, 5)), OtherShape("head.bias", (10,), (3,)))
    assert record.missing == ("more.weight", "more.bias") and record.unexpected == () and not record.complete
    assert all(torch.equal(now[name], there[name]) for name in record.taken)
    kept = (*record.missing, *(tensor.name for tensor in record.other_shape))
    assert all(torch.equal(now[name], first[name]) for name in kept)
    assert sorted((*record.taken, *kept)) == sorted(now)
    assert str(record) == (
        "NeuralNetClassifier: 9 of 13 tensors taken\n"
        "taken: input0 (mean, std), eyes (weight, bias), "
        "norm (weight, bias, running_mean, running_var, num_batches_tracked)\n"
        "of another shape, as they were: head.weight (10x4 there, 3x5 here), head.bias (10 there, 3 here)\n"
        "missing there, as they were: more (weight, bias)"
    )
    back = classifier().load_weights(net)
    assert back.unexpected == ("more.bias", "more.weight")
    assert "unknown here, left out: more (bias, weight)" in str(back)


def test_fit_goes_on_with_the_weights_and_their_statistics(old, digits):
    X, y = digits
    few = y < 3
    net = classifier(3, learning_rate=1e-9)
    net.load_weights(old)
    net.fit(255 - X[few], y[few])
    for name in ("input0.mean", "input0.std", "eyes.weight"):
        assert torch.allclose(net.module_.state_dict()[name], old.module_.state_dict()[name], atol=1e-6), name
    assert net.classes_.tolist() == [0, 1, 2] and len(net.history_) == 1
    assert net.predict(X[few]).max() <= 2
    again = classifier(3)
    again.load_weights(old)
    module = again.module_
    again.partial_fit(X[few], y[few])
    assert again.module_ is not module and torch.equal(again.module_.input0.mean, old.module_.input0.mean)


def test_an_initialized_network_learns_statistics_and_is_the_one_that_fit_would_make(digits):
    X, y = digits
    one, other = classifier().initialize().fit(X, y), classifier().fit(X, y)
    assert all(map(torch.equal, one.module_.state_dict().values(), other.module_.state_dict().values()))


def test_weights_that_fit_would_throw_away_are_refused(old):
    with pytest.raises(TrainingError, match=r"^load_weights: fit would start anew, without these weights\. Write warm"):
        classifier(warm_start=False).load_weights(old)


def test_layers_that_would_be_ignored_are_refused(old, digits):
    X, y = digits
    net = classifier().fit(X, y)
    with pytest.raises(TrainingError, match=r"^layers have changed since the network was trained, which is to go on\."):
        net.set_params(eyes__out_channels=6).fit(X, y)
    with pytest.raises(TrainingError, match="layers have changed since the network was trained"):
        net.partial_fit(X, y)
    assert net.set_params(eyes__out_channels=4).fit(X, y).history_["epoch"] == [1, 2]
    prepared = classifier()
    prepared.load_weights(old)
    with pytest.raises(TrainingError, match=r"^layers have changed since initialize\(\)\. Call it again, and load_w"):
        prepared.set_params(eyes__out_channels=6).fit(X, y)


def test_a_module_of_ones_own_takes_weights_too():
    pretrained, net = nn.Sequential(nn.Linear(4, 2)), NeuralNetClassifier(nn.Sequential(nn.Linear(4, 2)), verbose=0)
    net.set_params(warm_start=True, max_epochs=1, learning_rate=1e-9, validation=None)
    assert net.load_weights(pretrained).complete
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    net.fit(X, np.arange(20) % 2)
    torch.testing.assert_close(net.module_[0].weight, pretrained[0].weight, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (nn.Linear(3, 2), TrainingError, r"^load_weights: none of the 2 tensors of Linear has the name and shape of "
         r"one of the 11 here: weight of 2x3 there, input0\.mean of 1 here\. Give layers that are the same equal"),
        ({}, TrainingError, "none of the 0 tensors of dict .*: nothing there"),
        (3, TrainingError, "^load_weights: an object of type int holds no weights. Give the path of a safetensors"),
        ({"a": 3}, TrainingError, "of type dict holds no weights"),
        ("nowhere.safetensors", FileError, r"^nowhere\.safetensors: cannot be read \(No such file or directory\)"),
        ("broken.pt", FileError, r"is no safetensors file, or a damaged one .*torch\.load\(path, weights_only=True\)"),
    ],
)  # fmt: skip
def test_nothing_that_fits_is_an_error_and_changes_nothing(tmp_path, monkeypatch, source, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 and so on")
    net = classifier().initialize()
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    with pytest.raises(error, match=message):
        net.load_weights(source)
    assert all(torch.equal(before[name], value) for name, value in net.module_.state_dict().items())


def test_any_safetensors_file_will_do(tmp_path):
    save_file({"head.bias": torch.arange(10.0)}, tmp_path / "head.safetensors")
    net = classifier()
    record = net.load_weights(str(tmp_path / "head.safetensors"))
    assert isinstance(record, WeightTransfer) and record.taken == ("head.bias",)
    assert net.module_.head.bias.tolist() == list(range(10))
