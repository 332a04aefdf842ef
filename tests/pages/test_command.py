import json

import pytest
from typer.testing import CliRunner

from depthwise import Conv2D, Input, NeuralNetClassifier, Output, load_images
from depthwise.cli import app
from depthwise.errors import FileError


def run(*arguments):
    return CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)


def test_a_saved_network_and_data(tmp_path):
    digits = load_images("digits")
    layers = [Input((1, 8, 8)), Conv2D(4), Output()]
    net = NeuralNetClassifier(layers, max_epochs=1, random_state=0, verbose=0).fit(digits.X[:200], digits.y[:200])
    net.save(tmp_path / "net.safetensors")
    result = run(tmp_path / "net.safetensors", "digits", "-o", tmp_path / "net.html", "--samples", "2", "--json")
    told = json.loads(result.stdout)
    html = (tmp_path / "net.html").read_bytes()
    assert told["path"] == str(tmp_path / "net.html") and told["bytes"] == len(html)
    assert told["sections"][:2] == ["verdict", "findings"] and "attention" in told["sections"]
    assert told["numbers"]["data"]["n_images"] == 1797
    assert len(told["numbers"]["attention"]["samples"]) == 2


def test_a_notation_alone(tmp_path):
    result = run("8C3-MP2-10N", "--input", "1x28x28", "-o", tmp_path / "net.html", "--title", "My net")
    assert result.stdout.startswith(f"wrote {tmp_path / 'net.html'} (")
    assert "<h1>My net</h1>" in (tmp_path / "net.html").read_text(encoding="utf-8")


def test_a_path_that_cannot_be_written(tmp_path):
    with pytest.raises(FileError, match="there is no folder"):
        run("8C3-10N", "--input", "1x9x9", "-o", tmp_path / "a" / "b" / "net.html")
