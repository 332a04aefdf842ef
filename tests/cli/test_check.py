"""``depthwise check``, ``explain`` and ``rules``, run in this process as a user would type them."""

import json

import pytest

from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.notation import read_toml, write_toml

CLEAN = "16C3ps-16C3ps-MP2-32C3ps-GAP-10N"
LOW = "-".join(["16C3ps"] * 9 + ["GAP", "10N"])
BIASED = "8CB3ps-MP2-16C3ps-16C3ps-GAP-10N"
INPUT = ("--input", "1x14x14")


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    """Nobody's pyproject.toml is read."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "net.toml"
    biased = [Conv2D(8, padding="same", norm="batch"), MaxPool2D(), *[Conv2D(16, padding="same")] * 2]
    path.write_text(write_toml([*biased, GlobalAvgPool2D(), Output(10)]))
    return path


def test_a_sound_network_is_silent_and_status_0(run):
    assert run("check", CLEAN, *INPUT) == (0, "No findings.\n", "")


def test_a_warning_is_status_1_and_information_is_not(run):
    status, out, err = run("check", LOW, "--input", "1x32x32")
    assert (status, err) == (1, "")
    assert out.startswith("conv2d9: CAP001 low-capacity warning: capacity 15.8 % < 16.7 % (filter 3 px,")
    assert "2 warnings" in out and max(map(len, out.splitlines())) <= 80
    status, out, _ = run("check", BIASED, "--input", "1x12x12")
    assert status == 0 and "NRM001" in out


def test_several_targets_are_told_apart(run):
    status, out, _ = run("check", LOW, CLEAN, "--input", "1x32x32", "--select", "CAP")
    assert status == 1 and out.startswith(f"{LOW}: conv2d9:\n    CAP001 ")
    assert "1 finding: 1 warning in 2 networks." in out


def test_rules_are_selected_and_ignored(run):
    assert run("check", LOW, "--input", "1x32x32", "--ignore", "CAP,COV")[0] == 0
    assert "CAP001" not in run("check", LOW, "--input", "1x32x32", "--select", "COV")[1]
    assert run("check", "8C3-10N", "--input", "1x28x28", "--profile", "digits")[0] == 0
    assert run("check", CLEAN, *INPUT, "--classes", "3")[0] == 1
    assert "HED001" in run("check", f"{CLEAN}-A:softmax", *INPUT, "--loss", "cross_entropy")[1]


def test_output_for_machines(run, tmp_path):
    words = ("check", LOW, "--input", "1x32x32", "--select", "CAP")
    for option in (("--json",), ("--output-format", "json")):
        (one,) = json.loads(run(*words, *option)[1])
        assert one["target"] == LOW and one["findings"][0]["code"] == "CAP001"
        assert one["findings"][0]["remedies"][0]["price"]["after"]["coverage"] > 0.5
    assert run(*words, "--output-format", "github")[1].startswith("::warning title=CAP001 low-capacity::")
    assert json.loads(run(*words, "--output-format", "sarif")[1])["runs"][0]["results"][0]["ruleId"] == "CAP001"
    assert run(*words, "--statistics")[1] == "   1  CAP001  low-capacity\n"


def test_fixes_are_written_into_a_toml_file(run, toml):
    status, out, _ = run("check", toml, "--input", "1x12x12", "--fix")
    assert status == 0 and f"wrote {toml}" in out and out.rstrip().endswith("No findings.")
    assert read_toml(toml.read_text())[0] == Conv2D(8, padding="same", norm="batch", bias=False)
    before = toml.read_text()
    assert run("check", toml, "--input", "1x12x12", "--fix")[1] == "No findings.\n"
    assert toml.read_text() == before


def test_the_mended_notation_is_printed(run):
    assert "8CB3psnb-MP2-16C3ps-16C3ps-GAP-10N" in run("check", BIASED, "--input", "1x12x12", "--fix")[1]
    status, out, _ = run("check", LOW, "--input", "1x32x32", "--fix")
    assert status == 1 and "MP2" not in out, "a proposal is no safe fix"
    status, out, _ = run("check", LOW, "--input", "1x32x32", "--unsafe-fixes")
    assert "-MP2-16C3ps-GAP-10N" in out


def test_a_diff_changes_nothing(run, toml):
    before = toml.read_text()
    status, out, _ = run("check", toml, "--input", "1x12x12", "--diff")
    assert status == 1 and "+bias = false" in out and out.startswith("--- ")
    assert toml.read_text() == before
    assert run("check", CLEAN, *INPUT, "--diff") == (0, "", "")


MODULE = """\
from torch import nn


