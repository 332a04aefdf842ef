"""Whatever text comes in, a layer list or a NotationError comes out, at once."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import random_layers

from depthwise.errors import NotationError
from depthwise.layers import Layer
from depthwise.notation import read_layers, read_toml, write_layers, write_toml
from depthwise.notation.scanner import MOST_LAYERS, count_layers

PIECES = [
    *"0123456789-x[]()|*:+.?=#\n \"'sdpgbmoect", "nb", "ps", "->", "R(", "]*2", "]*999", "relu", "none", ":tanh",
    "IN", "C", "CB", "DW", "S", "T", "MP", "AP", "GAP", "UP", "ZP", "BN", "+GN8", "GN", "A", "LR", "D", "SD", "F", "N",
    "INPUT", "CONV", "POOL", "FC", "[[layers]]", "kind = ", "layers = ", "é", "٣", "\x00", "\ud800", "9" * 400, ".toml",
]  # fmt: skip
PATTERN = "INPUT [32x32x3] -> [[CONV -> BN -> RELU]*2 -> POOL?]*3 -> [FC 64 -> RELU] x 2 -> DROPOUT -> FC"


def read(text: str) -> None:
    """Read, and look at the result or the error."""
    try:
        layers = read_layers(text)
    except NotationError as problem:
        marked = re.match(r"cannot read .* at character (\d+):\n    (.*)\n    ( *)\^\n", str(problem), re.DOTALL)
        if marked and len(text) <= 50:
            assert len(marked[3]) == int(marked[1]) - 1 <= len(text)
            assert len(marked[2]) == len(text)
        return
    assert layers and all(isinstance(layer, Layer) for layer in layers)
    assert count_layers(layers) <= MOST_LAYERS


def mutated(rng: Random, text: str) -> str:
    """The text with one to three small accidents."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice((0, 0, 1, 1, 2, 5)))
        text = text[:start] + rng.choice(("", rng.choice(PIECES), text[start:end] * 2)) + text[end:]
    return text


def test_random_pieces():
    rng = Random(1)
    for _ in range(10_000):
        read("".join(rng.choices(PIECES, k=rng.randint(0, 8))))


def test_mutated_compact_forms():
    rng = Random(2)
    valid = [write_layers(random_layers(Random(seed), wired=False, depth=seed % 4 + 1)[0]) for seed in range(100)]
    for case in range(8_000):
        read(mutated(rng, valid[case % len(valid)]))


def test_mutated_patterns():
    rng = Random(3)
    for _ in range(2_000):
        read(mutated(rng, PATTERN))


def test_mutated_files():
    rng = Random(4)
    valid = [write_toml(random_layers(Random(seed), depth=seed % 4 + 1)[0]) for seed in range(50)]
    refused = 0
    for case in range(1_500):
        try:
            read_toml(mutated(rng, valid[case % len(valid)]))
        except NotationError:
            refused += 1
    assert 500 < refused < 1_500


@given(st.text())
def test_any_text(text):
    read(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["same", "batch", "relu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "p"]), inner, max_size=2),
    max_leaves=6,
)
ARGUMENTS = ("out_channels", "units", "kernel_size", "stride", "padding", "shape", "norm", "inputs", "name", "p", "eps",
             "layers", "groups", "scale", "activation", "output_padding", "mode", "bias")  # fmt: skip


@given(st.sampled_from(["input", "conv2d", "conv2dtranspose", "maxpool2d", "upsample2d", "zeropad2d", "batchnorm",
                        "groupnorm", "activation", "dropout", "dense", "add", "residual"]),
       st.dictionaries(st.sampled_from(ARGUMENTS), VALUES, max_size=3))  # fmt: skip
def test_any_value_of_an_argument(kind, arguments):
    text = ", ".join(f"{name} = {inline(value)}" for name, value in {"kind": kind, "units": 3, **arguments}.items())
    with_channels = text if "out_channels" in arguments else f"{text}, out_channels = 3"
    for line in (text, with_channels):
        try:
            read_toml(f"layers = [{{ {line} }}]")
        except NotationError:
            continue


def inline(value: object) -> str:
    match value:
        case None:
            return "1979-05-27"
        case bool():
            return str(value).lower()
        case str():
            return "'" + re.sub(r"[^\w ]", "?", value) + "'"
        case list():
            return f"[{', '.join(map(inline, value))}]"
        case dict():
            return "{" + ", ".join(f"{name} = {inline(part)}" for name, part in value.items()) + "}"
    return repr(value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "R(" * 100_000, "8C3-" * 100_000, " " * 1_000_000, "9" * 1_000_000, "[->" * 100_000]
)
def test_a_huge_text_is_refused_at_once(text):
    with pytest.raises(NotationError) as caught:
        read_layers(text)
    assert len(str(caught.value)) < 1000
