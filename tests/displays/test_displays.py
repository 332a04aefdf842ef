from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from depthwise.displays import HistoryDisplay, WeightsDisplay
from depthwise.errors import DataError, FileError
from depthwise.files import PICTURE_SUFFIXES
from depthwise.inspection import LayerWeights


def weights(*shape):
    return LayerWeights("conv2d1", np.random.default_rng(0).normal(size=shape).astype(np.float32))


def test_every_kernel_stands_at_its_place():
    display = WeightsDisplay(weights(5, 1, 3, 3)).plot()
    kernels = display.weights.kernels
    assert display.image_.shape == (2 * 4 - 1, 3 * 4 - 1)
    assert np.array_equal(display.image_[4:7, 4:7], kernels[4, 0])  # fifth tile: second row, second column
    drawn = display.axes_[0].get_images()[0]
    assert np.array_equal(np.asarray(drawn.get_array().filled(np.nan)), display.image_, equal_nan=True)
    assert drawn.get_clim() == pytest.approx((-np.abs(kernels).max(), np.abs(kernels).max()))


def test_color_kernels_are_scaled_around_grey():
    display = WeightsDisplay(weights(4, 3, 3, 3)).plot()
    drawn = display.axes_[0].get_images()[0].get_array()
    limit = np.abs(display.weights.kernels).max()
    assert drawn[0, 0, 2] == pytest.approx(0.5 + display.weights.kernels[0, 2, 0, 0] / (2 * limit))


def history(accuracy=0.9):
    return [
        SimpleNamespace(epoch=1, train_loss=2.0, valid_loss=1.5, valid_accuracy=accuracy),
        SimpleNamespace(epoch=2, train_loss=1.0, valid_loss=1.2, valid_accuracy=accuracy),
    ]


def test_history_draws_the_losses_and_the_accuracy():
    display = HistoryDisplay(history()).plot()
    train, valid = display.axes_[0].get_lines()
    assert train.get_ydata().tolist() == [2.0, 1.0] and valid.get_ydata().tolist() == [1.5, 1.2]
    (accuracy,) = display.axes_[1].get_lines()
    assert accuracy.get_ydata().tolist() == [0.9, 0.9]


def test_what_was_not_measured_is_not_drawn():
    rows = [SimpleNamespace(epoch=1, train_loss=2.0, valid_loss=None, valid_accuracy=None)]
    display = HistoryDisplay(rows).plot()
    assert len(display.axes_) == 1 and len(display.axes_[0].get_lines()) == 1


def test_a_single_epoch_is_seen_and_none_is_told():
    display = HistoryDisplay(history()[:1]).plot()
    assert all(line.get_marker() == "o" for line in display.axes_[0].get_lines())
    assert display.axes_[0].get_xlim() == (0.5, 1.5)
    with pytest.raises(DataError, match=r"^the history holds no epoch\. Train for one at least\."):
        HistoryDisplay([])


def test_axes_of_the_caller_are_used():
    figure = Figure()
    ax = figure.subplots()
    display = HistoryDisplay(history()).plot(ax)
    assert display.axes_[0] is ax and display.figure_ is figure


def test_save_writes_a_picture_and_makes_its_folder(tmp_path):
    path = tmp_path / "new" / "history.png"
    HistoryDisplay(history()).save(path)
    with Image.open(path) as picture:
        assert picture.size == (1050, 600)


def test_a_path_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="the picture cannot be written"):
        HistoryDisplay(history()).save(tmp_path / "file" / "history.png")


ENDINGS = ".png, .svg, .pdf, .jpg, .jpeg, .webp, .tif, .tiff, .eps or .ps"


@pytest.mark.parametrize(
    ("name", "told", "remedy"),
    [
        ("history.nonsense", "as .nonsense", "Write history.png."),
        ("history", "without ending", "Write history.png."),
        ("a.b/history", "without ending", "Write a.b/history.png."),
        ("", "without ending", "Give the path of a file."),
    ],
)
def test_a_path_that_tells_no_format_is_refused_before_anything_is_drawn(name, told, remedy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    display = HistoryDisplay(history())
    with pytest.raises(FileError) as caught:
        display.save(name)
    assert str(caught.value) == f"{name or '.'}: a picture is written as {ENDINGS}, not {told}. {remedy}"
    assert not hasattr(display, "figure_") and not list(tmp_path.iterdir())


def test_every_ending_is_one_that_matplotlib_writes(tmp_path):
    display = WeightsDisplay(weights(1, 1, 3, 3)).plot()
    assert {ending.removeprefix(".") for ending in PICTURE_SUFFIXES} <= set(
        display.figure_.canvas.get_supported_filetypes()
    )
    for ending, start in ((".SVG", b"<?xml"), (".jpg", b"\xff\xd8")):
        display.save(tmp_path / f"weights{ending}")
        assert (tmp_path / f"weights{ending}").read_bytes().startswith(start)


@pytest.mark.parametrize("problem", [MemoryError(), OSError("encoder error"), ValueError("Image size is too large")])
def test_a_picture_that_fails_leaves_the_file_that_was_there(problem, tmp_path):
    def fail(target, **options):
        (target.write if hasattr(target, "write") else Path(target).write_bytes)(b"half a picture")
        raise problem

    path = tmp_path / "history.png"
    path.write_bytes(b"before")
    display = HistoryDisplay(history())
    display.figure_ = SimpleNamespace(savefig=fail)
    for draw in (lambda: display.save(path), display.png):
        with pytest.raises((FileError, MemoryError)) as caught:
            draw()
        if not isinstance(problem, MemoryError):
            told = f"the picture cannot be drawn as png ({problem}). Show less, or write an .svg."
            assert str(caught.value) == told
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_notebooks_show_the_picture():
    from base64 import b64decode
    from io import BytesIO

    html = HistoryDisplay(history())._repr_html_()
    assert html.startswith('<img alt="history"')
    data = html.split("base64,")[1].split('"')[0]
    with Image.open(BytesIO(b64decode(data))) as picture:
        assert picture.size == (1050, 600)
