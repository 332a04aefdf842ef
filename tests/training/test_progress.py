"""What training prints."""

import io
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from depthwise.layers import Conv2D, Dense, Input, MaxPool2D, Output
from depthwise.training import History, NeuralNetClassifier, NeuralNetRegressor, PrintLayerInfo
from depthwise.training.progress import EpochTable

# Net 0 of "Training convolutional neural networks with nolearn" (2016), epochs 1 and 10; the page shows the lines
# without their first spaces.
TUTORIAL = """\
epoch    train loss    valid loss    train/val    valid acc  dur
-------  ------------  ------------  -----------  -----------  ------
1       2.49039       1.47864      1.68424      0.93246  21.84s
2       1.46182       1.20667      1.21145      0.96527  21.43s"""


def fitted(capsys, **params):
    X = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)).numpy()
    layers = [Conv2D(4), MaxPool2D(), Output()]
    NeuralNetClassifier(layers, max_epochs=2, random_state=0, **params).fit(X, [0, 1] * 20)
    return capsys.readouterr().out


def test_the_table_is_that_of_the_tutorial():
    history, table = History(), EpochTable(validates=True, classifies=True, color=False)
    lines = table.head().splitlines()
    for figures in ((2.49039, 1.47864, 0.93246, 21.84), (1.46182, 1.20667, 0.96527, 21.43)):
        names = ("train_loss", "valid_loss", "valid_accuracy", "seconds")
        lines.append(table.line(history.add(**dict(zip(names, figures, strict=True)))))
    assert len({line.index(".") for line in lines[2:]}) == 1
    # The page cut the ratio's digits from more digits of the losses than it shows.
    shown = [re.sub("1.68425|1.21145", lambda match: match[0].replace("1.68425", "1.68424"), line) for line in lines]
    assert [line.strip() for line in shown] == TUTORIAL.splitlines()


def test_the_best_losses_are_colored_without_moving_anything():
    history = History()
    plain, colored = (EpochTable(validates=True, classifies=True, color=color) for color in (False, True))
    better = history.add(train_loss=1.0, valid_loss=2.0, valid_accuracy=0.5, seconds=1.0)
    worse = history.add(train_loss=1.5, valid_loss=2.5, valid_accuracy=0.5, seconds=1.0)
    assert re.findall(r"\033\[(3\d)m *([\d.]+)\033", colored.line(better)) == [("36", "1.00000"), ("32", "2.00000")]
    assert colored.line(worse) == plain.line(worse)
    assert re.sub(r"\033\[\d+m", "", colored.line(better)) == plain.line(better)


def test_huge_losses_keep_their_columns():
    history, table = History(), EpochTable(validates=True, classifies=True, color=False)
    lines = [table.head().splitlines()[0]]
    for train, valid in ((2.0, 3.0), (123456.7, 1e6), (3.4e38, 1e300), (float("inf"), 1.0)):
        record = history.add(train_loss=train, valid_loss=valid, valid_accuracy=0.5, seconds=1.0)
        lines.append(table.line(record))
    assert len({line.index("dur" if number == 0 else "1.00s") for number, line in enumerate(lines)}) == 1
    assert lines[2].split()[1:3] == ["123456.70000", "1.0000e+06"] and lines[3].split()[1] == "3.4000e+38"


def test_columns_that_do_not_apply_are_left_out():
    regression = EpochTable(validates=True, classifies=False, color=False).head().splitlines()[0]
    assert regression.split("  ")[-1] == "dur" and "valid acc" not in regression and "valid loss" in regression
    alone = EpochTable(validates=False, classifies=True, color=False)
    assert alone.head().splitlines()[0].split() == ["epoch", "train", "loss", "dur"]
    record = History().add(train_loss=0.5, valid_loss=None, valid_accuracy=None, seconds=0.25)
    assert alone.line(record).split() == ["1", "0.50000", "0.25s"]


