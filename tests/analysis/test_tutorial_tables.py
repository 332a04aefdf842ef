"""The tables that the tutorials printed, character for character; tests/golden holds what stands in them."""

import re
from pathlib import Path

import pytest
from tutorial_networks import (
    BLOG_NET,
    CIFAR,
    CIFAR_DENSE,
    CIFAR_TAKE_1,
    CIFAR_TAKE_2,
    DIGITS,
    GROWING_CHANNELS,
    NET0,
    NET1,
    NET2,
    NET3,
    NET4,
    NETZ_COMPROMISE,
    NETZ_MUCH_POOLING,
    NETZ_NO_POOLING,
    NETZ_SHALLOW,
    SIZE_CHAIN,
)

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import GraphError
from depthwise.graph import Graph
from depthwise.layers import Conv2D, Dropout, MaxPool2D, Output

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MEBI = 1 << 20
ESCAPES = re.compile(r"\033\[\d+m")


def analysis_of(layers: list, shape: tuple[int, ...] = DIGITS) -> Analysis:
    return analyze_graph(Graph.from_layers(layers).at(shape))


def printed(name: str) -> list[str]:
    # Not the `golden` fixture: these come from outside, and `pytest --update` must not touch them.
    return (GOLDEN / name).read_text(encoding="utf-8").splitlines()


def test_the_size_table_is_the_tutorials():
    lines = analysis_of(NET0).table(verbosity=1).splitlines()
    # The tutorial's text has lost the leading spaces of a right-aligned first column.
    assert [line.lstrip() for line in lines] == printed("nolearn/net0_sizes.txt")
    assert lines[4:7] == ["  #  name         size", "---  -----------  --------", "  0  input0       1x28x28"]


@pytest.mark.parametrize(("layers", "name"), [(NET1, "net1"), (NET2, "net2"), (NET3, "net3"), (NET4, "net4")])
def test_the_capacity_table_is_the_tutorials(layers, name):
    lines = analysis_of(layers).table(verbosity=2).splitlines()
    assert lines == printed(f"nolearn/{name}_capacity.txt")


def test_the_field_table_is_the_tutorials():
    assert analysis_of(NET4).table(verbosity=3).splitlines() == printed("nolearn/net4_fields.txt")


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        (NETZ_SHALLOW, "shallow"),
        (NETZ_NO_POOLING, "no_pooling"),
        (NETZ_MUCH_POOLING, "much_pooling"),
        (NETZ_COMPROMISE, "compromise"),
        # The network of the last table is not shown beyond these layers.
        ([Conv2D(16), MaxPool2D(), Conv2D(32), Conv2D(32)], "fields"),
    ],
)
def test_every_number_of_netz_tables_that_can_be_read_is_met(layers, name):
    rows = [line.split() for line in printed(f"netz/{name}.txt")]
    table = analysis_of(layers).table(verbosity=3).splitlines()[6:]
    ours = [line.split()[1:] for line in table[: len(rows)]]
    # The text of the notebook breaks off in the last row of a table.
    assert [cells[: len(row)] for cells, row in zip(ours, rows, strict=True)] == rows


@pytest.mark.parametrize(
    ("layers", "params"),
    [
        *[(NET0, 753_610), (NET1, 122_154), (NET2, 273_930), (NET3, 166_314), (NET4, 353_738)],
        *[(NETZ_SHALLOW, 63_306), (NETZ_NO_POOLING, 45_610)],
        *[(NETZ_MUCH_POOLING, 29_210), (NETZ_COMPROMISE, 6_472_330)],
    ],
)
def test_parameters_are_the_tutorials(layers, params):
    analysis = analysis_of(layers)
    assert analysis.params == params
    assert analysis.table().splitlines()[0] == f"# Neural Network with {params} learnable parameters"


def test_a_chain_of_27_convolutions_shrinks_400_px_to_one():
    convs = [row for row in analysis_of(SIZE_CHAIN, (3, 400, 400)).layers if row.kind == "conv2d"]
    wide = [row.input_shape[1] for row in convs] + [convs[-1].output_shape[1]]
    assert wide == [
        *[400, 398, 396, 394, 392, 195, 193, 191, 189, 187, 92, 90, 88, 86, 84, 41, 39, 37, 35, 33],
        *[15, 13, 11, 9, 7, 5, 3, 1],
    ]
    assert [convs[place].output_shape[1] for place in (4, 9, 14, 19)] == [390, 185, 82, 31]
    assert len(convs) == 27


def test_without_pooling_it_takes_200_convolutions():
    assert analysis_of([Conv2D(1)] * 200, (1, 401, 401)).output_shape == (1, 1, 1)


