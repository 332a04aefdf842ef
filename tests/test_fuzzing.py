"""Saved networks, states of training, weights and notations from strangers: each is read, or refused with one error.

Files and texts are changed by chance: bytes, the head that tells where tensors lie, the description in it, the layer
list in that.  Nothing may run code, raise what is not depthwise's own, warn, or take memory on the word of a file.
"""

import json
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from strategies import random_layers
from torch import nn

from depthwise.errors import DepthwiseError, FileError, NotationError
from depthwise.layers import Conv2D, Dense, Output, Residual
from depthwise.notation import read_layers, write_layers, write_toml
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor, load
from depthwise.training.resume import FILE, SavedTraining
from depthwise.training.transfer import take_weights

LAYERS = [Conv2D(2, norm="batch"), Residual([Conv2D(2, padding="same")]), Dense(3), Output()]
ODD = [
    None, True, False, 0, -1, 1, 7, 0.5, -0.0, 1e308, float("nan"), float("inf"), 10**9, 10**12, 10**18, 2**63, 10**30,
    -(10**18), "", "NaN", "1e18", "a" * 300, "\ud800", "\0", "U999999999", "<U2147483647", "V99999999999", "O", "M8[ns]",
    "c16", "F32", "I64", "BOOL", "C64", "F8_E4M3", "F4", "BF16", "classifier", "regressor", "cuda", "bfloat16", [], {},
    [[]], [None], [1], [10**12], [-1, 3], [0, 10**12], [3] * 70, {"": {}}, {"__tensor__": "a"}, {"__pairs__": [[[], 1]]},
    {"__tuple__": 3},
]  # fmt: skip
WORDS = ["", "-", ".", "x", "[", "]", "(", ")", "*", "->", "?", "=", '"', "\n", "#", "s2", "ps", "d3", "nb", "R(", "S8C3",
         "DW5", "T4C2", "UP2", "GAP", "FC", "POOL", "[[layers]]", "kind", "inputs", "shape", "inf", "nan", "-1", "0",
         "1e18", "1000000000000", "9" * 40, "é", "\0", "\ud800"]  # fmt: skip
LEAST = 20
"""Of each outcome: what is always read, or always refused, was not changed rightly."""


def bytes_changed(rng: Random, valid: bytes) -> bytes:
    content = bytearray(valid)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(5):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                content[at : at + 8] = struct.pack("<Q", rng.choice([0, 1, 2**31, 2**40, 2**63, 2**64 - 1]))
            case 2:
                del content[at : at + rng.randrange(1, 20)]
            case 3:
                content[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 4:
                del content[at:]
    return bytes(content)


def text_changed(rng: Random, text: str) -> str:
    for _ in range(rng.randint(1, 3)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice((0, 0, 1, 1, 2, 5)))
        text = text[:start] + rng.choice((rng.choice(WORDS), text[start:end] * 2)) + text[end:]
    return text


def value_changed(rng: Random, value: Any) -> Any:
    """A value of JSON with one to three places of it changed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = [(None, None), *_places(value)]
        inside, key = rng.choice(places)
        if inside is None:
            continue
        match rng.randrange(4):
            case 0 if isinstance(inside, dict):
                inside[rng.choice([*map(str, ODD[:12]), *inside])] = inside.pop(key)
            case 1:
                inside.pop(key)
            case 2:
                inside[key] = [inside[key], inside[key]]
            case _:
                inside[key] = rng.choice(ODD)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place inside a value: what holds it, and its key; few of those in long lists."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 3))
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def unpacked(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Head and tensors of a safetensors file: a length, JSON, bytes."""
    [length] = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def packed(head: Any, tensors: bytes) -> bytes:
    text = json.dumps(head).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + tensors


def file_changed(rng: Random, valid: bytes) -> bytes:
    """The file with its bytes, its head, its description or its layers changed."""
    way = rng.choice(["bytes", "head", "description", "description", "layers"])
    if way == "bytes":
        return bytes_changed(rng, valid)
    head, tensors = unpacked(valid)
    if way == "head":
        return packed(value_changed(rng, head), tensors)
    [key] = head["__metadata__"]
    about = json.loads(head["__metadata__"][key])
    if way == "layers" and "layers" in about:
        about["layers"] = text_changed(rng, about["layers"])
    else:
        about = value_changed(rng, about)
    head["__metadata__"][key] = json.dumps(about)
    return packed(head, tensors)


def images(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 1, 6, 6)).astype(np.uint8), np.arange(n) % 3


