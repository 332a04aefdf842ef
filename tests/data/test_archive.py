"""Class folders inside tar files."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from depthwise.data import archive, load_images
from depthwise.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS[number]).save(stream, "PNG")
    return stream.getvalue()


def pack(path, members: dict[str, bytes]):
    kind = path.suffix.removeprefix(".").replace("tgz", "gz").replace("tar", "")
    with tarfile.open(path, f"w:{kind}") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.xz", "tar.bz2"])
def test_a_folder_per_class(tmp_path, ending):
    names = ["pets/dog/1.png", "pets/cat/1.png", "pets/cat/2.png"]
    members = {name: picture(i) for i, name in enumerate(names)}
    found = load_images(pack(tmp_path / f"a.{ending}", members | {"pets/read.me": b"x", "loose.png": picture(3)}))
    np.testing.assert_array_equal(found.X[:, 0], PIXELS[:3])
    assert found.y.tolist() == ["dog", "cat", "cat"] and found.splits == () and found.paths is None
    assert found.problems == (
        "1 file skipped, no picture: pets/read.me",
        "1 picture skipped, outside the class folders: loose.png",
    )
    assert found.ids == ("1", "1", "2") and found.skipped == ()
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{ending}"]


def test_parts_inside_and_beside(tmp_path):
    members = {f"pets/{part}/cat/{i}.png": picture(i) for part, i in (("train", 0), ("train", 1), ("val", 2))}
    inside = pack(tmp_path / "a.tar", members)
    assert len(load_images(inside)) == 2 and load_images(inside).splits == ("train", "valid")
    assert (load_images(inside, split="valid").X[0, 0] == PIXELS[2]).all()
    (tmp_path / "set").mkdir()
    for part in ("train", "test"):
        pack(tmp_path / "set" / f"{part}.tar.xz", {f"{part}/cat/1.png": picture(int(part == "test"))})
    test = load_images(tmp_path / "set", split="test")
    assert (test.split, test.splits) == ("test", ("train", "test")) and (test.X[0, 0] == PIXELS[1]).all()


@pytest.mark.parametrize(
    ("names", "labels", "problems"),
    [
        (
            ["train/cat/1.png", "train/dog/2.png", "extra/cow/3.png"],
            ["cat", "dog"],
            ("1 folder left out, beside train: extra",),
        ),
        (
            ["train/cat/1.png", "train/dog/deep/2.png"],
            ["cat"],
            ("1 folder skipped, inside a class folder: dog/deep", "1 class folder left out, without pictures: dog"),
        ),
        (
            ["pets/train/cat/1.png", "pets/test/cat/2.png", "pets/train/3.png", "pets/cow/4.png", "5.png"],
            ["cat"],
            (
                "1 folder left out, beside train, test: pets/cow",
                "2 pictures skipped, outside the class folders: pets/train/3.png, 5.png",
            ),
        ),
        (
            ["pets/cat/1.png", "pets/dog/2.png", "pets/dog/deep/3.png", "pets/dog/deep/4.png", "pets/5.png"],
            ["cat", "dog"],
            (
                "1 picture skipped, outside the class folders: pets/5.png",
                "1 folder skipped, inside a class folder: dog/deep",
            ),
        ),
        (["train/cat/1.png", "test/cat/2.png", "test/cat/deep/3.png", "test/4.png"], ["cat"], ()),
        (["cat/1.png", "cat/deep/2.png"], ["cat"], ("1 folder skipped, inside a class folder: cat/deep",)),
    ],
)
def test_what_is_left_out_is_said(tmp_path, names, labels, problems):
    found = archive.read(pack(tmp_path / "a.tar", {name: picture(i) for i, name in enumerate(names)}), None, None, None)
    assert found.y.tolist() == labels and found.problems == problems


def test_a_class_that_cannot_be_read_is_said(tmp_path):
    found = load_images(pack(tmp_path / "a.tar", {"cat/7.png": picture(0), "dog/8.png": b"broken"}))
    assert (found.ids, found.skipped) == (("7",), ("dog/8.png",))
    assert found.problems == (
        "1 picture skipped, unreadable: dog/8.png (no picture inside)",
        "1 class folder left out, without a readable picture: dog",
    )


def test_it_may_be_kept(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.tar", {"pets/dog/1.png": picture(0), "pets/cat/2.png": picture(1)})
    first = load_images(path, cache=tmp_path / "cache")
    with monkeypatch.context() as context:
        context.setattr(archive, "_read", None)  # nothing is decoded again
        again = load_images(path, cache=tmp_path / "cache")
    assert isinstance(again.X, np.memmap) and (again.X == first.X).all()
    assert again.y.tolist() == first.y.tolist() and again.problems == first.problems
    assert (again.ids, again.skipped, again.splits) == (("1", "2"), (), ())
    pack(path, {"pets/dog/1.png": picture(3)})
    assert (load_images(path, cache=tmp_path / "cache").X[:, 0] == PIXELS[3:4]).all()
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-4], "a damaged archive ("),  # all pictures are there, the checksum is not
        (lambda content: content[:-60], "a damaged archive ("),
        (lambda content: b"hello", "a damaged archive ("),
        (lambda content: content[:40] + b"\xff" * 20 + content[60:], "a damaged archive ("),
    ],
)
@pytest.mark.parametrize("ending", ["tar.gz", "tar.xz", "tar.bz2"])
def test_damage(tmp_path, ending, damage, message):
    path = pack(tmp_path / f"a.{ending}", {"pets/cat/1.png": picture(0)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as error:
        load_images(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_nothing_inside(tmp_path):
    path = pack(tmp_path / "a.tar", {"1.png": picture(0)})
    with pytest.raises(DataError) as error:
        load_images(path)
    assert str(error.value) == f"{path}: no pictures in folders. Pack a folder for each class."
