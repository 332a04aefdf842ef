"""Saved networks, states of training, weights and notations from strangers: each is read, or refused with one error.

Files and texts are changed by chance: bytes, the head that tells where tensors lie, the description in it, the layer
list in that.  Nothing may run code, raise what is not depthwise's own, warn, or take memory on the word of a file.
"""

import json
import pickle
import struct
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from strategies import random_layers
from torch import nn

from depthwise.errors import DepthwiseError, FileError
from depthwise.layers import Conv2D, Dense, Output, Residual
from depthwise.notation import read_layers, write_layers, write_toml
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor, load
from depthwise.training.resume import FILE, SavedTraining
from depthwise.training.transfer import take_weights

LAYERS = [Conv2D(2, norm="batch"), Residual([Conv2D(2, padding="same")]), Dense(3), Output()]
ODD = [
    None, True, False, 0, -1, 1, 7, 0.5, -0.0, 1e308, float("nan"), float("inf"), 10**9, 10**12, 10**18, 2**63, 10**30,
    -(10**18), "", "NaN", "1e18", "a" * 300, "\ud800", "\0", "U999999999", "<U2147483647", "V99999999999", "O", "c16",
    "M8[ns]", "F32", "I64", "BOOL", "C64", "F8_E4M3", "F4", "BF16", "classifier", "regressor", "cuda", "bfloat16",
    [], {}, [[]], [None], [1], [10**12], [-1, 3], [0, 10**12], [3] * 70,
    {"": {}}, {"__tensor__": "a"}, {"__pairs__": [[[], 1]]}, {"__tuple__": 3},
]  # fmt: skip
WORDS = [
    "", "-", ".", "x", "[", "]", "(", ")", "*", "->", "?", "=", '"', "\n", "#", "s2", "ps", "d3", "nb", "R(", "S8C3",
    "DW5", "T4C2", "UP2", "GAP", "FC", "POOL", "[[layers]]", "kind", "inputs", "shape", "inf", "nan", "-1", "0", "1e18",
    "1000000000000", "9" * 40, "é", "\0", "\ud800",
]  # fmt: skip
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
        inside, key = _place(rng, value)
        match rng.randrange(4):
            case 0 if isinstance(inside, dict):
                inside[rng.choice([*map(str, ODD[:12]), *inside])] = inside.pop(key)
            case 1:
                inside.pop(key)
            case 2:
                inside[key] = rng.choice([[inside[key], inside[key]], [[inside[key]]], {"a": inside[key]}])
            case _:
                inside[key] = deepcopy(rng.choice(ODD))
        if not value:
            break
    return value


def _place(rng: Random, value: Any) -> tuple[Any, Any]:
    """A place in a value, every depth alike: what holds it, and its key."""
    while True:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if not isinstance(value[key], (dict, list)) or not value[key] or rng.random() < 0.2:
            return value, key
        value = value[key]


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
    elif "state" in about and rng.random() < 0.7:
        about["state"] = value_changed(rng, about["state"])
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
    NeuralNetClassifier(LAYERS, **settings()).fit(X, y.astype(str), resume=folder).save(
        folder / "classifier.safetensors"
    )
    NeuralNetRegressor(LAYERS, **settings()).fit(X, np.eye(3)[y]).save(folder / "regressor.safetensors")
    files = {"classifier": "classifier.safetensors", "regressor": "regressor.safetensors", FILE: FILE}
    return {name: (folder / file).read_bytes() for name, file in files.items()}


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
        state = SavedTraining(tmp_path, NeuralNetClassifier([]))
        assert state.seed is not None and state.precision and state.threads

    return attack(read, lambda rng: file_changed(rng, saved[FILE]), n, seed)