def settings() -> dict[str, Any]:
    return {"max_epochs": 2, "batch_size": 4, "validation": 0.5, "verbose": 0, "random_state": 0}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, bytes]:
    """Valid files: a classifier, a regressor, a state of training."""
    folder = tmp_path_factory.mktemp("saved")
    X, y = images()
    NeuralNetClassifier(LAYERS, **settings()).fit(X, y.astype(str), resume=folder).save(folder / "classifier")
    NeuralNetRegressor(LAYERS, **settings()).fit(X, np.eye(3)[y]).save(folder / "regressor")
    return {name: (folder / name).read_bytes() for name in ("classifier", "regressor", FILE)}


def attack(read: Callable[[Any], object], change: Callable[[Random], Any], n: int, seed: int) -> tuple[int, int]:
    """How many inputs were read, and how many refused; anything else is told with its input."""
    rng = Random(seed)
    outcomes = [0, 0]
    for turn in range(n):
        given = change(rng)
        try:
            read(given)
            outcomes[0] += 1
        except DepthwiseError as error:
            assert str(error) and "allocate" not in str(error), given
            outcomes[1] += 1
        except BaseException as error:
            raise AssertionError(f"turn {turn}: {error!r} of {given!r}") from error
    return outcomes[0], outcomes[1]


def attack_loading(saved, tmp_path, n, seed):
    path = tmp_path / "net.safetensors"

    def read(content):
        path.write_bytes(content)
        load(path)

    return attack(read, lambda rng: file_changed(rng, saved[rng.choice(["classifier", "regressor"])]), n, seed)


def attack_resuming(saved, tmp_path, n, seed):
    def read(content):
        (tmp_path / FILE).write_bytes(content)
        state = SavedTraining(tmp_path)
        assert state.seed is not None and state.precision and state.threads

    return attack(read, lambda rng: file_changed(rng, saved[FILE]), n, seed)


def attack_continuing(saved, tmp_path, n, seed):
    """A state that can be read is put into a training that goes on."""
    X, y = images()

    def read(content):
        (tmp_path / FILE).write_bytes(content)
        NeuralNetClassifier(LAYERS, **settings() | {"max_epochs": 3}).fit(X, y.astype(str), resume=tmp_path)

    return attack(read, lambda rng: file_changed(rng, saved[FILE]), n, seed)


def attack_weights(saved, tmp_path, n, seed):
    path = tmp_path / "weights.safetensors"
    module = load_bytes(saved["classifier"], tmp_path).module_

    def read(content):
        path.write_bytes(content)
        take_weights(module, path)

    def change(rng):
        head, tensors = unpacked(saved["classifier"])
        return bytes_changed(rng, saved["classifier"]) if rng.random() < 0.3 else packed(value_changed(rng, head), tensors)

    return attack(read, change, n, seed)


def attack_notations(saved, tmp_path, n, seed):
    lists = [random_layers(Random(place), wired=False, depth=place % 6 + 1)[0] for place in range(60)]
    valid = ["INPUT [32x32x3] -> [[CONV -> BN -> RELU]*2 -> POOL?]*3 -> [FC 64 -> RELU] x 2 -> DROPOUT -> FC"]
    valid += [write(layers) for layers in lists for write in (write_layers, write_toml)]

    def read(text):
        assert read_layers(text)

    return attack(read, lambda rng: text_changed(rng, rng.choice(valid)), n, seed)


def load_bytes(content, folder):
    (folder / "whole.safetensors").write_bytes(content)
    return load(folder / "whole.safetensors")


ATTACKS = {
    "loading": (attack_loading, 300, 40_000),
    "resuming": (attack_resuming, 200, 20_000),
    "continuing": (attack_continuing, 20, 500),
    "weights": (attack_weights, 200, 20_000),
    "notations": (attack_notations, 300, 40_000),
}
"""Inputs of `make test` and of `make slow`."""


@pytest.mark.parametrize("what", ATTACKS)
def test_some_inputs(saved, tmp_path, what):
    run, few, _ = ATTACKS[what]
    read, refused = run(saved, tmp_path, few, seed=1)
    assert read and refused


@pytest.mark.slow
@pytest.mark.parametrize("what", ATTACKS)
def test_many_inputs(saved, tmp_path, what):
    run, _, many = ATTACKS[what]
    read, refused = run(saved, tmp_path, many, seed=2)
    assert read > LEAST and refused > LEAST
