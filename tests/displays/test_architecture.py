import re
import xml.etree.ElementTree as ET
from collections import OrderedDict
from itertools import pairwise

import pytest
from classic_networks import unet
from odd_networks import ResNet18
from torch import nn

import depthwise as dw
from depthwise import Add, Concat, Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Output, Residual
from depthwise.displays import ArchitectureDisplay, draw_to_file, draw_to_notebook
from depthwise.displays.architecture_blocks import fold, join_norms, plan_boxes
from depthwise.displays.architecture_lanes import lay_out
from depthwise.errors import FileError, GraphError

SVG = "{http://www.w3.org/2000/svg}"


def same(channels, **options):
    return Conv2D(channels, padding="same", **options)


def chain():
    stages = [*[same(32)] * 3, MaxPool2D(), *[same(64)] * 3, MaxPool2D(), *[same(96)] * 4, MaxPool2D()]
    return [*stages, Dense(64), Dropout(), Dense(64), Output(10)]


def dense_block(count):
    layers, names = [same(24, name="stem")], ["stem"]
    for place in range(count):
        if place:
            layers.append(Concat(inputs=list(names), name=f"stack{place}"))
        layers.append(same(12, name=f"conv{place}"))
        names.append(f"conv{place}")
    return [*layers, Concat(inputs=names, name="all"), GlobalAvgPool2D(), Output(10)]


def inception():
    split = [same(8, name="stem"), Conv2D(4, 1, name="a", inputs="stem")]
    split += [Conv2D(4, 1, name="b1", inputs="stem"), same(6, name="b2"), Conv2D(2, 1, name="c", inputs="stem")]
    return [*split, Concat(inputs=["a", "b2", "c"]), GlobalAvgPool2D(), Output(10)]


NETWORKS = {
    "chain": (chain, (3, 32, 32)),
    "resnet18": (ResNet18, (3, 224, 224)),
    "dense block": (lambda: dense_block(4), (3, 32, 32)),
    "inception": (inception, (3, 32, 32)),
    "unet": (unet, (3, 64, 64)),
}


@pytest.fixture(params=NETWORKS, scope="module")
def drawn(request):
    make, shape = NETWORKS[request.param]
    return ArchitectureDisplay(dw.analyze(make(), shape))


def groups(svg):
    return [group for group in ET.fromstring(svg).iter(f"{SVG}g") if "layer" in group.get("class")]


def texts(element):
    return [text.text or "" for text in element.iter(f"{SVG}text")]


def boxes(svg):
    """Left, top, right, bottom of each box."""
    places = [next(group.iter(f"{SVG}rect")) for group in groups(svg)]
    numbers = [[float(place.get(side)) for side in ("x", "y", "width", "height")] for place in places]
    return [(x, y, x + width, y + height) for x, y, width, height in numbers]


def segments(svg):
    """Straight pieces of the edges, as (x, y, x, y)."""
    for path in ET.fromstring(svg).iter(f"{SVG}path"):
        if path.get("class") == "edge":
            points = [tuple(map(float, point)) for point in re.findall(r"(-?\d+) (-?\d+)", path.get("d"))]
            yield from ((*a, *b) for a, b in pairwise(points))


def test_every_layer_is_named(drawn):
    titles = " ".join(group.find(f"{SVG}title").text for group in groups(drawn.svg))
    assert {row.name for row in drawn.analysis.layers} <= set(re.split(r"[,:]? ", titles))


def test_nothing_is_loaded_from_elsewhere(drawn):
    assert not re.search(r"https?://|url\(|href|<script|@import", drawn.svg.replace(SVG[1:-1], ""))


def test_boxes_do_not_overlap_and_stay_inside(drawn):
    root = ET.fromstring(drawn.svg)
    places = boxes(drawn.svg)
    for number, (left, top, right, bottom) in enumerate(places):
        assert left >= 0 and right <= float(root.get("width")) and top >= 0 and bottom <= float(root.get("height"))
        for other in places[:number]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_edges_pass_no_box(drawn):
    for x, y, to_x, to_y in segments(drawn.svg):
        for left, top, right, bottom in boxes(drawn.svg):
            beside = max(x, to_x) <= left or min(x, to_x) >= right or max(y, to_y) <= top or min(y, to_y) >= bottom
            assert beside, (x, y, to_x, to_y)


def test_edges_of_different_sources_and_targets_do_not_share_a_line(drawn):
    plan = drawn.plan
    layout = lay_out(plan)
    passing = [
        (lane, layout.rank[edge.source], layout.rank[edge.target])
        for edge, lane in zip(plan.edges, layout.edge_lane, strict=True)
        if layout.lanes[lane]
    ]
    for number, (lane, first, last) in enumerate(passing):
        for other, begin, end in passing[:number]:
            assert lane != other or last < begin or end < first


def test_every_edge_tells_its_size(drawn):
    sizes = [t.text for t in ET.fromstring(drawn.svg).iter(f"{SVG}text") if t.get("class") == "size"]
    assert len(sizes) == len(drawn.plan.edges)
    assert sorted(sizes) == sorted(edge.shape for edge in drawn.plan.edges)


def test_a_size_is_that_of_what_is_read():
    display = ArchitectureDisplay.from_target([Conv2D(8), MaxPool2D(), Output(10)], (1, 28, 28))
    assert [edge.shape for edge in display.plan.edges] == ["1x28x28", "8x26x26", "8x13x13"]


