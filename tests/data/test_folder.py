"""A folder per class: what is read, what is skipped and said, what is refused."""

import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from depthwise.data import folder, load_images
from depthwise.errors import DataError


def read(path, split=None):
    """By the reader alone: pictures of one color, as these are, would be told of besides."""
    return folder.read(path, None, split, None)


def refused(path, **options) -> str:
    with pytest.raises(DataError) as error:
        load_images(path, **options)
    return str(error.value).replace(str(path), "DIR")


def test_classes_are_folders(write_picture, tmp_path):
    write_picture("dog/1.png", 10)
    write_picture("cat/2.JPG", 20)
    write_picture("cat/1.bmp", 30)
    pets = read(str(tmp_path))
    assert pets.y.tolist() == ["cat", "cat", "dog"] and pets.classes == ("cat", "dog")
    assert pets.X.shape == (3, 1, 6, 8) and pets.X.dtype == np.uint8
    assert pets.X[:, 0, 0, 0].tolist() == [30, 20, 10]
    assert pets.paths == tuple(tmp_path / name for name in ("cat/1.bmp", "cat/2.JPG", "dog/1.png"))
    assert (pets.problems, pets.split, pets.splits) == ((), None, ())


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff", "PNG"])
def test_every_ending(write_picture, tmp_path, ending):
    write_picture(f"cat/1.{ending}", 200)
    assert abs(int(load_images(tmp_path).X.mean()) - 200) <= 1


def test_parts_above_the_classes(write_picture, tmp_path):
    for i, part in enumerate(("train", "val", "Test")):
        write_picture(f"{part}/cat/1.png", i)
        write_picture(f"{part}/dog/1.png", i)
    write_picture("extra/cat/1.png")
    train = read(tmp_path)
    assert (train.split, train.splits) == ("train", ("train", "valid", "test"))
    assert train.problems == ("1 folder left out, beside train, valid, test: extra",)
    assert train.X.max() == 0 and train.paths[0] == tmp_path / "train/cat/1.png"
    assert load_images(tmp_path, split="valid").X.min() == 1
    assert load_images(tmp_path, split="test").X.min() == 2
    assert load_images(tmp_path / "Test").split is None
    write_picture("validation/cat/1.png")
    assert refused(tmp_path) == "DIR: val and validation are both the valid part. Rename one of them."


def test_a_class_may_be_called_train(write_picture, tmp_path):
    for name in ("bus", "car", "train"):
        write_picture(f"{name}/1.png")
    vehicles = load_images(tmp_path)
    assert vehicles.classes == ("bus", "car", "train") and vehicles.splits == ()


def test_what_is_skipped_is_said(write_picture, tmp_path):
    for name in ("cat/1.png", "cat/raw/1.png", "dog/1.png", "loose.png"):
        write_picture(name)
    for name in ("cat/._1.png", ".ipynb_checkpoints/1.png", "__MACOSX/1.png"):
        write_picture(name)
    for name in ("cat/notes.txt", "dog/a.csv", "dog/b.csv", "labels.csv", "dog/Thumbs.db"):
        (tmp_path / name).touch()
    (tmp_path / "bird").mkdir()
    (tmp_path / "dog/2.png").write_bytes(b"GIF? no")
    (tmp_path / "fish").mkdir()
    (tmp_path / "fish/1.jpg").touch()
    pets = read(tmp_path)
    assert pets.classes == ("cat", "dog") and len(pets) == 2
    assert pets.problems == (
        "3 hidden files skipped: .ipynb_checkpoints, __MACOSX, cat/._1.png",
        "5 files skipped, no picture: cat/notes.txt, dog/Thumbs.db, dog/a.csv, ...",
        "1 picture skipped, outside the class folders: loose.png",
        "1 folder skipped, inside a class folder: cat/raw",
        "1 class folder left out, without pictures: bird",
        "2 pictures skipped, unreadable: dog/2.png (no picture inside), fish/1.jpg (no picture inside)",
        "1 class folder left out, without a readable picture: fish",
    )


def test_a_folder_without_pictures(write_picture, tmp_path):
    assert refused(tmp_path) == (
        "DIR: no class folders and no IDX files. Put the pictures of each class into a folder of its own."
    )
    (tmp_path / "train.csv").touch()
    assert refused(tmp_path) == "DIR: no class folders, but train.csv. Give the file itself."
    (tmp_path / "cat").mkdir()
    assert refused(tmp_path) == "DIR: no pictures in its class folders cat. Put PNG, JPEG or other pictures there."
    write_picture("1.png")
    assert refused(tmp_path) == (
        "DIR: 1 picture but no class folders. Move those of each class to a folder of its own."
    )
    write_picture("cat/kittens/1.png")
    assert refused(tmp_path) == (
        "DIR: only folders in its folders: cat/kittens. Give the folder above the class folders."
    )


def test_no_picture_can_be_read(tmp_path):
    (tmp_path / "cat").mkdir()
    for i in range(4):
        (tmp_path / f"cat/{i}.png").write_bytes(b"broken")
    assert refused(tmp_path) == (
        "DIR: none of 4 pictures can be read: cat/0.png (no picture inside), cat/1.png (no picture inside), "
        "cat/2.png (no picture inside), .... Save them as PNG or JPEG."
    )


def test_sizes_that_differ(write_picture, tmp_path):
    write_picture("cat/1.png", size=(6, 8))
    write_picture("dog/1.png", size=(9, 7))
    assert refused(tmp_path) == (
        "DIR: cat/1.png is 6x8 but dog/1.png is 9x7 (height x width). "
        "Give a size to bring all to, such as size=6 or size=(6, 8)."
    )
    assert load_images(tmp_path, size=5).X.shape == (2, 1, 5, 5)
    assert load_images(tmp_path, size=(5, 4)).X.shape == (2, 1, 5, 4)


def test_one_colored_picture_makes_all_rgb(write_picture, tmp_path):
    write_picture("cat/1.png", 7)
    write_picture("dog/1.png", (1, 2, 3), mode="RGB")
    assert load_images(tmp_path).X[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="every file is open to this user")
def test_a_locked_folder(write_picture, tmp_path):
    write_picture("cat/1.png")
    (tmp_path / "cat").chmod(0)
    try:
        assert refused(tmp_path) == "DIR: cannot be read (Permission denied). Check its permissions."
    finally:
        (tmp_path / "cat").chmod(0o700)


def test_cifar10(data_dir, tmp_path):
    archive = data_dir / "cifar10" / "test.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no cifar10/test.tar.xz in {data_dir}")
    with tarfile.open(archive) as tar:
        for _ in range(200):
            tar.extract(tar.next(), tmp_path, filter="data")
    images = load_images(tmp_path)
    assert (images.split, images.classes, images.problems) == ("test", ("airplane",), ())
    n = len(list((tmp_path / "test" / "airplane").iterdir()))
    assert images.X.shape == (n, 3, 32, 32) and n > 190
    with Image.open(images.paths[100]) as picture:
        np.testing.assert_array_equal(images.X[100], np.asarray(picture).transpose(2, 0, 1))
    # Some of these pictures are grey to the eye, yet stored in color.
    assert not (images.X[:, 0] == images.X[:, 1]).all()
    with pytest.raises(DataError, match=f"all {n} images are of one class, airplane, but training needs 2"):
        images.require_classes()
