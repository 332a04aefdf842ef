"""Why nothing deeper exists, and what is said where nothing exists at all."""

from dataclasses import replace
from math import nextafter

import pytest

from depthwise.designer import Budget, design
from depthwise.errors import DesignError, NoDesignError
from depthwise.layers import GroupNorm


def test_at_28_the_rules_stop_the_eleventh_convolution():
    designs = design((1, 28, 28), 10)
    assert designs.why == (
        "No design is deeper than 10 convolutions: the rules allow no more at any price. More would need min_capacity "
        "of 15.79 % (asked: 16.67 %) or coverage up to 103.6 % (asked: 100 %)."
    )
    capacity, coverage = designs.limits
    assert (capacity.name, coverage.name) == ("min_capacity", "coverage")
    assert (capacity.needed, coverage.needed) == (3 / 19, 29 / 28)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 28, 28), {}),
        ((1, 28, 28), {"coverage": (0, 1)}),
        ((3, 24, 41), {}),
        ((1, 26, 26), {"downsampling": "stride"}),
        ((1, 30, 30), {"block": "residual"}),
        ((1, 26, 26), {"padding": "valid"}),
        ((1, 21, 21), {"measure": "receptive_field"}),
        ((1, 40, 40), {"coverage": (0.97, 1)}),
    ],
)
def test_what_a_deeper_design_needs_is_exact(shape, options):
    few = Budget(params=1e6)
    designs = design(shape, 10, budget=few, **options)
    least, most = options.get("coverage", (0.9, 1))
    assert designs.limits
    for limit in designs.limits:
        if limit.name == "min_capacity":
            enough, short = {"min_capacity": limit.needed}, {"min_capacity": limit.needed + 1e-5}
        elif limit.name == "coverage":
            enough, short = {"coverage": (least, limit.needed)}, {"coverage": (least, limit.needed - 1e-5)}
        elif limit.name == "least_coverage":
            enough, short = {"coverage": (limit.needed, most)}, {"coverage": (limit.needed + 1e-5, most)}
        else:
            continue
        assert design(shape, 10, budget=few, **{**options, **enough}).best.depth > designs.best.depth
        assert design(shape, 10, budget=few, **{**options, **short}).best.depth == designs.best.depth


@pytest.mark.parametrize(
    "budget",
    [
        Budget(activation_bytes=1e5),
        Budget(macs=2e6, params=1e5),
        Budget(training_memory=3e7, params=2e5),
        Budget(params=3e4, macs=2.5e6, activation_bytes=1.2e5),
    ],
)
def test_what_a_deeper_design_costs_is_exact(budget):
    designs = design((1, 28, 28), 10, budget=budget)
    assert designs.limits
    for limit in designs.limits:
        assert limit.bound == budget.limits[limit.name]
        enough = design((1, 28, 28), 10, budget=replace(budget, **{limit.name: limit.needed}))
        assert enough.best.depth > designs.best.depth
        short = design((1, 28, 28), 10, budget=replace(budget, **{limit.name: limit.needed - 1}))
        assert short.best.depth == designs.best.depth
    assert "the rules allow 10, the budget does not. More would need" in designs.why


def test_bounds_that_stop_together_are_told():
    several = design((1, 28, 28), 10, budget=Budget(macs=2e6, activation_bytes=1e5))
    assert (several.best.depth, several.limits) == (6, ())
    assert design((1, 28, 28), 10, budget=Budget(macs=2.5e6, activation_bytes=1.5e5)).best.depth == 7
    assert several.why.endswith("the budget does not. More than one bound of the budget stops them.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"budget": Budget(params=100)},
            "no design for 1x28x28 images fits the budget. params is 100, but the cheapest design needs 9,562: 9,462 "
            "more. Raise it, or use smaller images.",
        ),
        (
            {"budget": Budget(params=9_700, macs=2e6)},
            "no design for 1x28x28 images fits the budget. params is 9,700, but beside the other bounds a "
            "design needs 13,178: 3,478 more. Raise it, or use smaller images. macs is 2,000,000, but beside the other "
            "bounds a design needs 3,895,072: 1,895,072 more. Raise it, or use smaller images.",
        ),
        (
            {"coverage": (0.97, 0.98)},
            "no network of 3x3 kernels fits images of 28x28 under these rules. It would need coverage up to 103.6 % "
            "(asked: 98 %) or coverage from 96.43 % (asked: 97 %). Relax one bound.",
        ),
        (
            {"kernel_size": 31},
            "no network of 31x31 kernels fits images of 28x28 under these rules. It would need coverage up to 110.7 % "
            "(asked: 100 %). Relax one bound.",
        ),
        (
            {"kernel_size": 99},
            "no network of 99x99 kernels fits images of 28x28: the first kernel is larger than the image allows. Use "
            "larger images or a smaller kernel.",
        ),
    ],
)
def test_what_cannot_be_met_is_told_with_both_numbers(options, message):
    with pytest.raises(NoDesignError) as error:
        design((1, 28, 28), 10, **options)
    assert str(error.value) == message