def test_equal_convolutions_are_one_box():
    display = ArchitectureDisplay.from_target(chain(), (3, 32, 32))
    kinds = [texts(group)[0] for group in groups(display.svg)]
    assert len(kinds) < len(display.analysis.layers)
    assert "conv2d (3x3x32)x32 × 2" in kinds and "conv2d (3x3x3)x32" in kinds
    assert len(groups(ArchitectureDisplay.from_target(chain(), (3, 32, 32), folded=False).svg)) == 18


def test_a_layer_of_another_verdict_is_not_folded_away():
    layers = [same(8), *[same(8)] * 6, Output(10)]
    display = ArchitectureDisplay.from_target(layers, (8, 9, 9))
    assert [len(box.rows) for box in display.plan.boxes[1:-1]] == [4, 3]  # coverage passes 100 % at the fifth
    assert [box.high for box in display.plan.boxes[1:-1]] == [False, True]


def test_equal_blocks_are_drawn_once_in_a_frame():
    block = [same(16), same(16, activation=None)]
    layers = [same(16), *[Residual(block)] * 3, GlobalAvgPool2D(), Output(10)]
    display = ArchitectureDisplay.from_target(layers, (3, 224, 224))
    (repeated,) = display.plan.blocks
    assert repeated.times == 3 and repeated.last - repeated.first == 2
    assert "× 3" in texts(ET.fromstring(display.svg)) and display.svg.count('class="frame"') == 1
    assert [row.name for row in display.plan.boxes[repeated.last].rows] == ["residual2", "residual3", "residual4"]
    ends = {(edge.source, edge.target) for edge in display.plan.edges}
    assert (repeated.first - 1, repeated.last) in ends and (repeated.last, repeated.last + 1) in ends


def test_blocks_that_differ_in_their_wiring_are_not_folded():
    first = [same(8, name="a"), same(8, name="b"), Add(inputs=["a", "b"], name="ab")]
    second = [same(8, name="c"), same(8, name="d"), Add(inputs=["ab", "d"], name="abd")]
    display = ArchitectureDisplay.from_target([*first, *second, Output(10)], (8, 64, 64))
    assert not display.plan.blocks


def test_a_norm_stands_with_its_convolution():
    analysis = dw.analyze(ResNet18(), (3, 64, 64))
    joined = join_norms(plan_boxes(analysis))
    assert [row.name for row in joined.boxes[1].rows] == ["conv1", "bn1"]
    assert len(joined.boxes) == len(analysis.layers) - 20
    assert sum(len(box.rows) for box in fold(joined).boxes) == len(analysis.layers)


@pytest.mark.parametrize(
    ("layers", "shape", "style", "mark"),
    [
        ([same(8)] * 9, (8, 64, 64), "low", " <"),
        ([Conv2D(8, 7, padding="same")] * 2, (8, 9, 9), "high", " >"),
        ([same(8)] * 9, (8, 9, 9), "both", " >"),
    ],
)
def test_verdicts_have_a_color_and_a_mark(layers, shape, style, mark):
    svg = ArchitectureDisplay.from_target([*layers, Output(10)], shape).svg
    marked = [group for group in groups(svg) if style in group.get("class").split()]
    assert marked and all(mark in texts(group)[2] for group in marked)
    assert not [group for group in groups(svg) if mark in texts(group)[2] and group.get("class") == "layer "]
    assert any(line.startswith(mark.strip()) for line in texts(ET.fromstring(svg)))  # the legend


def test_hostile_names_are_text():
    name = '<script>alert("&")</script>\x01'
    module = nn.Sequential(OrderedDict({name: nn.Conv2d(1, 8, 3)}))
    svg = ArchitectureDisplay.from_target(module, (1, 9, 9)).svg
    assert "<script" not in svg
    (_, group) = groups(svg)
    assert group.find(f"{SVG}title").text.startswith('<script>alert("&")</script>\ufffd:')


def test_any_target_is_drawn_and_saved(tmp_path):
    net = dw.NeuralNetClassifier([dw.Input((1, 8, 8)), Conv2D(4), Output(10)]).initialize()
    assert "conv2d1" in draw_to_notebook(net).svg and "conv2d1" in ArchitectureDisplay.from_estimator(net).svg
    draw_to_file("8C3-10N", tmp_path / "net.svg", (1, 8, 8))
    assert ET.parse(tmp_path / "net.svg").getroot().tag == f"{SVG}svg"
    assert draw_to_notebook("8C3-10N", (1, 8, 8))._repr_html_().count("<svg") == 1
    with pytest.raises(FileError, match=r"net.pdf: a drawing of a network is SVG. Give a path that ends in .svg."):
        draw_to_file("8C3-10N", tmp_path / "net.pdf", (1, 8, 8))
    with pytest.raises(GraphError):
        draw_to_notebook([same(8), Conv2D(8, inputs="nowhere")], (1, 8, 8))


def test_boxes_tell_their_findings():
    layers = [same(4), Conv2D(4, 3, stride=2, padding=1), MaxPool2D(), GlobalAvgPool2D(), Output(10)]
    display = ArchitectureDisplay.from_target(layers, (1, 9, 9))
    wanted = {}
    for finding in display.findings.problems:
        for name in finding.layers:
            wanted.setdefault(name, []).append(finding.code)
    assert wanted
    for group in groups(display.svg):
        title = next(group.iter(f"{SVG}title")).text
        codes = [code for name in re.findall(r"[a-z]+2?d?\d", title.partition(":")[0]) for code in wanted.get(name, [])]
        assert re.findall(r"[A-Z]{3}\d{3}", title) == codes and ("!" in texts(group)) == bool(codes)
    assert display.findings._repr_html_() in display._repr_html_()
    assert "a finding: point at it" not in ArchitectureDisplay(display.analysis).svg