def test_verbosity_decides_how_much_is_printed(capsys):
    assert fitted(capsys, verbose=0) == ""
    one = fitted(capsys, verbose=1)
    assert one.startswith("# Neural Network with 114 learnable parameters\n\nconv2d1: COV004 small-field warning:")
    assert "\n  epoch    train loss    valid loss" in one and "cap.Y" not in one
    assert [line.split()[0] for line in one.splitlines()[-2:]] == ["1", "2"]
    two, three = fitted(capsys, verbose=2), fitted(capsys, verbose=3)
    assert "cap.Y" in two and "filter Y" not in two and two.endswith("".join(two.splitlines(True)[-4:]))
    assert "filter Y" in three or "filter" in three
    assert len(three) > len(two) > len(one)


def test_every_fit_prints_its_head(capsys):
    net = NeuralNetRegressor([Output()], max_epochs=1, warm_start=True)
    net.fit([[0.0], [1.0], [2.0], [3.0], [5.0]], [1.0, 2.0, 3.0, 4.0, 5.0])
    first = capsys.readouterr().out
    net.fit([[0.0], [1.0], [2.0], [3.0], [5.0]], [1.0, 2.0, 3.0, 4.0, 5.0])
    second = capsys.readouterr().out
    assert first.count("train loss") == second.count("train loss") == 1
    assert second.splitlines()[-1].split()[0] == "2"


def test_the_last_line_is_printed_before_a_callback_ends_training(capsys):
    out = fitted(capsys, callbacks=[lambda net, record: True])
    assert out.splitlines()[-1].split()[0] == "1"


def test_layer_info_prints_the_table_of_the_nets_verbosity(capsys):
    net = NeuralNetClassifier([Input((1, 28, 28)), Conv2D(32), Dense(64), Output(10)])
    for verbose, table in ((0, 1), (1, 1), (2, 2), (3, 3), (7, 3)):
        net.set_params(verbose=verbose).initialize()
        PrintLayerInfo()(net)
        assert capsys.readouterr().out == net.analysis_.table(table) + "\n"


def test_a_module_is_greeted_too(capsys, two_classes):
    NeuralNetClassifier(nn.Linear(4, 2), max_epochs=1, verbose=3).fit(*two_classes)
    out = capsys.readouterr().out
    assert out.startswith("# Neural Network with 10 learnable parameters\n\n## Layer information\n")
    assert "\n\n  epoch" in out


@pytest.mark.parametrize("color", [True, False])
def test_a_terminal_shows_a_bar_and_colors_unless_told_not_to(monkeypatch, two_classes, color):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    if color:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    NeuralNetClassifier([Dense(4), Output()], max_epochs=2, random_state=0).fit(*two_classes)
    text = terminal.getvalue()
    assert "images/s" in text and ("\033[36m" in text) == color
    lines = [
        line for line in re.sub(r"\033\[[\d;?]*[a-zA-Z]", "", text).splitlines() if re.search(r"\d\.\d{5} .*s$", line)
    ]
    assert [line.split()[0] for line in lines] == ["1", "2"]


def test_the_automatic_choices_are_told(capsys):
    params = {"verbose": 2, "device": "cpu", "precision": "float32"}
    assert re.search(r"\nOn cpu \(1 thread\) in float32, fused Adam, seed \d+\.\n", fitted(capsys, **params))
    assert "in float32, SGD" not in fitted(capsys, optimizer="sgd", **params)
    assert "in float32, RMSprop" in fitted(capsys, optimizer="rmsprop", **params)
    assert "On cpu" not in fitted(capsys, verbose=1)


def test_a_notebook_shows_one_line_that_changes(monkeypatch, capsys, two_classes):
    shown = []

    class Handle:
        def update(self, text):
            shown.append(repr(text))

    def display(text, display_id):
        shown.append(repr(text))
        return Handle()

    shell = type("ZMQInteractiveShell", (), {})()
    fake = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setattr("depthwise.training.live.SECONDS_BETWEEN", 0)
    params = {"max_epochs": 2, "batch_size": 24, "random_state": 0}
    NeuralNetClassifier([Dense(4), Output()], **params).fit(*two_classes)
    assert shown[0] == shown[-1] == ""
    assert [line.split("%")[0] for line in shown[1:-1]] == ["25", "50", "75", "100"]
    assert all(re.fullmatch(r"\d+%  [\d,]+ images/s  \d+:\d\d left", line) for line in shown[1:-1])
    assert "valid acc" in capsys.readouterr().out
