"""The record of an analysis: its forms, what it leaves open, how it spells its counts."""

import json
import re

import pytest
from hypothesis import given, settings
from strategies import layer_lists
from tutorial_networks import (
    BLOG_NET,
    CIFAR,
    CIFAR_DENSE,
    CIFAR_TAKE_1,
    CIFAR_TAKE_2,
    DIGITS,
    GROWING_CHANNELS,
    NET1,
    NET2,
)

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import GraphError
from depthwise.graph import Graph
from depthwise.layers import (
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    GroupNorm,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
)


def analysis_of(layers, shape=DIGITS) -> Analysis:
    return analyze_graph(Graph.from_layers(layers).at(shape))


def spelled(layers, shape=DIGITS) -> dict[str, str]:
    """Name -> how its parameters are counted, of ``explain()``."""
    lines = [re.split(r"\s{2,}", line, maxsplit=1) for line in analysis_of(layers, shape).explain().splitlines()]
    return {name: re.sub(r"\s+", " ", text) for name, text in lines}


# --- explain --------------------------------------------------------------------------------------------------------


def test_counts_are_spelled_as_in_the_notebook_on_cifar_10():
    assert spelled(CIFAR_TAKE_1, CIFAR) == {
        "conv2d1": "(4 x 4 x 3 + 1) x 10 = 490",
        "conv2d2": "(3 x 3 x 10 + 1) x 20 = 1,820",
        "output4": "(1280 + 1) x 10 = 12,810",
        "total": "= 15,120",
    }
    assert spelled(CIFAR_DENSE, CIFAR)["dense1"] == "(3072 + 1) x 200 = 614,600"
    assert spelled(CIFAR_TAKE_2, CIFAR)["batchnorm2"] == "2 x 32 = 64"


def test_counts_are_spelled_as_in_the_blog_post():
    texts = spelled(GROWING_CHANNELS, (3, 400, 400))
    assert texts["conv2d1"] == "3 x 3 x 3 x 32 = 864"
    assert texts["conv2d7"] == "3 x 3 x 512 x 512 = 2,359,296"
    assert spelled(BLOG_NET)["conv2d8"] == "(3 x 3 x 512 + 1) x 1024 = 4,719,616"
    assert spelled(BLOG_NET)["total"] == "= 6,379,786"


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (DepthwiseConv2D(5), "(5 x 5 x 1 + 1) x 6 = 156"),
        (SeparableConv2D(8), "3 x 3 x 1 x 6 + (1 x 1 x 6 + 1) x 8 = 110"),
        (Conv2D(8, groups=2, bias=False), "3 x 3 x 3 x 8 = 216"),
        (Conv2D(8, (3, 1), norm="batch"), "(3 x 1 x 6 + 1) x 8 + 2 x 8 = 168"),
        (Conv2DTranspose(4, 2), "(2 x 2 x 6 + 1) x 4 = 100"),
        (GroupNorm(3), "2 x 6 = 12"),
        (Dense(5, bias=False), "4704 x 5 = 23,520"),
    ],
)
def test_counts_of_layers_are_spelled(layer, text):
    name = f"{layer.kind}1"
    assert spelled([layer], (6, 28, 28))[name] == text
    row = analysis_of([layer], (6, 28, 28))[name]
    assert row.params == int(text.rpartition(" ")[2].replace(",", ""))
    assert row.params == eval(row.spelled.replace("x", "*"))


# --- what does not apply, and what is not known ---------------------------------------------------------------------


def test_what_does_not_apply_is_none():
    rows = {row.name: row for row in analysis_of(NET1).layers}
    image, conv, pool, dense = (rows[name] for name in ("input0", "conv2d1", "maxpool2d2", "dense8"))
    assert (image.capacity, image.coverage, image.kernel, image.real_filter_size) == (None,) * 4
    assert (image.params, image.macs, image.receptive_field) == (0, 0, (1, 1))
    assert (conv.kernel, pool.kernel, dense.kernel) == ("(3x3x1)x32", "2x2", None)
    assert (conv.capacity, pool.real_filter_size) == ((1.0, 1.0), (3, 3))
    assert dense.coverage is dense.capacity is dense.receptive_field is dense.effective_field is None
    first = analysis_of([MaxPool2D(), Conv2D(4)])["maxpool2d1"]
    assert (first.capacity, first.coverage) == (None, (1 / 28, 1 / 28))


def test_an_output_of_unknown_width_is_a_question_mark():
    analysis = analysis_of([Conv2D(8), Output()])
    row = analysis["output2"]
    assert (row.params, row.macs, row.activation_bytes, row.output_shape) == (None, None, None, (None,))
    assert row.spelled == "(5408 + 1) x ?"
    assert (analysis.params, analysis.output_shape) == (80, (None,))
    assert spelled([Conv2D(8), Output()])["output2"] == "(5408 + 1) x ? = ?"
    for text, line in (
        (str(analysis), r"output2  8x26x26  +\?  +\?  +\?  +\?$"),
        (analysis.table(1), r"  2  output2  \?$"),
        (analysis.table(2), r"output2  \? +\? +100.00"),
    ):
        assert re.search(line, text, re.MULTILINE), text
    assert "80 parameters and those of the output, whose width the data tell" in str(analysis)
    assert json.loads(json.dumps(analysis.to_dict()))["output_shape"] == [None]


