"""``depthwise look``, run in this process as a user would type it."""

import json

import numpy as np
import pytest
from PIL import Image

from depthwise.cli import main
from depthwise.cli.look import WORDS, Subject
from depthwise.displays.display import Display
from depthwise.training import NeuralNetClassifier, NeuralNetRegressor


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with saved networks and pictures of two classes."""
    folder = tmp_path_factory.mktemp("look")
    random = np.random.default_rng(0)
    X, y = [], []
    for name, level in (("dark", 40), ("light", 200)):
        (folder / "shades" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(level - 30, level + 30, (8, 10)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "shades" / name / f"{number}.png")
            X.append(pixels[None])
            y.append(name)
    options = {"max_epochs": 2, "validation": None, "random_state": 0, "verbose": 0}
    NeuralNetClassifier("4C3-MP2-4C3-N", **options).fit(np.array(X), y).save(folder / "net.safetensors")
    numbers = np.arange(12.0)
    NeuralNetRegressor("4C3-MP2-1N", **options).fit(np.array(X), numbers).save(folder / "numbers.safetensors")
    NeuralNetClassifier("4N-N", **options).fit(np.array(X)[:, 0, 0], y).save(folder / "rows.safetensors")
    return folder


def test_one_picture_a_word(run, place, tmp_path):
    folder = tmp_path / "new" / "look"
    words = ("look", place / "net.safetensors", place / "shades", "-o", folder, "--what", "fields, weights")
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    assert out.splitlines() == [f"wrote {folder / 'fields.png'}", f"wrote {folder / 'weights.png'}"]
    assert sorted(path.name for path in folder.iterdir()) == ["fields.png", "weights.png"]
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 150 and len(picture.getcolors(1 << 24)) > 2


def test_without_words_all_are_made_and_json_prints_the_paths(run, place, tmp_path, monkeypatch):
    # Drawing fourteen figures takes seconds; that each word makes its display does not need them.
    monkeypatch.setattr(Display, "save", lambda self, path: path.write_text(type(self).__name__, "utf-8"))
    status, out, err = run("look", place / "net.safetensors", place / "shades", "-o", tmp_path, "--json")
    paths = json.loads(out)
    assert (status, err) == (0, "") and list(paths) == list(WORDS)
    assert paths.pop("architecture") == str(tmp_path / "architecture.svg")
    assert "<svg" in (tmp_path / "architecture.svg").read_text("utf-8")
    own = {"batch": "BatchDisplay", "fields": "CapacityCoverageDisplay", "mistakes": "TopLossesDisplay"}
    for word, path in paths.items():
        made = (tmp_path / f"{word}.png").read_text("utf-8")
        assert path == str(tmp_path / f"{word}.png")
        assert made == own.get(word, "") or word in made.lower()


@pytest.mark.slow
def test_all_pictures_are_drawn(run, place, tmp_path):
    status, out, _ = run("look", place / "net.safetensors", place / "shades", "-o", tmp_path, "--json")
    pictures = [path for path in json.loads(out).values() if path.endswith(".png")]
    assert status == 0 and len(pictures) == len(WORDS) - 1
    for path in pictures:
        with Image.open(path) as picture:
            assert min(picture.size) > 150 and len(picture.getcolors(1 << 24)) > 2


def test_what_does_not_apply_is_left_out_unless_it_is_asked_for(run, place, tmp_path, monkeypatch):
    # The verb's own globals: collecting doctests imports its file once more under the same name.
    some = {word: WORDS[word] for word in ("mistakes", "fields")}
    monkeypatch.setitem(main.__globals__["look"].__globals__, "WORDS", some)
    words = ("look", place / "numbers.safetensors", "digits", "-o", tmp_path)
    status, out, err = run(*words)
    assert (status, out) == (0, f"wrote {tmp_path / 'fields.png'}\n")
    assert err.startswith("note: no mistakes: NeuralNetRegressor has no classes")
    status, _, err = run(*words, "--what", "mistakes")
    assert status == 2 and "NeuralNetRegressor has no classes" in err


def test_several_images_are_of_all_classes():
    it = Subject(None, np.zeros((12, 1, 2, 2)), np.repeat([0, 1, 2], 4), 3)
    assert it.some[2].tolist() == [0, 1, 2] and len(it.many[1]) == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("net.safetensors", "shades", "--what", "wieghts"), "there is no picture 'wieghts'. Did you mean 'weights'?"),
        (("net.safetensors", "shades", "--what", "x"), "there is no picture 'x'. There are: images (samples and pred"),
        (("net.safetensors", "shades", "--what", ","), "--what names no picture. There are: images"),
        (("none.safetensors", "shades"), "none.safetensors"),
        (
            ("net.safetensors", "shades", "-o", "numbers.safetensors/look"),
            "numbers.safetensors/look: numbers.safetensors is a file, not a folder. Give another folder.\n",
        ),
        (
            ("net.safetensors", "shades", "-o", "n" * 300),
            "n: cannot be written (File name too long). Give another fold",
        ),
        (("net.safetensors", "nowhere"), "nowhere: no such file or folder"),
        (("rows.safetensors", "shades"), "the network reads rows of 10 values, not pictures."),
    ],
)
def test_a_mistake_is_one_message_and_status_2(run, words, message, place, monkeypatch):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    status, out, err = run("look", *words)
    assert (status, out) == (2, "")
    assert err.startswith("depthwise: ") and message in err
    assert sorted(place.iterdir()) == before
