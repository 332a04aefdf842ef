"""Networks by name: a file, a module, a class, a factory."""

import sys

import pytest
from torch import nn

import depthwise as dw
from depthwise.errors import TargetError
from depthwise.targets import load_target

SOURCE = """
from torch import nn
from depthwise import Conv2D, Output

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))

class Wide(nn.Sequential):
    def __init__(self, width, depth=1):
        super().__init__(nn.Conv2d(3, width, 3))

def make():
    return Wide(4)

instance = Wide(16)
layers = [Conv2D(8), Output(2)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text_of(target):
    with pytest.raises(TargetError) as raised:
        load_target(target)
    return str(raised.value)


@pytest.mark.parametrize(
    ("target", "params"),
    [("mynet.py:Net", 242), ("mynet.py:make", 112), ("mynet.py:instance", 448), ("mynet.py:layers", 61730)],
)
def test_a_name_in_a_file(folder, target, params):
    assert dw.analyze(target, (3, 64, 64)).params == params
    assert dw.analyze(f"{folder}/{target}", (3, 64, 64)).params == params


@pytest.mark.parametrize("package", ["{}.py", "{}/__init__.py", "{}/inner.py"])
def test_two_versions_of_a_project_keep_their_own_neighbors(tmp_path, package):
    known = set(sys.modules)
    for version, width in (("old", 8), ("new", 64)):
        neighbor = tmp_path / version / package.format("blocks")
        neighbor.parent.mkdir(parents=True, exist_ok=True)
        neighbor.write_text(f"WIDTH = {width}")
        imported = "blocks.inner" if neighbor.stem == "inner" else "blocks"
        (tmp_path / version / "net.py").write_text(
            f"from torch import nn\ndef late():\n    from {imported} import WIDTH\n    return nn.Conv2d(1, WIDTH, 3)\n"
            f"from {imported} import WIDTH\nearly = nn.Conv2d(1, WIDTH, 3)"
        )
    for name in ("early", "late"):
        old, new = (f"{tmp_path / version / 'net.py'}:{name}" for version in ("old", "new"))
        assert dw.compare(old, new, input_shape=(1, 8, 8)).facts["params"] == (80, 640)
    assert set(sys.modules) == known


def test_what_a_script_has_imported_stays(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    (folder / "shared_blocks.py").write_text("WIDTH = 8")
    (folder / "user.py").write_text("from shared_blocks import WIDTH\nlayers = f'{WIDTH}C3'")
    import shared_blocks

    assert load_target("user.py:layers") == "8C3"
    assert sys.modules.pop("shared_blocks") is shared_blocks


def test_a_file_may_define_data_classes(folder):
    (folder / "configured.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Config:\n    width: int = 8\nlayers = f'{Config().width}C3'"
    )
    assert load_target("configured.py:layers") == "8C3"


def test_a_layer_in_short_is_no_module():
    assert dw.analyze("DW3:none", (8, 8, 8)).params == 80
    assert dw.analyze("A:relu", (8, 8, 8)).params == 0


@pytest.mark.parametrize("count", [-2, 0, 2.5, True, "10"])
def test_a_number_of_outputs_that_cannot_be_is_refused(count):
    with pytest.raises(TargetError) as problem:
        dw.analyze("8C3-N", (1, 28, 28), n_outputs=count)
    assert str(problem.value) == f"n_outputs is {count!r} but must be a whole number of 1 or more, or None."


def test_a_name_in_a_module(folder):
    assert dw.analyze("mynet:Net", (3, 64, 64)).params == 242
    assert dw.analyze("torch.nn:Identity", (3, 64, 64)).params == 0


def test_a_class_and_a_factory():
    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(3, 8, 3))

    def make():
        return Net()

    for target in (Net, make, Net()):
        assert dw.analyze(target, (3, 9, 9)).params == 224


def test_a_file_without_that_name_lists_those_that_it_has(folder):
    assert text_of("mynet.py:Nett") == (
        "mynet.py has no 'Nett'. Did you mean mynet.py:Net? There are: Net, Wide, make, instance, layers."
    )
    assert text_of("mynet.py") == (
        "mynet.py is a file, and no name was given. There are: Net, Wide, make, instance, layers."
    )


def test_a_class_that_needs_arguments_is_refused(folder):
    assert text_of("mynet.py:Wide") == (
        "mynet.py:Wide needs arguments: width. Name a function or an object that needs none, such as: net = Wide(...)."
    )


def test_a_file_that_is_not_there_or_cannot_be_imported(folder):
    assert text_of("other.py:Net") == (
        "there is no file other.py. Give the path of a Python file, such as mynet.py:Net."
    )
    assert text_of("broken.py:Net") == (
        "broken.py cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_name'. "
        "Run it with python to see where."
    )


def test_a_module_without_a_shape_says_what_to_give():
    with pytest.raises(TargetError) as raised:
        dw.analyze(nn.Conv2d(1, 2, 3))
    assert str(raised.value) == (
        "Conv2d is a module of PyTorch, and the shape of its images is not known. "
        "Give input_shape=(channels, height, width), or inputs=((3, 224, 224), ...) for several inputs."
    )


def test_every_operation_can_be_a_row():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    assert [row.name for row in dw.analyze(net, (1, 9, 9)).layers] == ["input0", "0"]
    assert [row.name for row in dw.analyze(net, (1, 9, 9), all=True).layers] == ["input0", "0", "1"]