def test_parameters_grow_with_the_channels():
    analysis = analysis_of(GROWING_CHANNELS, (3, 400, 400))
    convs = [row for row in analysis.layers if row.kind == "conv2d"]
    assert [row.params for row in convs] == [864, 18_432, 73_728, 294_912, 1_179_648, 2_359_296]
    kernels = ["(3x3x3)x32", "(3x3x32)x64", "(3x3x64)x128", "(3x3x128)x256", "(3x3x256)x512", "(3x3x512)x512"]
    assert [row.kernel for row in convs] == kernels
    assert [row.output_shape[1] for row in convs] == [398, 396, 394, 392, 390, 193]


def test_sizes_parameters_and_memory_are_the_summarys():
    analysis = analysis_of(BLOG_NET)
    rows = analysis.layers[1:-1]
    assert [row.output_shape for row in rows] == [
        *[(32, 28, 28), (64, 28, 28), (64, 14, 14), (128, 14, 14), (256, 14, 14), (256, 7, 7)],
        *[(512, 5, 5), (1024, 3, 3), (10, 1, 1)],
    ]
    assert [row.params for row in rows] == [320, 18_496, 0, 73_856, 295_168, 0, 1_180_160, 4_719_616, 92_170]
    assert analysis.params == 6_379_786
    # That summary counts every activation and its gradient, and leaves the flattening out.
    activations = 2 * sum(row.activation_bytes for row in rows) / MEBI
    weights = 4 * analysis.params / MEBI
    total = activations + weights + 4 * 28 * 28 / MEBI
    assert f"{activations:.2f} {weights:.2f} {total:.2f}" == "1.51 24.34 25.85"


def test_a_network_without_filters_has_no_capacity_and_no_coverage():
    analysis = analysis_of(CIFAR_DENSE, CIFAR)
    assert analysis.params == 646_260
    assert [row.params for row in analysis.layers] == [0, 614_600, 30_150, 1_510]
    assert {row.capacity for row in analysis.layers} == {row.coverage for row in analysis.layers} == {None}
    for text in (analysis.table(verbosity=2), str(analysis)):
        assert "cap" not in text and "cov" not in text


def test_parameters_of_the_notebook_on_cifar_10():
    take_1, take_2 = analysis_of(CIFAR_TAKE_1, CIFAR), analysis_of(CIFAR_TAKE_2, CIFAR)
    assert [row.output_shape for row in take_1.layers] == [CIFAR, (10, 16, 16), (20, 8, 8), (1280,), (10,)]
    assert [row.params for row in take_1.layers] == [0, 490, 1_820, 0, 12_810]
    assert take_1.params == 15_120
    assert [row.params for row in take_2.layers[1:6]] == [896, 128 // 2, 0, 9_248, 128 // 2]
    # Keras counts the running statistics of a norm among its parameters, as not trainable.
    assert (take_2.params, take_2.buffers, take_2.params + take_2.buffers) == (591_914, 640, 592_554)


def test_marked_layers_have_a_terminals_color():
    both = [*[Conv2D(4, padding=1)] * 6, MaxPool2D(), *[Conv2D(4, padding=1)] * 30]
    nets = {(35, "magenta"): NET2, (36, "cyan"): NET3, (31, "red"): both}
    for (code, hue), layers in nets.items():
        analysis = analysis_of(layers)
        text = analysis.table(verbosity=2, color=True)
        marked = re.findall(rf"^\033\[{code}m(\w+)\033\[0m ", text, re.MULTILINE)
        low = {row.name for row in analysis.layers if row.capacity and min(row.capacity) < 1 / 6}
        high = {row.name for row in analysis.layers if row.coverage and max(row.coverage) > 1}
        wanted = {"magenta": low - high, "cyan": high - low, "red": low & high}[hue]
        assert set(marked) == wanted != set()
        assert f"\033[{code}m{hue}\033[0m: " in text
        assert ESCAPES.sub("", text) == analysis.table(verbosity=2)
    names = re.findall(r"^\033\[35m(\w+)", analysis_of(NET2).table(2, color=True), re.MULTILINE)
    assert names == ["conv2d9", "conv2d10", "maxpool2d11", "magenta"]


def test_a_wrong_verbosity_is_refused():
    with pytest.raises(GraphError) as caught:
        analysis_of(NET1).table(verbosity=4)
    assert str(caught.value) == "verbosity is 4 but must be 1 (sizes), 2 (capacity) or 3 (fields)."


def test_a_dropout_before_the_head_belongs_to_it():
    rows = analysis_of([Conv2D(4), Dropout(), Conv2D(4), Dropout(), Output(10)]).layers
    assert [row.capacity is None for row in rows] == [True, False, False, False, True, True]