def test_a_line_of_pixels_is_too_oblong():
    with pytest.raises(NoDesignError, match="no network of 3x3 kernels fits images of 2x90"):
        design((1, 2, 90), 10)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((28, 28), 10), {}, "input_shape is (28, 28) but must be (channels, height, width), whole numbers"),
        (((1, 28, 0), 10), {}, "input_shape is (1, 28, 0) but must be (channels, height, width)"),
        (("1x28x28", 10), {}, "input_shape is '1x28x28' but must be"),
        (((1, 28, 28), 0), {}, "n_classes is 0 but must be a whole number of 1 or more."),
        (((1, 28, 28), 10), {"kernel_size": 1}, "kernel_size is 1 but must be a whole number of 2 or more, or"),
        (((1, 28, 28), 10), {"kernel_size": (3, 3, 3)}, "kernel_size is (3, 3, 3) but must be"),
        (((1, 28, 28), 10), {"padding": "full"}, "padding is 'full' but must be one of 'same', 'valid'."),
        (((1, 28, 28), 10), {"downsampling": "max"}, "downsampling is 'max' but must be one of 'pool', 'stride', No"),
        (((1, 28, 28), 10), {"block": "dense"}, "block is 'dense' but must be one of 'plain', 'residual',"),
        (((1, 28, 28), 10), {"measure": "field"}, "measure is 'field' but must be one of 'reach', 'receptive_field'."),
        (((1, 28, 28), 10), {"norm": "layer"}, "norm is 'layer' but must be None, \"batch\", BatchNorm() or"),
        (((1, 28, 28), 10), {"norm": GroupNorm(7)}, "norm is GroupNorm(7), but no first width of 8, 16,"),
        (((1, 28, 28), 10), {"min_capacity": 2}, "min_capacity is 2 but must be a number from 0 to 1, such as 1/6."),
        (((1, 28, 28), 10), {"coverage": (1, 0.5)}, "coverage is (1, 0.5) but must be the least and the most"),
        (((1, 28, 28), 10), {"coverage": 0.9}, "coverage is 0.9 but must be the least and the most"),
        (((1, 28, 28), 10), {"budget": 1e6}, "budget is 1000000.0 but must be a Budget. Write Budget("),
        (((1, 28, 28), 10), {"block": "residual", "padding": "valid"}, "with padding='valid' and kernel_size=3"),
        (((1, 28, 28), 10), {"block": "residual", "kernel_size": 4}, "Use padding='same' and an odd kernel."),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_clear_error(arguments, options, message):
    with pytest.raises(DesignError) as error:
        design(*arguments, **options)
    assert message in str(error.value)
    assert not isinstance(error.value, NoDesignError)


@pytest.mark.parametrize("value", [0, -1, "1M", float("nan"), float("inf"), True])
def test_a_budget_is_above_zero(value):
    with pytest.raises(DesignError, match=r"Budget: params is .* but must be a number above 0, or None"):
        Budget(params=value)


def test_a_bound_is_the_fraction_that_was_meant():
    # 0.9 of 10 px is 9 px, and 5/6 of 6 is 5: as floats both would miss by a rounding error.
    for least in (0.9, nextafter(0.9, 1)):
        assert design((1, 10, 10), 2, coverage=(least, 1), budget=Budget(params=5000)).best.coverage == (0.9, 0.9)
