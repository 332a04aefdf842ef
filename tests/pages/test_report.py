import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from torch import nn

import depthwise as dw
from depthwise import Conv2D, GlobalAvgPool2D, MaxPool2D, NeuralNetClassifier, NeuralNetRegressor, Output
from depthwise.errors import DataError, FileError, TargetError
from depthwise.pages import report
from depthwise.pages.looking import STEPS, WORK, choose_cover
from depthwise.pages.report import save_report

EVERYTHING = (
    *("verdict", "findings", "layers", "drawing", "history", "confusion", "mistakes", "calibration"),
    *("health", "attention", "weights"),
    *("activations", "exciting", "data", "rerun"),
)
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes; demands that every one is closed."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_trained_classifier_has_every_section(page):
    read = Page(page.html)
    assert page.sections == EVERYTHING
    assert [each["id"] for each in read.all("section")] == list(EVERYTHING)
    assert {f"#{name}" for name in EVERYTHING} <= {each.get("href") for each in read.all("a")}
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_elsewhere(page):
    read = Page(page.html)
    addresses = [attributes.get(key) for _, attributes in read.elements for key in ("src", "href", "action", "data")]
    assert all(address.startswith(("data:", "#")) for address in addresses if address is not None)
    text = page.html.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//cdn|url\(|@import", text)


def test_hostile_names_are_text(page):
    read = Page(page.html)
    assert not [each for each in read.all("img") if each.get("src") == "x"]
    assert "<b>Net" not in page.html and "&lt;b&gt;Net &amp; co&lt;/b&gt;" in page.html
    assert len(read.all("script")) == 2


def test_hostile_layer_names_are_text():
    module = nn.Sequential()
    module.add_module('"><script>alert(1)</script>', nn.Conv2d(1, 4, 3))
    page = report(module, input_shape=(1, 9, 9))
    assert "<script>alert" not in page.html and len(Page(page.html).all("script")) == 2
    names = [each.get("data-layer") for each in Page(page.html).all("tr")]
    assert '"><script>alert(1)</script>' in names


def test_every_picture_has_an_alternative(page):
    pictures = Page(page.html).all("img")
    assert len(pictures) > 20 and all(each["alt"] for each in pictures)
    assert all(each.get("aria-label") for each in Page(page.html).all("svg"))


def test_the_numbers_stand_once_more_as_json(page, taught):
    net, X, y = taught
    (text,) = re.findall(r'<script type="application/json" id="numbers">(.*?)</script>', page.html, re.DOTALL)
    numbers = json.loads(text)
    assert numbers == json.loads(json.dumps(page.numbers))
    assert numbers["verdict"]["accuracy"] == pytest.approx(net.score(X, y))
    assert numbers["layers"]["params"] == net.analysis_.params
    assert numbers["history"]["train_loss"] == net.history_["train_loss"]
    matrix = np.array(numbers["confusion"]["matrix"])
    for row, label in enumerate(net.classes_):
        assert matrix[row].tolist() == [int((net.predict(X[y == label]) == each).sum()) for each in net.classes_]


def test_every_layer_is_a_row_with_its_field(page, taught):
    analysis = taught[0].analysis_
    rows = [each for each in Page(page.html).all("tr") if "data-layer" in each]
    assert [row["data-layer"] for row in rows] == [layer.name for layer in analysis.layers]
    (top, bottom), (left, right) = analysis.region("conv2d3").clipped
    assert rows[3]["data-region"] == f"{top} {bottom} {left} {right}"
    assert "data-region" not in rows[4]


def test_mistakes_come_gravest_first_and_are_mistakes(page, taught):
    net, X, y = taught
    chosen = page.numbers["mistakes"]["images"]
    assert (net.predict(X[chosen]) != y[chosen]).all()
    columns = np.searchsorted(net.classes_, y)
    truth = net.predict_proba(X)[np.arange(len(X)), columns]
    assert (np.diff(truth[chosen]) >= 0).all()
    wrong = np.flatnonzero(net.predict(X) != y)
    assert truth[chosen[0]] == truth[wrong].min()


def test_the_samples_show_wrong_and_right_answers(page, taught):
    net, X, y = taught
    samples = page.numbers["attention"]["samples"]
    right = net.predict(X[samples]) == y[samples]
    assert len(set(samples)) == 10 and 0 < right.sum() < 10
    assert page.html.count("<h3>Wrong answers</h3>") == 1 == page.html.count("<h3>Right answers</h3>")


