"""Pictures of all kinds become uint8 arrays by stated rules."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthwise.data import load_pictures, pictures
from depthwise.errors import DataError


def read(path, channels=None, size=None) -> np.ndarray:
    return pictures.read_pictures("here", [path], [path.name], size, channels).X[0]


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, [255]),
        ("L", 9, [9]),
        ("LA", (0, 255), [0]),
        ("LA", (0, 0), [255]),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (1, 2, 3, 255), [1, 2, 3]),
        ("RGBA", (1, 2, 3, 0), [255, 255, 255]),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204]),
        ("I;16", 0x1234, [0x12]),
    ],
)
def test_modes(write_picture, mode, color, expected):
    path = write_picture("a.png", color, mode=mode)
    assert read(path)[:, 0, 0].tolist() == expected
    # Luminance of ITU-R 601.
    grey = round(float(np.dot(expected, [0.299, 0.587, 0.114]))) if len(expected) == 3 else expected[0]
    assert read(path, channels=1)[:, 0, 0].tolist() == [grey]
    assert read(path, channels=3)[:, 0, 0].tolist() == (expected * 3)[:3]


def test_palette_and_cmyk(write_picture, tmp_path):
    red = Image.new("RGB", (8, 6), "red")
    red.quantize(4).save(tmp_path / "p.gif")
    assert read(tmp_path / "p.gif")[:, 0, 0].tolist() == [255, 0, 0]
    red.quantize(4).save(tmp_path / "clear.png", transparency=0)
    assert read(tmp_path / "clear.png")[:, 0, 0].tolist() == [255, 255, 255]
    assert read(write_picture("c.tif", (0, 255, 255, 0), mode="CMYK"))[:, 0, 0].tolist() == [255, 0, 0]
    assert read(write_picture("g.png", 3, transparency=3))[:, 0, 0].tolist() == [255]


def test_deep_pictures(tmp_path):
    values = np.arange(256).reshape(16, 16)
    kinds = {
        "deep.png": (200 * values).astype(np.uint16),
        "deep.tif": (200 * values).astype(np.uint16),
        "dark.tif": values.astype(np.uint16),
        "whole.tif": values.astype(np.int32),
        "large.tif": (200 * values).astype(np.int32),
        "signed.tif": (values - 1).astype(np.int32),
        "real.tif": values.astype(np.float32),
    }
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(tmp_path / name)
    found = pictures.read_pictures("here", [tmp_path / name for name in kinds], list(kinds))
    # 16 bits say how bright they can be; 32 do not, and a guess by each picture would make dark ones bright.
    for pixels, expected in zip(
        found.X[:, 0], [200 * values >> 8, 200 * values >> 8, values >> 8, values], strict=True
    ):
        np.testing.assert_array_equal(pixels, expected)
    assert found.problems == (
        "3 pictures skipped, unreadable: large.tif (32-bit integers from 0 to 51000, not 0 to 255), "
        "signed.tif (32-bit integers from -1 to 254, not 0 to 255), real.tif (32-bit floats)",
        "3 pictures cut from 16 bits to 8: deep.png, deep.tif, dark.tif",
    )


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_photos_are_turned_upright(tmp_path, orientation, turned):
    values = np.repeat(np.repeat(np.array([[0, 80, 160], [40, 120, 255]], np.uint8), 16, 0), 16, 1)
    image = Image.fromarray(values)
    image.save(tmp_path / "plain.jpg", quality=100)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif, quality=100)
    upright = np.rot90(values, turned)
    assert np.abs(read(tmp_path / "a.jpg")[0].astype(int) - upright).max() <= 2
    # The size that is asked for is the size upright.
    small = np.rot90(read(tmp_path / "plain.jpg", size=(2, 3))[0].astype(int), turned)
    assert np.abs(read(tmp_path / "a.jpg", size=small.shape)[0] - small).max() <= 2


def test_resizing_averages_what_a_pixel_covers(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    small = read(tmp_path / "a.png", size=(8, 8))[0].astype(float)
    # A triangle of twice the pixel's width, cut off at the border and normalized.
    weights = [_triangle(64, 8), _triangle(96, 8)]
    np.testing.assert_allclose(small, weights[0] @ values @ weights[1].T, atol=1)


def _triangle(n: int, m: int) -> np.ndarray:
    scale = n / m
    centers = (np.arange(m)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(n) + 0.5 - centers) / scale)
    return weights / weights.sum(1, keepdims=True)


def test_arrays_are_resized_as_pictures_are(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 30), np.uint8)
    for i, image in enumerate(values):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / f"{i}.png")
    X = load_pictures(tmp_path, channels=3, size=(14, 17)).X
    np.testing.assert_array_equal(pictures.resize(values, (14, 17)), X)
    assert pictures.resize(values, (20, 30)) is values
    assert pictures.resize(values, None) is values


@pytest.mark.parametrize("size", [(24, 32), (75, 100), (200, 150), (600, 800)])
def test_big_jpegs_are_decoded_small_and_look_the_same(tmp_path, size):
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((800, 600), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as whole:
        expected = np.asarray(whole.resize(size[::-1], Image.Resampling.BILINEAR)).transpose(2, 0, 1).astype(int)
    assert np.abs(read(tmp_path / "a.jpg", size=size) - expected).mean() < 1.5


def test_a_file_a_folder_and_several(write_picture, tmp_path):
    for i, name in enumerate(("b.png", "a.jpg", ".hidden.png")):
        write_picture(name, 100 * i)
    (tmp_path / "notes.txt").touch()
    found = load_pictures(str(tmp_path), channels=1, size=4)
    assert found.paths == (tmp_path / "a.jpg", tmp_path / "b.png") and found.ids == ("a", "b") and found.y is None
    assert found.X.shape == (2, 1, 4, 4) and found.X[:, 0, 0, 0].tolist() == [100, 0]
    found = load_pictures([tmp_path / "b.png", tmp_path / "a.jpg", tmp_path / "b.png"], channels=3, size=(2, 5))
    assert [path.name for path in found.paths] == ["b.png", "a.jpg", "b.png"]
    assert found.X.shape == (3, 3, 2, 5) and found.X[:, 0, 0, 0].tolist() == [0, 100, 0]


def test_order_is_kept_over_many_threads(write_picture, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    for i in range(250):
        write_picture(f"{i:03}.png", i, size=(2, 2))
    found = load_pictures(tmp_path, channels=1, size=2)
    assert found.X[:, 0, 0, 0].tolist() == list(range(250)) and found.ids == tuple(f"{i:03}" for i in range(250))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ending=st.sampled_from(sorted(pictures.SUFFIXES)), place=st.floats(0, 1), junk=st.binary(min_size=1, max_size=9))
def test_damaged_pictures_are_skipped_or_read(write_picture, ending, place, junk):
    path = write_picture(f"a{ending}", 5)
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at : at + len(junk)] = junk
    path.write_bytes(content)
    try:
        read(path, size=(6, 8))
    except DataError as error:
        assert str(error).startswith(f"here: none of 1 pictures can be read: a{ending} (")


def test_unreadable_ones_are_told(write_picture, tmp_path):
    for i in range(1, 13):
        write_picture(f"{i}.png", i)
    (tmp_path / "5.png").write_bytes(b"broken")
    found = load_pictures(tmp_path, channels=1, size=3)
    assert found.skipped == (str(tmp_path / "5.png"),)
    assert found.problems == (f"1 picture skipped, unreadable: {tmp_path / '5.png'} (no picture inside)",)
    assert [int(name) for name in found.ids] == found.X[:, 0, 0, 0].tolist() and len(found) == 11


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": "nowhere"}, "nowhere: no such file or folder. Give a picture or a folder of pictures."),
        ({"paths": []}, "0 paths: no pictures here. Give a picture or a folder of pictures."),
        (
            {"channels": 2},
            "channels=2: pictures are read with 1 channel (greyscale) or 3 (RGB). Choose one.",
        ),
        ({"size": 0}, "size=0: not a size in pixels. Give one whole number, or (height, width)."),
        ({"size": (3, 4, 5)}, "size=(3, 4, 5): not a size in pixels. Give one whole number, or (height, width)."),
        ({"size": 2.5}, "size=2.5: not a size in pixels. Give one whole number, or (height, width)."),
        ({"size": "64"}, "size='64': not a size in pixels. Give one whole number, or (height, width)."),
    ],
)
def test_refused(write_picture, options, message):
    path = write_picture("a.png")
    with pytest.raises(DataError) as error:
        load_pictures(**({"paths": path, "channels": 1, "size": 4} | options))
    assert str(error.value) == message


def test_refused_where_nothing_is(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError) as error:
        load_pictures(tmp_path, channels=1, size=4)
    assert str(error.value) == f"{tmp_path}: no pictures here. Give a picture or a folder of pictures."
    with pytest.raises(DataError) as error:
        load_pictures(tmp_path / "notes.txt", channels=1, size=4)
    name = tmp_path / "notes.txt"
    assert str(error.value) == (
        f"{name}: none of 1 pictures can be read: {name} (no picture inside). Save them as PNG or JPEG."
    )
