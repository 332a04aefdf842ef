"""The picture of a set of designs: what stands where."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

import depthwise as dw
from depthwise.displays.designs import DesignSetDisplay

SETS = {
    "few": dw.design((1, 28, 28), 10, budget=dw.Budget(params=20_000, macs=3.3e6)),
    "many": dw.design((3, 32, 64), 10, budget=dw.Budget(params=1e6, macs=60e6, training_memory=1e9)),
    "one": dw.design((1, 10, 10), 10, budget=dw.Budget(params=2_000)),
}


@pytest.fixture(scope="module", params=SETS)
def drawn(request):
    display = DesignSetDisplay(SETS[request.param]).plot()
    display.figure_.canvas.draw()
    return display


def test_every_design_is_drawn_at_its_costs_and_depth(drawn):
    trained = drawn.designs.best.training_memory is not None
    costs = ["params", "macs", "activation_bytes", *["training_memory"] * trained]
    assert list(drawn.costs_) == costs and len(drawn.axes_) == len(costs)
    for panel, name in zip(drawn.axes_, costs, strict=True):
        found = {
            (int(x), int(y), int(marks.get_label())) for marks in panel.collections for x, y in marks.get_offsets()
        }
        assert found == {(getattr(each, name), each.depth, each.width) for each in drawn.designs}
        assert sum(len(marks.get_offsets()) for marks in panel.collections) == len(drawn.designs)


def test_marks_grow_with_the_width(drawn):
    sizes = [marks.get_sizes()[0] for marks in drawn.axes_[0].collections]
    assert sizes == sorted(sizes) and len(set(sizes)) == len(np.unique(drawn.width_))


def test_the_cheapest_of_each_depth_is_named_without_overlap(drawn):
    for panel, name in zip(drawn.axes_, drawn.costs_, strict=True):
        named = {text.xy[1]: text.get_text() for text in panel.texts}
        for depth in np.unique(drawn.depth_):
            same = [each for each in drawn.designs if each.depth == depth]
            least = min(getattr(each, name) for each in same)
            assert named.pop(depth) in {each.skeleton for each in same if getattr(each, name) == least}
        assert not named
        boxes = sorted((text.get_window_extent() for text in panel.texts), key=lambda box: box.y0)
        frame = panel.get_window_extent()
        assert all(lower.y1 <= upper.y0 for lower, upper in pairwise(boxes))
        assert all(frame.x0 <= box.x0 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


def test_bounds_of_the_budget_are_lines_within_the_panel(drawn):
    for panel, name in zip(drawn.axes_, drawn.costs_, strict=True):
        bound = drawn.designs.budget.limits.get(name)
        lines = [line.get_xdata()[0] for line in panel.lines]
        assert lines == ([] if bound is None else [bound])
        low, high = panel.get_xlim()
        assert low < min(drawn.costs_[name]) and max(*drawn.costs_[name], bound or 0) < high


def test_axis_numbers_do_not_touch(drawn):
    for panel in drawn.axes_:
        boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
        assert boxes and all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_axes_of_the_caller_are_used():
    figure = Figure()
    display = DesignSetDisplay(SETS["one"]).plot(figure.subplots())
    assert display.figure_ is figure and figure.axes[0].child_axes == display.axes_


def test_save(tmp_path):
    DesignSetDisplay(SETS["few"]).save(tmp_path / "designs.svg")
    assert "</svg>" in (tmp_path / "designs.svg").read_text()