def test_a_loss_that_still_falls_is_told(taught):
    net, X, y = taught
    assert net.history_["valid_loss"][-1] == min(net.history_["valid_loss"])
    assert "still falling" in report(net).html
    longer = NeuralNetClassifier("4C3-2N", max_epochs=2, validation=None, verbose=0, random_state=0)
    assert "still falling" not in report(longer.fit(X, y == y[0])).html


def test_findings_come_with_remedies():
    page = report([*[Conv2D(16, padding="same")] * 12, GlobalAvgPool2D(), Output(10)], input_shape=(16, 12, 12))
    findings = dw.check([*[Conv2D(16, padding="same")] * 12, GlobalAvgPool2D(), Output(10)], (16, 12, 12))
    assert findings.problems
    for finding in findings:
        assert finding.code in page.html
    assert '<div class="verdict warning">' in page.html or '<div class="verdict error">' in page.html


def test_ten_photographs_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (10, 3, 224, 224), dtype=np.uint8)  # noise: nothing compresses worse
    module = nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    page = report(module, X.astype(np.float32) / 255, np.arange(10) % 4)
    assert "attention" in page.sections
    assert len(page.html.encode()) < 3_000_000


def test_a_thousand_classes_are_told_by_what_is_confused():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 1000))
    page = report(module, np.random.default_rng(0).normal(size=(6, 1, 8, 8)).astype(np.float32), [0, 1, 2, 3, 4, 999])
    cells = page.numbers["confusion"]["cells"]
    assert [row for row, _, _ in cells] == [0, 1, 2, 3, 4, 999] and all(count == 1 for _, _, count in cells)
    assert "matrix" not in page.numbers["confusion"] and 'class="confusion"' not in page.html
    assert len(page.html.encode()) < 300_000


@pytest.mark.parametrize(
    ("network", "shape"),
    [("8C3-MP2-10N", (1, 28, 28)), ([Conv2D(8), MaxPool2D(), Output()], (3, 17, 21)), ("8N-2N", (5,))],
)
def test_what_is_not_trained_has_the_parts_that_make_sense(network, shape):
    page = report(network, input_shape=shape)
    Page(page.html)
    assert page.sections == ("verdict", "findings", "layers", "drawing", "rerun")
    assert "It is not trained." in page.html


def test_an_estimator_that_is_not_fitted_and_images():
    net = NeuralNetClassifier([Conv2D(4), Output(3)])
    page = report(net, np.zeros((5, 8, 8), np.uint8), ["a", "b", "c", "a", "b"])
    assert page.numbers["data"]["classes"] == [("a", 2), ("b", 2), ("c", 1)]
    assert page.sections == ("verdict", "findings", "layers", "drawing", "data", "rerun")


def test_a_plain_module_with_and_without_images():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).train()
    assert report(module, input_shape=(1, 8, 8)).sections == (
        *("verdict", "findings", "layers", "drawing", "weights", "rerun"),
    )
    page = report(module, np.random.default_rng(0).normal(size=(6, 1, 8, 8)).astype(np.float32), [0, 1, 0, 1, 0, 1])
    assert page.sections == tuple(name for name in EVERYTHING if name != "history")
    assert module.training


def test_calibration_is_that_of_the_bins(page, taught):
    net, X, y = taught
    shares = net.predict_proba(X)
    said, right = shares.max(1), net.predict(X) == y
    told = page.numbers["calibration"]
    assert "roc_auc" not in told and told["confidence"] == pytest.approx(said.mean())
    edges = np.linspace(0, 1, 11)
    members = [(said > low) & (said <= high) for low, high in pairwise(edges)]
    bins = [(said[some].mean(), right[some].mean(), int(some.sum())) for some in members if some.any()]
    assert np.allclose(told["bins"], bins)
    assert told["error"] == pytest.approx(sum(n * abs(a - b) for a, b, n in bins) / len(X))
    wrong = report(net, X, np.roll(y, 1)).numbers["calibration"]
    assert wrong["bins"] != told["bins"]


def test_of_two_classes_there_is_a_roc_curve():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1, 8, 8)).astype(np.float32), np.array(["no", "yes"] * 20)
    net = NeuralNetClassifier([Conv2D(4), Output()], max_epochs=2, random_state=0, verbose=0).fit(X, y)
    page = report(net, X, y)
    assert page.numbers["calibration"]["roc_auc"] == pytest.approx(roc_auc_score(y, net.predict_proba(X)[:, 1]))
    assert page.html.count('class="diagonal"') == 2
    assert report(net, X[y == "no"], y[y == "no"]).html.count('class="diagonal"') == 1