# --- forms ----------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(layer_lists(open_output=True))
def test_the_dictionary_survives_json(drawn):
    analysis = analysis_of(*drawn)
    as_dict = analysis.to_dict()
    assert json.loads(json.dumps(as_dict, allow_nan=False)) == as_dict
    assert [row["name"] for row in as_dict["layers"]] == [row.name for row in analysis.layers]
    assert as_dict["params"] == analysis.params


def test_the_dictionary_tells_of_the_whole_network():
    as_dict = analysis_of(NET1).to_dict()
    assert as_dict["unread"]["ranges"] == [[[26, 27]], [[26, 27]]]
    assert as_dict["input_sizes"] == {"lower": [22, 22], "upper": [26, 26]}
    assert as_dict["misalignments"] == []
    shifted = analysis_of([Residual([Conv2D(1, 2, padding="same")])]).to_dict()
    assert shifted["misalignments"] == [
        {
            "layer": "residual1",
            "sources": ["residual1.conv2d0", "input0"],
            "centers": [[0.5, 0.5], [0.0, 0.0]],
            "jump": [1.0, 1.0],
        }
    ]
    assert analysis_of([Dense(3)], (10,)).to_dict()["input_sizes"] is None


def test_the_modern_table():
    text = str(analysis_of(NET1))
    head, rule, *lines = text.splitlines()
    assert head.split() == [
        "layer",
        "input",
        "kernel",
        "output",
        "params",
        "MACs",
        "memory",
        "filter",
        "reach",
        "field",
        "capacity",
        "coverage",
    ]
    assert set(rule) == {"-", " "}
    assert re.split(r"\s{2,}", lines[3]) == (
        [
            "conv2d3",
            "32x13x13",
            "(3x3x32)x64",
            "64x11x11",
            "18,496",
            "2.23 M",
            "30.2 KiB",
            "6",
            "7",
            "8",
            "85.7 %",
            "25.0 %",
        ]
    )
    assert lines[0].split() == ["input0", "1x28x28", "1x28x28", "3.06", "KiB"]
    assert lines[-3].startswith("122,154 parameters, 477 KiB")
    assert lines[-1] == (
        "filter, reach and field in pixels; capacity = filter / reach, < below 1/6; "
        "coverage = reach / image, > above 100 %"
    )


def test_marks_of_the_modern_table_are_read_without_color():
    analysis = analysis_of(NET2)
    assert [line.split()[0] for line in str(analysis).splitlines() if "% <" in line] == [
        "conv2d9",
        "conv2d10",
        "maxpool2d11",
    ]
    assert "\033[" not in str(analysis)
    assert "\033[35mconv2d9\033[0m" in analysis.text(color=True)


def test_height_and_width_are_told_apart_where_they_differ():
    analysis = analysis_of([Conv2D(8, (3, 5))], (1, 20, 40))
    assert re.search(r"3x5 +3x5 +3x5 +100.0 % +15.0 % x 12.5 %$", str(analysis), re.MULTILINE)
    wide = analysis_of([Conv2D(4, (3, 5)), MaxPool2D((1, 2)), Conv2D(4)], (1, 12, 40)).table(3)
    assert wide.splitlines()[-9].split() == (
        ["conv2d3", "4x8x16", "512", "60.00", "66.67", "41.67", "22.50", "3", "6", "5", "9"]
    )


def test_markdown_and_html_hold_every_row():
    analysis = analysis_of(NET1)
    for text in (analysis.markdown(), analysis.html(), analysis._repr_html_()):
        for row in analysis.layers:
            assert row.name in text
        assert "122,154 parameters" in text
    assert analysis.markdown().splitlines()[0].startswith("| layer ")
    assert analysis.html().count("<tr>") == 1 + len(analysis.layers)


def test_running_statistics_are_told_beside_the_parameters():
    assert "(and 16 running statistics, not trained)" in str(analysis_of([Conv2D(8), BatchNorm()]))


def test_memory_and_work_are_sums_of_the_rows():
    analysis = analysis_of(NET1)
    assert analysis.activation_bytes == sum(row.activation_bytes for row in analysis.layers[1:]) == 4 * 41_674
    assert (
        analysis.macs == 9 * (32 * 26**2 + 32 * 64 * 11**2 + 64 * 64 * 9**2 + 64 * 96 * 2**2) + 96 * 64 + 64 * 64 + 640
    )


def test_an_unknown_layer_is_named():
    with pytest.raises(GraphError) as caught:
        analysis_of([Conv2D(4), Output(3)])["conv2d"]
    assert (
        str(caught.value) == "no layer is called 'conv2d'. Did you mean 'conv2d1'? There are: input0, conv2d1, output2."
    )
