"""The designer against brute force, and against what is known of the greatest depths."""

from math import floor, log2

import pytest
from designer.brute_force import front, valid_networks

from depthwise.designer import Budget, design
from depthwise.designer.problem import pose
from depthwise.designer.states import explore
from depthwise.layers import BatchNorm, GroupNorm
from depthwise.network import check

SPACES = {
    "pool": ((1, 20, 20), {}),
    "odd sides": ((3, 19, 19), {}),
    "any coverage": ((1, 19, 19), {"coverage": (0, 1)}),
    "receptive field": ((1, 21, 21), {"measure": "receptive_field"}),
    "stride": ((1, 17, 17), {"downsampling": "stride"}),
    "valid": ((1, 22, 22), {"padding": "valid"}),
    "valid stride": ((1, 19, 19), {"padding": "valid", "downsampling": "stride"}),
    "no downsampling": ((1, 9, 9), {"downsampling": None, "capacity": 0, "coverage": (0, 1)}),
    "separable": ((3, 16, 16), {"block": "separable", "norm": "batch"}),
    "residual": ((3, 24, 24), {"block": "residual", "norm": "batch"}),
    "residual stride": ((3, 20, 20), {"block": "residual", "downsampling": "stride", "coverage": (0.6, 1)}),
    "kernel of 5": ((1, 28, 28), {"kernel": 5, "coverage": (0.6, 1)}),
    "kernel of 2": ((1, 9, 9), {"kernel": 2, "coverage": (0.6, 1)}),
    "oblong": ((1, 10, 20), {"coverage": (0.5, 1)}),
    "upright": ((1, 18, 10), {"downsampling": "stride", "coverage": (0.7, 1)}),
}
ARGUMENTS = {"capacity": "min_capacity", "kernel": "kernel_size"}