def attack_weights(saved, tmp_path, n, seed):
    path = tmp_path / "weights.safetensors"
    module = load_bytes(saved["classifier"], tmp_path).module_

    def read(content):
        path.write_bytes(content)
        take_weights(module, path)

    def change(rng):
        head, data = unpacked(saved["classifier"])
        return bytes_changed(rng, saved["classifier"]) if rng.random() < 0.3 else packed(value_changed(rng, head), data)

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
    "loading": (attack_loading, 200, 22_000),
    "resuming": (attack_resuming, 200, 20_000),
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
def test_many_inputs(saved, tmp_path, little_memory, what):
    run, _, many = ATTACKS[what]
    read, refused = run(saved, tmp_path, many, seed=2)
    assert read > LEAST and refused > LEAST


class Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["pickle", "torch.save", "numpy", "in the head"])
def test_nothing_is_unpickled(saved, tmp_path, form):
    trap, path = tmp_path / "trapped", tmp_path / FILE
    match form:
        case "pickle":
            path.write_bytes(pickle.dumps(Touches(trap)))
        case "torch.save":
            torch.save({"conv2d1.weight": Touches(trap)}, path)
        case "numpy":
            with path.open("wb") as stream:
                np.save(stream, np.array([Touches(trap)], dtype=object), allow_pickle=True)
        case "in the head":
            head, tensors = unpacked(saved["classifier"])
            text = pickle.dumps(Touches(trap), 0).decode("latin-1")
            path.write_bytes(packed(head | {"__metadata__": {"depthwise": text, "depthwise_training": text}}, tensors))
    assert not trap.exists()
    with pytest.raises(FileError):
        load(path)
    with pytest.raises(FileError):
        SavedTraining(tmp_path, NeuralNetClassifier([]))
    with pytest.raises(DepthwiseError):
        take_weights(nn.Conv2d(1, 1, 1), path)
    assert not trap.exists()


WIDE = write_toml([Dense(10**6), Dense(10**6), Output()])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layers": WIDE, "input_shape": [36]}, r"misses the tensor|holds the tensor"),
        ({"layers": write_toml([Dense(10**12), Output()])}, r"misses the tensor|holds the tensor|is damaged"),
        ({"layers": write_toml([Dense(10**18), Output()])}, r"description is damaged \(RuntimeError: Storage size"),
        ({"input_shape": [10**12, 6, 6]}, r"the tensor 'input0.mean' is 1 but its layer needs 1000000000000\."),
        ({"classes": ["a", "b", "c"], "dtype": "<U500000000"}, None),
        ({"kind": "regressor", "target_shape": [10**12]}, r"the tensor 'output4.weight' is 3x3 but its layer needs"),
        ({"classes": [[0] * 100] * 3, "dtype": "<i8"}, r"description is damaged \(ValueError: labels in rows\)"),
        ({"seed": -1}, r"description is damaged \(ValueError: the seed is -1\)"),
        ({"format": float("inf")}, r"its description is damaged\. Save it again\."),
    ],
)
def test_no_memory_is_taken_on_the_word_of_a_file(saved, tmp_path, little_memory, changes, told):
    head, tensors = unpacked(saved["classifier"])
    about = json.loads(head["__metadata__"]["depthwise"]) | changes
    content = packed(head | {"__metadata__": {"depthwise": json.dumps(about)}}, tensors)
    if told is None:
        assert load_bytes(content, tmp_path).classes_.tolist() == about["classes"]
        return
    with pytest.raises(FileError, match=told):
        load_bytes(content, tmp_path)


def test_tensors_longer_than_their_file_are_refused(saved, tmp_path, little_memory):
    head, tensors = unpacked(saved["classifier"])
    head["output4.weight"] |= {"shape": [10**6, 10**6], "data_offsets": [len(tensors), len(tensors) + 4 * 10**12]}
    for content in (packed(head, tensors), struct.pack("<Q", 10**12) + b"{}"):
        with pytest.raises(FileError, match="is no safetensors file, or a damaged one"):
            load_bytes(content, tmp_path)
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(FileError, match="is no state of a training, or a damaged one"):
            SavedTraining(tmp_path, NeuralNetClassifier([]))