def test_channels_show_what_they_see(page, taught):
    from depthwise.inspection import find_exciting

    net, X, _ = taught
    found = find_exciting(net.module_, X, n_images=4)
    told = page.numbers["exciting"]
    assert told == {"layer": found[0].layer, "channels": {one.channel: one.rows.tolist() for one in found}}
    assert page.html.count("What channel") >= sum(len(one.rows) for one in found)


BUDGETS = [(28, 10**7), (28, 2 * 10**9), (96, 10**8), (224, 2 * 10**10), (500, 10**13)]


@pytest.mark.parametrize(("side", "macs"), BUDGETS)
def test_occlusion_keeps_to_its_budget(side, macs):
    options = choose_cover((side, side), macs)
    stride = options.get("stride", (-(-side // 28),) * 2)[0]
    windows = len(range((side - 1) % stride // 2, side, stride)) ** 2
    assert windows * macs <= WORK or windows <= STEPS[0] ** 2
    assert not options or min(options["square"]) >= max(7, stride)  # every pixel is covered


def test_health_tells_what_is_dead(page):
    layers = page.numbers["health"]["layers"]
    assert layers[0]["layer"].startswith("conv2d")
    dead = sum(len(layer["dead"] or ()) for layer in layers)
    assert f"{dead} of {sum(layer['units'] for layer in layers):,} units are never above zero" in page.html


def test_a_regressor_tells_no_classes():
    X = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    net = NeuralNetRegressor([Conv2D(4), Output()], max_epochs=2, random_state=0, verbose=0).fit(X, X.sum((1, 2, 3)))
    page = report(net, X, X.sum((1, 2, 3)))
    without = {"confusion", "mistakes", "calibration", "attention"}
    assert page.sections == tuple(name for name in EVERYTHING if name not in without)


def test_saved_whole_and_shown_in_a_notebook(page, tmp_path):
    page.save(tmp_path / "net.html")
    assert (tmp_path / "net.html").read_text(encoding="utf-8") == page.html
    assert [path.name for path in tmp_path.iterdir()] == ["net.html"]
    (frame,) = Page(page._repr_html_()).all("iframe")
    assert frame["srcdoc"] == page.html


def test_a_bad_path_is_told_before_the_work(tmp_path):
    with pytest.raises(FileError, match="there is no folder"):
        save_report(tmp_path / "a" / "b" / "net.html", "nonsense that is never read")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((None, [1]), {}, DataError, "y: holds labels, but there are no images. Give X too."),
        ((np.zeros((2, 1, 8, 8)), [1]), {}, DataError, "X and y: 2 images but 1 labels. Give each image one."),
        ((np.zeros((0, 1, 8, 8)),), {}, DataError, "X: holds no images. Select at least one."),
        ((), {"n_samples": 0}, DataError, "n_samples is 0 but must be a whole number of 1 or more."),
        (
            (np.zeros((2, 1, 8, 8)),),
            {"input_shape": (1, 9, 9)},
            DataError,
            "images of 1x8x8 but input_shape is 1x9x9",
        ),
    ],
)
def test_bad_input_is_told(arguments, options, error, text):
    with pytest.raises(error, match=re.escape(text)):
        report("4C3-2N", *arguments, **options)


def test_images_and_classes_that_the_network_does_not_know(taught):
    net, X, _ = taught
    with pytest.raises(DataError, match="12"):
        report(net, np.zeros((2, 1, 13, 13), np.uint8))
    with pytest.raises(DataError, match="strange"):
        report(net, X[:2], ["strange", "plain"])
    with pytest.raises(TargetError, match="is not a network"):
        report(42, input_shape=(1, 8, 8))
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(DataError, match="y: holds 0 to 2, but the network has 2 classes"):
        report(module, np.ones((2, 1, 2, 2), np.float32), [0, 2])
    with pytest.raises(DataError, match="y: holds 'cat' to 'dog', but the network has 2 classes"):
        report(module, np.ones((2, 1, 2, 2), np.float32), ["dog", "cat"])


def test_looking_leaves_the_network_as_it_was(taught):
    net, X, y = taught
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    gradients = [value.grad for value in net.module_.parameters()]
    report(net, X, y)
    assert all(bool((value == before[name]).all()) for name, value in net.module_.state_dict().items())
    assert all(value.grad is old for value, old in zip(net.module_.parameters(), gradients, strict=True))
    assert not net.module_.training
