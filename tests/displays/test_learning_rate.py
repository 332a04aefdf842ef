"""The picture of a learning-rate range test shows its figures."""

import numpy as np
import pytest

from depthwise.displays import LearningRateDisplay
from depthwise.training import LearningRateRange

RATES = np.geomspace(1e-6, 10, 50)
LOSSES = np.linspace(2.3, 0.5, 50)


@pytest.mark.parametrize("suggestion", [0.01, None])
def test_it_shows_losses_their_smoothed_course_and_the_suggestion(suggestion):
    display = LearningRateDisplay(LearningRateRange(RATES, LOSSES, LOSSES + 0.1, suggestion)).plot()
    (axes,) = display.axes_
    raw, smoothed, *chosen = axes.lines
    assert np.array_equal(raw.get_ydata(), LOSSES) and np.array_equal(smoothed.get_ydata(), LOSSES + 0.1)
    assert np.array_equal(raw.get_xdata(), RATES) and axes.get_xscale() == "log"
    assert [line.get_xdata()[0] for line in chosen] == ([] if suggestion is None else [suggestion])
    assert axes.get_ylim()[0] < 0.5 and axes.get_ylim()[1] > 2.3
