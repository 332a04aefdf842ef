"""Two networks, or two sizes of images, in one table."""

import json
import re

from tutorial_networks import CIFAR_DENSE, DIGITS, NET1, NET2

from depthwise.analysis import Analysis, Comparison, analyze_graph
from depthwise.graph import Graph
from depthwise.layers import Conv2D, MaxPool2D, Output
from depthwise.network import compare


def analysis_of(layers, shape=DIGITS) -> Analysis:
    return analyze_graph(Graph.from_layers(layers).at(shape))


def cells(comparison: Comparison) -> dict[str, list[str]]:
    """First column -> the others, of the printed table."""
    lines = str(comparison).splitlines()[2:]
    return {line.split()[0]: re.split(r"\s{2,}", line.strip())[1:] for line in lines if line and ":" not in line}


def test_facts_of_two_networks():
    first, second = analysis_of(NET1), analysis_of(NET2)
    facts = Comparison(first, second, batch_size=32).facts
    assert facts["params"] == (122_154, 273_930)
    assert facts["macs"] == (first.macs, second.macs)
    assert facts["activation_bytes"] == (first.activation_bytes, second.activation_bytes)
    assert facts["receptive_field"] == ((26, 26), (22, 22))
    assert facts["capacity"] == ((6 / 11, 6 / 11), (3 / 21, 3 / 21))
    assert facts["coverage"] == ((19 / 28, 19 / 28), (21 / 28, 21 / 28))
    assert facts["effective_field"][0] == first["maxpool2d7"].effective_field
    assert facts["unread"] == (first.unread.share, 0.0)
    assert facts["training_bytes"] == (first.memory(32).training, second.memory(32).training)
    assert facts["inference_bytes"] == (first.memory(32).inference, second.memory(32).inference)


def test_facts_that_do_not_apply_are_none():
    facts = Comparison(analysis_of(CIFAR_DENSE), analysis_of([Conv2D(4), Output()])).facts
    assert (facts["capacity"], facts["receptive_field"], facts["effective_field"][0]) == (
        *[(None, (1.0, 1.0)), (None, (3, 3))],
        None,
    )
    features = analysis_of(CIFAR_DENSE, (10,))
    assert Comparison(features, features).facts["unread"] == (None, None)


def test_rows_of_one_name_stand_side_by_side():
    old = [Conv2D(8, name="first"), MaxPool2D(), Conv2D(8, name="last"), Output(3)]
    new = [Conv2D(8, name="first"), Conv2D(8, name="more"), Conv2D(16, name="last"), Output(3)]
    comparison = Comparison(analysis_of(old), analysis_of(new))
    names = [tuple(row and row.name for row in pair) for pair in comparison.rows]
    assert names == [
        *[("input0", "input0"), ("first", "first"), ("maxpool2d2", None), (None, "more")],
        *[("last", "last"), ("output4", "output4")],
    ]
    table = cells(comparison)
    assert table["first"] == ["8x26x26", "80", "48.7 k", "21.1 KiB", "3", "100.0 %", "10.7 %"]
    assert table["last"][:2] == ["8x11x11 -> 16x22x22", "584 -> 1,168"]
    assert table["all"][0] == "3,571 -> 25,067"
    assert re.findall(r"^[+-] \w+", str(comparison), re.MULTILINE) == ["- maxpool2d2", "+ more"]


def test_two_sizes_of_images():
    comparison = compare(NET1, NET1, DIGITS, (1, 32, 40))
    assert all(old is not None and new is not None for old, new in comparison.rows)
    table = cells(comparison)
    assert table["input0"] == ["1x28x28 -> 1x32x40", "3.06 KiB -> 5 KiB"]
    assert table["conv2d1"][-1] == "10.7 % -> 9.4 % x 7.5 %"
    assert "share of the image that is not read: 13.8 % -> 30.9 %" in str(comparison)
    assert "memory for a batch of 1 in float32, learning with Adam" in str(comparison)


def test_anything_that_can_be_analyzed_can_be_compared():
    assert compare("8C3-MP2-10N", [Conv2D(8), MaxPool2D(), Output(10)], DIGITS).facts["params"] == (13_610, 13_610)
    assert compare([Conv2D(8), Output()], "8C3-10N", DIGITS, n_outputs=10).facts["params"] == (54_170, 54_170)


def test_every_form_tells_the_same():
    comparison = Comparison(analysis_of(NET1), analysis_of(NET2))
    for text in (str(comparison), comparison.markdown(), comparison.html(), comparison._repr_html_()):
        for name in ("conv2d1", "maxpool2d11", "122,154", "273,930"):
            assert name in text
    as_dict = comparison.to_dict()
    assert json.loads(json.dumps(as_dict)) == as_dict
    assert as_dict["facts"]["params"] == [122_154, 273_930]


def test_a_network_equals_itself():
    analysis = analysis_of(NET1)
    assert "->" not in str(Comparison(analysis, analysis))