@pytest.mark.parametrize("case", SPACES)
def test_the_front_is_that_of_brute_force(case):
    shape, options = SPACES[case]
    found = valid_networks(shape, 7, **options)
    assert found, "nothing to compare"
    arguments = {ARGUMENTS.get(name, name): value for name, value in options.items()}
    costs = sorted(analysis.params for *_, analysis in found)
    macs = sorted(analysis.macs for *_, analysis in found)
    learning = sorted(analysis.memory(4).training for *_, analysis in found)
    budgets = [
        Budget(),
        Budget(params=costs[len(costs) // 2], macs=macs[len(macs) // 2]),
        Budget(training_memory=learning[len(learning) // 2], batch_size=4),
    ]
    for budget in budgets:
        expected = front(found, budget.limits, budget.batch_size)
        designs = design(shape, 7, budget=budget, **arguments)
        assert {one.layers for one in designs} == expected
        assert len(designs) == len(expected)


@pytest.mark.parametrize("case", SPACES)
def test_a_design_costs_and_sees_what_its_analysis_says(case):
    shape, options = SPACES[case]
    arguments = {ARGUMENTS.get(name, name): value for name, value in options.items()}
    designs = design(shape, 7, budget=Budget(training_memory=1e12, batch_size=8), **arguments)
    measure = arguments.get("measure", "reach")
    for one in designs[::3]:
        analysis = one.analysis
        convs = [row for row in analysis.layers if "conv" in row.kind]
        assert (one.params, one.macs, one.activation_bytes) == (
            analysis.params,
            analysis.macs,
            analysis.activation_bytes,
        )
        assert one.training_memory == analysis.memory(8).training
        assert one.depth == len(convs) == sum(map(int, one.skeleton.replace("~", "-").split("-")))
        assert one.width == convs[0].output_shape[0]
        for axis, side in enumerate(shape[1:]):
            views = [(row.real_filter_size[axis], getattr(row, measure)[axis]) for row in convs]
            assert one.capacity[axis] == pytest.approx(min(1, *(size / seen for size, seen in views)))
            assert one.coverage[axis] == pytest.approx(views[-1][1] / side)


@pytest.mark.parametrize(("side", "depth", "skeletons"), [(28, 10, {"7-3", "8-2"}), (32, 11, {"7-4", "8-3"})])
def test_the_deepest_skeletons(side, depth, skeletons):
    designs = design((1, side, side), 10, coverage=(0, 1))
    assert designs.best.depth == depth
    assert {one.skeleton for one in designs if one.depth == depth} == skeletons


def test_a_strided_convolution_counts_where_it_reads():
    designs = design((1, 28, 28), 10, downsampling="stride", coverage=(0, 1))
    assert {one.skeleton for one in designs if one.depth == 10} == {"7-3", "8-2"}


@pytest.mark.parametrize("shape", [(1, 10, 20), (1, 20, 10), (1, 12, 20)])
def test_the_longer_side_is_halved_alone_only_while_it_is_longer(shape):
    longer = 0 if shape[1] > shape[2] else 1
    ratios = {
        state.axes[longer].jump / state.axes[1 - longer].jump
        for state in explore(pose(shape, 10, coverage=(0, 1))).steps
    }
    assert ratios == {1, 2}


def test_the_default_coverage_leaves_one_skeleton_at_28():
    assert {one.skeleton for one in design((1, 28, 28), 10) if one.depth == 10} == {"7-3"}


@pytest.mark.parametrize("downsampling", ["pool", "stride"])
@pytest.mark.parametrize(("side", "depth"), [(28, 10), (32, 11), (96, 17), (224, 22), (401, 26)])
def test_the_greatest_depths(side, depth, downsampling):
    for measure in ("reach", "receptive_field"):
        problem = pose((1, side, side), 10, coverage=(0, 1), measure=measure, downsampling=downsampling)
        less = (measure, downsampling, side) == ("receptive_field", "pool", 401)
        assert max(explore(problem).deepest().values()) == depth - less


def test_401_pixels_without_padding_and_pooling():
    designs = design(
        (1, 401, 401),
        10,
        padding="valid",
        downsampling=None,
        min_capacity=0,
        coverage=(0, 1),
        budget=Budget(params=1.2e5),
    )
    assert (designs.best.depth, designs.best.skeleton) == (200, "200")
    assert designs.best.analysis["conv2d200"].output_shape == (8, 1, 1)
    assert designs.best.analysis["conv2d200"].coverage == (1.0, 1.0)


def closed_form(side, measure):
    """Greatest depth of 3x3 kernels and 2x2 pools at capacity 1/6 and coverage 100 %: the cheapest stages are full."""
    if measure == "reach":
        stages = floor(log2((side - 1) / 16))
        return 8 + 4 * stages + (side - 16 * 2**stages - 1) // (4 * 2**stages)
    stages = floor(log2(side / 17))
    return 8 + 4 * stages + max(0, (side - 18 * 2**stages) // (4 * 2**stages))


def check_closed_forms(sides):
    for side in sides:
        for measure in ("reach", "receptive_field"):
            problem = pose((1, side, side), 10, coverage=(0, 1), measure=measure)
            depth = max(explore(problem).deepest().values())
            assert depth == closed_form(side, measure), (side, measure)


def test_the_closed_forms_hold():
    check_closed_forms([*range(18, 80), *range(80, 1025, 59), 255, 256, 511, 512, 1023, 1024])


@pytest.mark.slow
def test_the_closed_forms_hold_for_all_sides():
    check_closed_forms(range(18, 1025))


QUIET = [
    ((1, 28, 28), {"budget": Budget(params=2e5, macs=3e7)}),
    ((1, 29, 29), {"downsampling": "stride", "norm": "batch", "budget": Budget(params=1e5)}),
    ((3, 36, 36), {"padding": "valid", "norm": GroupNorm(8), "budget": Budget(macs=3e7)}),
    ((3, 39, 39), {"padding": "valid", "downsampling": "stride", "budget": Budget(macs=5e7)}),
    ((3, 32, 32), {"block": "residual", "norm": BatchNorm(momentum=0.2), "budget": Budget(params=1e5)}),
    ((3, 45, 45), {"block": "residual", "downsampling": "stride", "budget": Budget(params=4e5)}),
    ((3, 40, 40), {"block": "separable", "budget": Budget(params=2e4)}),
    ((3, 40, 40), {"block": "separable", "downsampling": "stride", "budget": Budget(params=2e4)}),
    ((3, 40, 40), {"measure": "receptive_field", "budget": Budget(params=4e4)}),
    ((1, 31, 64), {"budget": Budget(params=2e5)}),
    ((1, 64, 37), {"downsampling": "stride", "budget": Budget(params=2e5)}),
    ((1, 31, 31), {"kernel_size": 2, "budget": Budget(params=2e4)}),
    ((1, 28, 34), {"kernel_size": (3, 4), "coverage": (0.7, 1), "budget": Budget(params=1e4)}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "options"), QUIET)
def test_no_design_gets_a_warning(shape, options):
    designs = design(shape, 10, **options)
    for one in designs[:: max(1, len(designs) // 12)]:
        findings = check(one.layers, shape, n_outputs=10)
        assert not findings.problems, f"{one.notation}\n{findings}"


def test_designs_that_leave_pixels_unread_are_not_found():
    # Unpadded 27 px stay odd through every 3x3 kernel: a pool would always lose a row.
    for side in (27, 26):
        for one in design((1, side, side), 10, padding="valid", min_capacity=0.1, coverage=(0.6, 1)):
            assert one.analysis.unread.counts == (0, 0)
            assert side == 26 or "-" not in one.skeleton


def test_the_order_is_the_same_every_time_and_goes_by_depth():
    first, second = (design((1, 28, 28), 10, budget=Budget(params=1e5)) for _ in range(2))
    assert [one.layers for one in first] == [one.layers for one in second]
    keys = [(-one.depth, -one.width, one.params) for one in first]
    assert keys == sorted(keys)
