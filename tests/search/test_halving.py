"""Who goes on, by arithmetic that can be checked by hand or by brute force."""

from itertools import product
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthwise.search.halving import FEWEST, Judged, Plan, binomial_error, cut, estimate, makespan, shorten

THIRD = 1 / 3
fields = st.dictionaries(
    st.integers(0, 40), st.builds(Judged, st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=30
)


@given(fields, st.floats(0.1, 0.9))
def test_nobody_is_cut_who_is_better_or_cannot_be_told_apart(judged, keep):
    order, by_rank = cut(judged, keep)
    assert by_rank == min(len(judged), max(FEWEST, ceil(keep * len(judged) - 1e-9)))
    last = judged[order[by_rank - 1]]
    scores = [judged[one].score for one in order]
    assert scores == sorted(scores, reverse=True)
    for one in set(judged) - set(order):
        assert judged[one].score < last.score - last.standard_error
        assert judged[one].score <= min(scores)
    assert all(judged[one].score >= last.score - last.standard_error for one in order)


@pytest.mark.parametrize(("count", "left"), [(27, 9), (9, 3), (10, 4), (3, 2), (2, 2), (1, 1)])
def test_a_third_goes_on_and_two_at_least(count, left):
    judged = {one: Judged(one / count, 0.0) for one in range(count)}
    assert len(cut(judged, THIRD)[0]) == left


def test_equal_scores_are_not_told_apart():
    assert cut({one: Judged(0.5, 0.0) for one in range(9)}, THIRD) == (list(range(9)), 3)


def test_nobody_has_nobody_behind():
    assert cut({}, THIRD) == ([], 0)


def test_the_binomial_error_is_that_of_repeated_draws():
    import numpy as np

    draws = np.random.default_rng(0).binomial(1000, 0.9, size=20_000) / 1000
    assert binomial_error(900, 1000) == pytest.approx(draws.std(), rel=0.02)
    assert binomial_error(50, 50) > 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_the_longest_first_is_near_the_best_schedule(seconds, workers):
    def finish(assigned):
        return max(sum(each for each, worker in zip(seconds, assigned, strict=True) if worker == w) for w in workers_)

    workers_ = range(workers)
    best = min(map(finish, product(workers_, repeat=len(seconds))))
    # Graham 1969: longest first is at most 4/3 - 1/(3 m) of the best.
    assert best <= makespan(seconds, workers) <= best * (4 / 3 - 1 / (3 * workers)) + 1e-9


PLAN = Plan((1, 3, 9, 27), THIRD, 3)


def test_an_undisturbed_race_costs_what_the_sum_says():
    # 27 + 9 * 2 + 3 * 6 + 2 * (18 + 27 + 27) epochs of a second
    assert estimate(range(27), PLAN, 0, dict.fromkeys(range(27), 1.0), workers=1) == 27 + 18 + 18 + 144


@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=12), st.integers(1, 12), st.floats(0, 2000), st.integers(1, 4))
def test_what_is_left_fits_into_the_time(pace, by_rank, seconds, workers):
    by_rank = min(by_rank, len(pace))
    order = list(range(len(pace)))
    left, plan = shorten(order, by_rank, PLAN, 1, dict(enumerate(pace)), workers, seconds)
    assert left == order[: len(left)]
    if left:
        assert estimate(left, plan, 1, dict(enumerate(pace)), workers) <= seconds
        assert plan.rungs == PLAN.rungs[: len(plan.rungs)] and len(plan.rungs) > 1
    else:
        assert pace[0] * 2 > seconds  # not even one more rung of the best one
        assert plan.rungs == (1,)


def test_the_order_in_which_things_are_left_out():
    pace = dict.fromkeys(range(5), 1.0)
    order, three = list(range(5)), Plan((1, 3, 9), THIRD, 2)

    def after(seconds):
        left, plan = shorten(order, 3, three, 1, pace, 1, seconds)
        return len(left), plan.rungs, plan.n_seeds

    assert after(inf) == (5, (1, 3, 9), 2)
    assert after(6 + 30) == (3, (1, 3, 9), 2)  # first those who stayed by a standard error
    assert after(35) == (5, (1, 3), 2)  # then the last rung
    assert after(10) == (3, (1, 3), 1)  # then seeds
    assert after(5) == (2, (1, 3), 1)  # then designs
    assert after(1) == (0, (1,), 2)