class Other:
    pass


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(8, 10))
"""


def test_a_class_in_a_file_is_checked_and_its_line_told(run, tmp_path):
    (tmp_path / "mynet.py").write_text(MODULE)
    status, out, err = run("check", "mynet.py:Net", *INPUT)
    assert (status, err) == (1, "")
    assert out.startswith("mynet.py:8: 0: COV004 small-field warning") and "Set model.0.bias = None [*]" in out
    assert "file=mynet.py,line=8," in run("check", "mynet.py:Net", *INPUT, "--output-format", "github")[1]
    out = run("check", "mynet.py:Net", *INPUT, "--fix")[1]
    assert "make them in its file" in out


CONFIGURED = """\
[tool.depthwise]
ignore = ["COV"]

[tool.depthwise.targets]
"net.toml" = "1x12x12"
"{low}" = {{ input = "1x32x32", select = ["CAP"] }}
"""


def test_a_repository_is_checked_by_its_pyproject(run, toml, tmp_path):
    (tmp_path / "pyproject.toml").write_text(CONFIGURED.format(low=LOW))
    status, out, _ = run("check")
    assert status == 1 and "net.toml:1: conv2d1: NRM001" in out and f"{LOW}: conv2d9:\n    CAP001" in out
    assert run("check", "net.toml")[0] == 0
    assert run("check", "--ignore", "CAP")[0] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tool.depthwise]\nselct = ['CAP']", "has no 'selct'. Did you mean 'select'?"),
        ("[tool.depthwise]\nselect = 'CAP'", "select is 'CAP' but must be a list of codes"),
        ("[tool.depthwise]\nselect = ['XYZ']\n[tool.depthwise.targets]\n'8C3' = '1x8x8'", "there is no rule 'XYZ'"),
        ("[tool.depthwise.targets]\n'8C3' = '1x8'\n'8C5' = 3", "a target is 3 but must be an input shape or a table"),
        ("[tool.depthwise]\nprofile = 'cats'\n[tool.depthwise.targets]\n'8C3' = '1x8x8'", "profile is 'cats'"),
        ("[tool.depthwise", "pyproject.toml cannot be read:"),
        ("[tool.other]", "there is nothing to check. Name a target"),
    ],
)
def test_a_broken_configuration_is_one_line_and_status_2(run, tmp_path, content, message):
    (tmp_path / "pyproject.toml").write_text(content)
    status, out, err = run("check")
    assert (status, out) == (2, "")
    assert err.startswith("depthwise: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", CLEAN), "Give input_shape="),
        (("check", CLEAN, *INPUT, "--select", "ABC1"), "there is no rule 'ABC1'"),
        (("check", "nowhere.toml", *INPUT), "nowhere.toml"),
        (("check", "nowhere.py:Net", *INPUT), "there is no file nowhere.py"),
        (("check", "no.such:Net", *INPUT), "cannot be imported"),
        (("check", CLEAN, *INPUT, "--profile", "cats"), "profile is 'cats' but must be one of natural,"),
        (("explain", "CAP9"), "there is no rule 'CAP9'"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(run, words, message):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith("depthwise: ") and message in err


def test_explain_tells_a_rule(run):
    status, out, _ = run("explain", "low-capacity")
    assert status == 0 and out.startswith("CAP001 low-capacity (warning, capacity)")
    assert "Cao" in out and "bad: 16C3ps-16C3ps" in out and "good: " in out
    assert json.loads(run("explain", "CAP", "--json")[1])[0]["code"] == "CAP001"
    assert max(map(len, out.splitlines())) <= 80


def test_rules_lists_all_of_them(run):
    from depthwise.rules import RULES

    out = run("rules")[1]
    assert [line.split()[0] for line in out.splitlines()] == [rule.code for rule in RULES]
    assert len(json.loads(run("rules", "--json")[1])) == len(RULES)


def test_json_tells_what_a_fix_changed(run):
    status, out, _ = run("check", "[16C3ps]*9-GAP-10N", "--input", "1x32x32", "--unsafe-fixes", "--json")
    (one,) = json.loads(out)
    assert status == 0 and not any(found["severity"] == "warning" for found in one["findings"])
    assert "MaxPool2D() before conv2d9" in one["changed"][0]
    assert "changed" not in json.loads(run("check", "16C3ps-GAP-10N", "--input", "1x8x8", "--json")[1])[0]
