"""Rows of every epoch, handed on."""

import csv
import sys

import pytest

from depthwise.errors import FileError, TrainingError
from depthwise.layers import Dense, Output
from depthwise.training import LogTo, NeuralNetClassifier

HEAD = (
    "epoch,train_loss,valid_loss,train_valid_ratio,valid_accuracy,seconds,train_loss_best,valid_loss_best,learning_rate"
)


def fit(two_classes, *callbacks, **params):
    options = {"max_epochs": 3, "random_state": 0, "verbose": 0, **params}
    resume = options.pop("resume", None)
    return NeuralNetClassifier([Dense(4), Output()], callbacks=callbacks, **options).fit(*two_classes, resume=resume)


def test_a_function_gets_each_row_scores_included(two_classes):
    rows = []
    net = fit(two_classes, LogTo(rows.append), scoring="f1_macro")
    assert rows == net.history_.to_list() and [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(isinstance(row["f1_macro"], float) for row in rows)


def test_a_file_gets_its_head_once_and_the_figures_exactly(two_classes, tmp_path):
    path = tmp_path / "runs" / "log.csv"
    nets = [fit(two_classes, LogTo(path)), fit(two_classes, LogTo(str(path)), random_state=1)]
    lines = path.read_text().splitlines()
    assert lines[0] == HEAD and len(lines) == 7
    rows = list(csv.DictReader(lines))
    losses = [loss for net in nets for loss in net.history_["train_loss"]]
    assert [float(row["train_loss"]) for row in rows] == losses
    assert [row["epoch"] for row in rows] == ["1", "2", "3"] * 2


def test_without_validation_its_cells_are_empty(two_classes, tmp_path):
    fit(two_classes, LogTo(tmp_path / "log.csv"), validation=None)
    assert {row["valid_loss"] for row in csv.DictReader((tmp_path / "log.csv").read_text().splitlines())} == {""}


def test_an_epoch_that_is_trained_again_is_logged_once(two_classes, tmp_path):
    path, folder = tmp_path / "log.csv", tmp_path / "state"

    def interrupt(net, record):
        if record.epoch == 2:
            raise KeyboardInterrupt  # epoch 2 is logged, its state is not kept

    fit(two_classes, LogTo(path), interrupt, resume=folder)
    path.write_text(path.read_text() + "3,0.12")  # and a line was not written to its end
    fit(two_classes, LogTo(path), lambda net, record: None, resume=folder)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["epoch", "1", "2", "3"]


def test_a_file_of_other_columns_is_refused(two_classes, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(
        FileError, match=r"log\.csv: has the columns epoch,loss, but this training has epoch,train_loss"
    ):
        fit(two_classes, LogTo(path))
    assert path.read_text() == "epoch,loss\n1,0.5\n"


def test_errors_say_what_to_do(two_classes, tmp_path):
    with pytest.raises(
        TrainingError, match=r"LogTo: target is 3 but must be a function of a row, or the path of a file"
    ):
        LogTo(3)
    with pytest.raises(FileError, match=r"cannot be written \(Is a directory\)\. Give another path\."):
        fit(two_classes, LogTo(tmp_path))


def test_the_history_becomes_a_frame(two_classes):
    pandas = pytest.importorskip("pandas")
    net = fit(two_classes, scoring="f1_macro")
    frame = net.history_.to_frame()
    assert isinstance(frame, pandas.DataFrame) and frame.index.tolist() == [1, 2, 3]
    assert frame["valid_loss"].tolist() == net.history_["valid_loss"] and "f1_macro" in frame


def test_without_pandas_the_error_names_it(two_classes, monkeypatch):
    net = fit(two_classes, max_epochs=1)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        TrainingError, match=r"needs pandas, which is not installed\. Install it \(pip install pandas\)"
    ):
        net.history_.to_frame()
