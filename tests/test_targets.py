"""Networks by name: a file, a module, a class, a factory."""

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
