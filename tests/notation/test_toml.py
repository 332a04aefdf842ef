"""TOML files: they carry every list, and refused ones name the entry."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from strategies import layer_lists

from depthwise.errors import NotationError
from depthwise.layers import (
    LAYERS,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    GroupNorm,
    Input,
    MaxPool2D,
    Output,
    Residual,
    ZeroPad2D,
)
from depthwise.notation import read_layers, read_toml, write_toml

KINDS = ", ".join(kind.__name__.lower() for kind in LAYERS)

WRITTEN = """\
version = 1

[[layers]]
kind = "input"
shape = [1, 28, 28]

[[layers]]
kind = "conv2d"
out_channels = 8
kernel_size = [3, 5]
bias = false
norm = { kind = "groupnorm", groups = 4, eps = 1e-08 }
name = "stem"

[[layers]]
kind = "residual"
activation = "none"

[[layers.layers]]
kind = "residual"

[[layers.layers.layers]]
kind = "conv2d"
out_channels = 8
padding = "same"

[[layers.layers]]
kind = "zeropad2d"
padding = [[0, 1], [1, 0]]

[[layers.shortcut]]
kind = "conv2d"
out_channels = 8
kernel_size = 1
activation = "none"

[[layers]]
kind = "add"
inputs = ["stem", "residual2"]
"""
LAYERS_WRITTEN = (
    Input((1, 28, 28)),
    Conv2D(8, (3, 5), bias=False, norm=GroupNorm(4, eps=1e-8), name="stem"),
    Residual(
        [Residual([Conv2D(8, padding="same")]), ZeroPad2D(((0, 1), (1, 0)))],
        Conv2D(8, 1, activation=None),
        activation=None,
    ),
    Add(inputs=["stem", "residual2"]),
)


def test_a_file_is_written_as_people_would():
    assert write_toml(LAYERS_WRITTEN) == WRITTEN


def test_a_file_is_read_from_its_text_and_its_path(tmp_path: Path):
    path = tmp_path / "net.TOML"
    path.write_text(WRITTEN, encoding="utf-8")
    assert read_toml(WRITTEN) == read_layers(WRITTEN) == read_layers(path) == read_layers(str(path)) == LAYERS_WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        '# mine\n\n[[layers]]\nkind = "conv2d"\nout_channels = 8\n',
        '  [[ layers ]]\nkind = "Conv2D"\nout_channels = 8',
        'layers = [{ kind = "conv2d", out_channels = 8, activation = "relu" }]',
        '"layers" = [{ kind = "conv2d", out_channels = 8, padding = 0 }]',
    ],
)
def test_toml_is_known_from_its_first_line(text):
    assert read_layers(text) == (Conv2D(8),)


@pytest.mark.parametrize("text", ["[64C3]*2", "[[64C3]*1]*2", "[[conv -> relu]*1]*2 -> gap"])
def test_brackets_alone_make_no_toml(text):
    assert read_layers(text)[0].out_channels in (32, 64)


@given(layer_lists(open_output=True))
def test_reading_undoes_writing(drawn):
    layers, _ = drawn
    assert read_toml(write_toml(layers)) == layers


@pytest.mark.parametrize("name", ['"', "\\", "\n", "\x00", "\x7f", "Größe", "🙂"])
def test_any_name_survives(name):
    layers = (Conv2D(8, norm=BatchNorm(inputs=name)), MaxPool2D(inputs=name))
    assert read_toml(write_toml(layers)) == layers


def one(lines: str) -> str:
    return f"[[layers]]\n{lines}\n"


REFUSED = {
    "a = ": "cannot read the TOML text: Invalid value (at end of document). Mend it there; write_toml shows the form.",
    "layer = []": "cannot read the TOML text: 'layer' is no key. Write [[layers]] for each layer.",
    "version = 2\n" + one('kind = "flatten"'): (
        "cannot read the TOML text: its version is 2 but must be 1. Read it with a newer depthwise, "
        "or write it anew with write_toml."
    ),
    "version = 1": "cannot read the TOML text: layers holds no layer. Write [[layers]] for each one.",
    "layers = []": "cannot read the TOML text: layers holds no layer. Write [[layers]] for each one.",
    "layers = [3]": 'cannot read the TOML text at layers[0]: it has no kind. Write kind = "conv2d" or another.',
    one("units = 3"): 'cannot read the TOML text at layers[0]: it has no kind. Write kind = "conv2d" or another.',
    one('kind = "flatten"') + one('kind = "conv3d"'): (
        f"cannot read the TOML text at layers[1]: 'conv3d' is no kind of layer. Did you mean 'conv2d'? Kinds: {KINDS}."
    ),
    one("kind = 3"): f"cannot read the TOML text at layers[0]: 3 is no kind of layer. Kinds: {KINDS}.",
    one('kind = "dense"'): "cannot read the TOML text at layers[0]: Dense needs units. Write units = ...",
    one('kind = "dense"\nunits = 2.5'): (
        "cannot read the TOML text at layers[0]: Dense: units is 2.5 but must be a whole number of 1 or more."
    ),
    one('kind = "dense"\nunit = 2\nunits = 2'): (
        "cannot read the TOML text at layers[0]: Dense has no argument 'unit'. Did you mean units? "
        "It has: units, activation, bias, name, inputs."
    ),
    one('kind = "conv2d"\nout_channels = 8\nnorm = { kind = "groupnorm" }'): (
        "cannot read the TOML text at layers[0].norm: GroupNorm needs groups. Write groups = ..."
    ),
    one('kind = "residual"\nlayers = 3'): (
        "cannot read the TOML text: layers[0].layers holds no layer. Write [[layers.layers]] for each one."
    ),
    one('kind = "residual"\nlayers = [{ kind = "output" }]'): (
        "cannot read the TOML text at layers[0]: a Residual holds an Input or an Output. "
        "Put these at the ends of the whole list."
    ),
    one('kind = "residual"\nlayers = [{ kind = "flatten" }]\nshortcut = [{ kind = "dropout", p = 2 }]'): (
        "cannot read the TOML text at layers[0].shortcut[0]: "
        "Dropout: p is 2 but must be a number from 0 to less than 1."
    ),
    "layers = " + "[" * 5000: "cannot read the TOML text: it is nested too deeply. Nest less.",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_refused_file_names_the_entry(text, message):
    with pytest.raises(NotationError) as caught:
        read_layers(text)
    assert str(caught.value) == message


def test_blocks_nest_twenty_deep_and_no_deeper():
    layers = (Dense(8),)
    for _ in range(20):
        layers = (Residual(layers),)
    assert read_toml(write_toml(layers)) == layers
    with pytest.raises(NotationError, match=r"\.layers\[0\]: it stands in more than 20 others\. Nest less\.$"):
        read_toml(write_toml([Residual(layers)]))


def test_a_layer_of_the_caller_cannot_be_written():
    class Own(Conv2D):
        pass

    with pytest.raises(NotationError) as caught:
        write_toml([Own(8)])
    assert str(caught.value) == "a Own is no layer of depthwise, so a file cannot name it."


def test_what_is_written_is_plain_toml():
    assert tomllib.loads(write_toml([Output()])) == {"version": 1, "layers": [{"kind": "output"}]}


def test_files_that_cannot_be_read(tmp_path: Path):
    def refused(target) -> str:
        with pytest.raises(NotationError) as caught:
            read_layers(target)
        return str(caught.value).replace(str(tmp_path), "")

    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "net.txt").write_text("32C3", encoding="utf-8")
    assert refused(tmp_path / "none.toml") == (
        "cannot read the file '/none.toml': No such file or directory. Give the path of a TOML text file."
    )
    assert refused(str(tmp_path / "folder.toml")).startswith("cannot read the file '/folder.toml': Is a directory. ")
    assert refused(tmp_path / "bytes.toml").startswith(
        "cannot read the file '/bytes.toml': 'utf-8' codec can't decode "
    )
    assert refused(tmp_path / "net.txt") == (
        "cannot read the file '/net.txt': a layer list is stored as .toml. Write one with write_toml."
    )
    assert refused(tmp_path / "empty.toml") == (
        "file '/empty.toml': cannot read the TOML text: layers holds no layer. Write [[layers]] for each one."
    )
    assert refused(3) == (
        "a notation must be text or a path, not 3. Write it as '32C3-MP2-10N', "
        "or hand over the layers themselves as a list."
    )


@pytest.mark.parametrize("word", ["design.tml", "./nosuch", "nets/a", "nets\\a", "net.json", "weights.pt", " a/b:Net "])
def test_what_looks_like_a_path_is_no_notation(word):
    with pytest.raises(NotationError) as caught:
        read_layers(word)
    assert str(caught.value) == (
        f"there is no file '{Path(word.strip())}'. Give the path of one, or a notation such as 32C3-MP2-10N, which has "
        "no slash and no ending."
    )


@pytest.mark.parametrize("text", ["8C3-D0.25-LR0.1-N", "8CBm0.01e0.5-N", "INPUT -> CONV/RELU"])
def test_a_notation_with_points_is_no_path(text):
    try:
        read_layers(text)
    except NotationError as problem:
        assert "there is no file" not in str(problem)
