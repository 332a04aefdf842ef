"""Displays of what is known of a network and its answers: each is compared with numbers got in another way."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn

from depthwise.analysis.thresholds import MIN_CAPACITY
from depthwise.data.augmentation import MixUp, RandomFlip
from depthwise.displays import (
    ArchitectureDisplay,
    BatchDisplay,
    CapacityCoverageDisplay,
    HealthDisplay,
    HistoryDisplay,
    ReceptiveFieldDisplay,
    TopLossesDisplay,
)
from depthwise.errors import DataError, DepthwiseError, GraphError, TargetError
from depthwise.inspection import find_unit_field, measure_effective_field
from depthwise.inspection.effective_field import OUTSIDE
from depthwise.network import analyze
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor

LAYERS = "8C3ps-MP2-8C3ps-16N-N"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300].astype(np.uint8).reshape(-1, 1, 8, 8), np.array([f"digit {label}" for label in y[:300]])


@pytest.fixture(scope="module")
def net(digits):
    options = {
        "max_epochs": 6,
        "learning_rate": 0.01,
        "validation": None,
        "random_state": 0,
        "verbose": 0,
        "precision": "float32",
    }
    return NeuralNetClassifier(LAYERS, **options).fit(*digits)


def titles(display):
    return [panel.get_title() for panel in display.axes_]


def bars(panel):
    return [patch.get_width() for patch in panel.patches]


# Capacity and coverage


def test_bars_are_the_table_s_columns(net):
    display = CapacityCoverageDisplay.from_estimator(net).plot()
    rows = [row for row in net.analysis_.layers if row.coverage is not None]
    assert display.names == [row.name for row in rows]
    assert [label.get_text() for label in display.axes_[0].get_yticklabels()] == display.names
    assert bars(display.axes_[0]) == pytest.approx([100 * min(row.capacity) for row in rows])
    assert bars(display.axes_[1]) == pytest.approx([100 * max(row.coverage) for row in rows])
    assert display.axes_[0].lines[0].get_xdata() == pytest.approx([100 * MIN_CAPACITY] * 2)
    assert display.axes_[1].lines[0].get_xdata() == [100, 100]


def test_of_two_axes_the_worse_one_is_drawn_and_findings_come_along():
    display = CapacityCoverageDisplay.from_estimator("[8C5ps]*12-GAP-4N", input_shape=(1, 40, 24)).plot()
    rows = display.rows
    assert display.coverage_.tolist() == pytest.approx([max(row.reach) / 24 for row in rows])
    texts = [text.get_text() for text in display.axes_[1].texts]
    assert [text.endswith("high") for text in texts] == [max(row.reach) > 24 for row in rows]
    assert [bool(patch.get_hatch()) for patch in display.axes_[1].patches] == [max(row.reach) > 24 for row in rows]
    low = [text.get_text().endswith("low") for text in display.axes_[0].texts]
    assert low == [min(row.capacity) < MIN_CAPACITY for row in rows] and any(low)
    codes = {finding.code for finding in display.findings}
    assert {"CAP001", "COV001"} <= codes and {code[:3] for code in codes} == {"CAP", "COV"}
    assert "COV001" in display.figure_.get_supxlabel()


def test_layers_without_a_filter_have_no_capacity():
    display = CapacityCoverageDisplay.from_estimator("MP2-4C3-N", np.zeros((2, 1, 12, 12)), None).plot()
    assert np.isnan(display.capacity_[0]) and display.axes_[0].texts[0].get_text() == "none"
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
    assert CapacityCoverageDisplay.from_estimator(module, input_shape=(1, 8, 8)).names == ["0"]
    with pytest.raises(TargetError, match="no layer of the network has a capacity or coverage"):
        CapacityCoverageDisplay.from_estimator("8N-2N", input_shape=(1, 4, 4))


# Receptive field


def test_the_rectangle_is_that_of_the_unit(net, digits):
    display = ReceptiveFieldDisplay.from_estimator(net, digits[0], "conv2d3", (0, 2)).plot()
    (top, bottom), (left, right) = net.analysis_.region("conv2d3", (0, 2)).clipped
    assert display.inside_.get_bbox().bounds == (left - 0.5, top - 0.5, right - left + 1, bottom - top + 1)
    (top, bottom), (left, right) = net.analysis_.region("conv2d3", (0, 2)).unclipped
    assert top < 0 and display.outside_.get_hatch()
    assert display.outside_.get_bbox().bounds == (left - 0.5, top - 0.5, right - left + 1, bottom - top + 1)
    image = display.axes_[0].get_images()[0]
    assert np.array_equal(image.get_array(), digits[0][0, 0]) and display.outside_.get_zorder() < image.get_zorder()
    low, high = display.axes_[0].get_ylim()
    assert high < top - 0.5 < bottom + 0.5 < low  # nothing is cut off
    assert titles(display) == ["conv2d3, unit (0, 2)\nsees 5 x 7 pixels of 8 x 8, hatched: padding"]


def test_a_field_within_the_image_has_no_hatched_part(net, digits):
    display = ReceptiveFieldDisplay.from_estimator(net, digits[0][5:], net.layers_[1], (3, 3)).plot()
    assert display.outside_ is None and display.contour_ is None
    assert np.array_equal(display.axes_[0].get_images()[0].get_array(), digits[0][5, 0])


def test_the_effective_field_is_outlined_along_its_pixels(net, digits):
    display = ReceptiveFieldDisplay.from_estimator(net, digits[0], "conv2d3", effective=True).plot()
    outlines = [path.T for path in display.contour_.get_paths()[0].to_polygons()]
    # Their area, by the shoelace formula, and their place.
    area = sum(0.5 * abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1))) for x, y in outlines)
    rows, columns = np.nonzero(display.effective.gradients >= OUTSIDE)
    for axis, pixels in enumerate((columns, rows)):
        ends = np.concatenate([outline[axis] for outline in outlines])
        assert (ends.min(), ends.max()) == pytest.approx((pixels.min() - 0.5, pixels.max() + 0.5), abs=0.1)
    assert area == pytest.approx(display.effective.area, abs=0.7)
    assert f"effective field (dashed): {display.effective.area} pixels" in titles(display)[0]


def test_an_effective_field_of_another_unit_is_refused(net, digits):
    other = measure_effective_field(net.module_, (1, 8, 8), "conv2d3", (0, 0), n_images=1)
    with pytest.raises(DataError, match=r"effective: is of unit \(0, 0\) on \(8, 8\) pixels, but the field is of unit"):
        ReceptiveFieldDisplay.from_estimator(net, digits[0], "conv2d3", (1, 1), effective=other)


def test_a_unit_in_the_padding_reads_nothing():
    analysis = analyze("4C3p3-GAP-2N", (1, 8, 8))
    display = ReceptiveFieldDisplay(find_unit_field(analysis, np.zeros((1, 8, 8)), "conv2d1", (0, 0))).plot()
    assert titles(display) == ["conv2d1, unit (0, 0): reads nothing but padding"] and display.inside_ is None


# Health


def test_rows_are_the_statistics(net, digits):
    display = HealthDisplay.from_estimator(net, *digits).plot()
    found = display.statistics
    assert [label.get_text() for label in display.axes_[0].get_yticklabels()] == [each.layer for each in found.layers]
    assert display.axes_[1].lines[0].get_xdata() == pytest.approx([each.scale.mean() for each in found.layers])
    gradients = next(panel for panel in display.axes_ if "gradient" in panel.get_xlabel())
    assert gradients.lines[0].get_xdata() == pytest.approx([each.gradient for each in found.layers])
    assert display.axes_[0].get_title(loc="left") == "on 300 images"
    without_labels = HealthDisplay.from_estimator(net, digits[0]).plot().axes_
    assert [panel.get_xlabel().split()[0] for panel in without_labels] == ["dead", "mean", "step"]
    shuffled = HealthDisplay.from_estimator(net, digits[0], np.roll(digits[1], 1)).plot()
    assert shuffled.gradient_[0] > 1.5 * display.gradient_[0]  # wrong labels pull harder


def test_dead_units_have_a_bar():
    net = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    with torch.no_grad():
        net[0].weight[:], net[0].bias[:] = 0.0, torch.tensor([-1.0, -1, -1, 1, 1, 1, 1, 0.01])
    display = HealthDisplay.from_estimator(net, np.ones((3, 1, 2, 2), np.float32)).plot()
    assert display.dead_.tolist()[1] == 37.5 and np.isnan(display.dead_[0])
    texts = [text.get_text() for text in display.axes_[0].texts if text.get_text()]
    assert texts[:2] == ["not rectified", "3 + 1 of 8"]
    assert bars(display.axes_[0])[1] == 50 and display.axes_[0].patches[1].get_hatch()  # dead and nearly dead
    assert 37.5 in bars(display.axes_[0])


def test_health_of_a_regressor(digits):
    X, y = digits[0][:40], np.arange(40.0)
    net = NeuralNetRegressor("4C3-1N", max_epochs=1, validation=None, random_state=0, verbose=0).fit(X, y)
    assert (HealthDisplay.from_estimator(net, X, y).plot().gradient_ > 0).all()
    with pytest.raises(
        TargetError, match=r"NeuralNetRegressor has no classes, and this shows wrong ones. Give a class"
    ):
        TopLossesDisplay.from_estimator(net, X, y)


# Top losses


def test_the_worst_images_stand_with_their_numbers(net, digits):
    X, y = digits
    display = TopLossesDisplay.from_estimator(net, X, y, n_images=5).plot()
    shares = net.predict_proba(X)
    losses = -np.log(shares[np.arange(len(y)), np.searchsorted(net.classes_, y)])
    for place, row in enumerate(np.argsort(-losses)[:5]):
        assert np.array_equal(display.images_[place].get_array(), X[row, 0])
        said = f"true {y[row]}\npredicted {net.classes_[shares[row].argmax()]}"
        assert titles(display)[place] == f"{said}\np = {shares[row].max():.2f}, loss {losses[row]:.2f}"
    assert len({image.get_clim() for image in display.images_}) == 1
    shuffled = TopLossesDisplay.from_estimator(net, X, y[::-1], n_images=5).plot()
    assert titles(shuffled) != titles(display)


def test_a_module_gives_the_same_as_its_estimator(net, digits):
    X, y = digits
    places = np.searchsorted(net.classes_, y)
    ours, plain = TopLossesDisplay.from_estimator(net, X, y), TopLossesDisplay.from_estimator(net.module_, X, places)
    assert ours.losses.rows.tolist() == plain.losses.rows.tolist()
    assert ours.losses.losses == pytest.approx(plain.losses.losses, rel=1e-4)


# Batch


def test_the_batch_is_standardized_as_the_network_does_it(net, digits):
    X, y = digits
    display = BatchDisplay.from_estimator(net, X, y, n_images=6).plot()
    expected = (X[:6, 0] - X.mean(dtype=np.float64)) / X.std(dtype=np.float64)
    for place, image in enumerate(display.images_):
        assert np.asarray(image.get_array()) == pytest.approx(expected[place], abs=1e-5)
        assert image.get_clim() == pytest.approx((expected.min(), expected.max()))
    assert titles(display)[:6] == y[:6].tolist()
    assert display.figure_.axes[-1].get_ylabel() == "standard deviations from the mean"


def test_a_module_gets_colors_as_they_are():
    X = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype(np.float32)
    display = BatchDisplay.from_estimator(nn.Conv2d(3, 1, 1), X).plot()
    drawn = np.stack([np.asarray(image.get_array()) for image in display.images_])
    assert drawn == pytest.approx((X.transpose(0, 2, 3, 1) - X.min()) / (X.max() - X.min()), abs=1e-6)
    assert display.figure_.get_supxlabel().endswith("value")


def test_an_augmented_batch_shows_what_training_shows(net, digits):
    X, y = digits
    state = torch.random.get_rng_state()
    flipped = BatchDisplay.from_estimator(net, X, y, n_images=4, augment=RandomFlip(horizontal=1))
    assert np.array_equal(flipped.values, BatchDisplay.from_estimator(net, X[..., ::-1], n_images=4).values)
    mixed = BatchDisplay.from_estimator(net, X, y, n_images=4, augment=[MixUp()]).plot()
    plain = BatchDisplay.from_estimator(net, X, n_images=4).values
    share = int(mixed.labels[0].partition("%")[0]) / 100
    assert mixed.values == pytest.approx(share * plain + (1 - share) * np.roll(plain, 1, 0), abs=0.03)
    assert titles(mixed)[1] == f"{share:.0%} {y[1]}\n{1 - share:.0%} {y[0]}"
    assert torch.equal(torch.random.get_rng_state(), state)


# Findings


def test_pictures_say_what_the_rules_say_of_what_they_show(net, digits):
    def codes(display):
        return [finding.code for finding in display.findings]

    every = net.findings_
    assert codes(HistoryDisplay.from_estimator(net)) == [each.code for each in every if each.code == "REG001"] != []
    assert codes(ArchitectureDisplay.from_estimator(net)) == [each.code for each in every]
    shown = ReceptiveFieldDisplay.from_estimator(net, digits[0], "conv2d3").findings
    assert {each.code for each in shown} == {
        each.code for each in every if "conv2d3" in each.layers and each.code[:3] in ("CAP", "COV", "SHP")
    }
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.Linear(8, 2))
    display = HealthDisplay.from_estimator(module, digits[0]).plot()
    assert codes(display) == ["ACT001"] and "ACT001" in display.figure_.get_supxlabel()
    assert "ACT001" in display._repr_html_()
    figure = Figure()
    assert not HealthDisplay.from_estimator(module, digits[0]).plot(figure.subplots()).figure_.get_supxlabel()


def test_what_the_rules_cannot_read_is_shown_without_findings(digits):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.conv(x).relu().mean((2, 3)) if float(x.detach().sum()) else x

    assert not HealthDisplay.from_estimator(Odd(), digits[0]).findings


# All of them


ALL = {
    "receptive": lambda net, X, y: ReceptiveFieldDisplay.from_estimator(net, X),
    "health": HealthDisplay.from_estimator,
    "losses": TopLossesDisplay.from_estimator,
    "batch": BatchDisplay.from_estimator,
}


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_be_looked_at_is_told(name, net, digits):
    make, (X, y) = ALL[name], digits
    with pytest.raises(TargetError, match=r"this NeuralNetClassifier is not trained yet. Call fit"):
        make(NeuralNetClassifier(LAYERS), X, y)
    with pytest.raises(DataError, match=r"X: holds no images. Select at least one."):
        make(net, X[:0], y[:0])
    for other in (np.zeros((2, 1, 9, 8)), np.zeros((2, 3, 8, 8))):
        message = r"X: holds images of \dx\dx8 but the network is made for 1x8x8. (Resize|Convert)"
        with pytest.raises(DataError, match=message):
            make(net, other, y[:2])
    if name != "receptive":
        with pytest.raises(DataError, match=r"X holds 300 images but y holds 2 targets. Give one for each image."):
            make(net, X, y[:2])
    if name in ("health", "losses"):
        with pytest.raises(DepthwiseError, match="'hen' is none of the 10 classes"):
            make(net, X[:1], ["hen"])


def test_an_unknown_layer_and_an_image_of_another_size_are_told(net, digits):
    with pytest.raises(GraphError, match=r"no layer is called 'conv2d33'. Did you mean 'conv2d3'?"):
        ReceptiveFieldDisplay.from_estimator(net, digits[0], "conv2d33")
    with pytest.raises(DataError, match=r"X: holds images of 1x9x8 but the network is made for 1x8x8. Resize them."):
        CapacityCoverageDisplay.from_estimator(net, np.zeros((1, 1, 9, 8)))


@pytest.mark.parametrize("name", [*ALL, "capacity"])
def test_the_caller_s_axes_are_drawn_in(name, net, digits):
    figure = Figure()
    makers = ALL | {"capacity": CapacityCoverageDisplay.from_estimator}
    display = makers[name](net, *digits)
    own = list(display.plot().axes_)
    ax = figure.subplots()
    assert display.plot(ax) is display and display.figure_ is figure
    assert len(display.axes_) == len(own) and all(panel.figure is figure for panel in display.axes_)
