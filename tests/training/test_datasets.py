"""Images and targets that come together: ImageSets and PyTorch's data sets."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from depthwise.data import load_images
from depthwise.errors import DataError
from depthwise.layers import Conv2D, Output
from depthwise.training import NeuralNetClassifier
from depthwise.training.datasets import read_dataset

SETTINGS = {"max_epochs": 1, "verbose": 0, "random_state": 0}


def fit(*data):
    return NeuralNetClassifier([Conv2D(2), Output()], **SETTINGS).fit(*data)


def same(one, other):
    pairs = zip(one.module_.state_dict().values(), other.module_.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Pictures(Dataset):
    """As torchvision's data sets come: pictures of Pillow's, and whole numbers."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, place):
        return Image.fromarray(self.X[place, 0]), int(self.y[place])


def test_all_forms_are_one(digits):
    X, y = digits
    plain = fit(X, y)
    tensors = torch.from_numpy(X.copy()), torch.from_numpy(y.copy())
    assert same(plain, fit(*tensors))
    assert same(plain, fit(TensorDataset(*tensors)))
    assert same(plain, fit(Pictures(X, y)))
    assert same(fit(X[::2], y[::2]), fit(Subset(TensorDataset(*tensors), range(0, 400, 2))))


def test_an_image_set_is_images_and_labels():
    images = load_images("digits")
    assert same(fit(images), fit(images.X, images.y))


def test_a_file_in_memory_is_not_copied(tmp_path, digits):
    X, y = digits
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert same(fit(mapped, y), fit(X, y))


class Stream(IterableDataset):
    """As what comes over a network: one pass, then the next."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __iter__(self):
        return iter([(torch.from_numpy(x.copy()), int(label)) for x, label in zip(self.X, self.y, strict=True)])


class HuggingFace:
    """As a data set of Hugging Face's answers: dictionaries, and a column by its name."""

    features = ("image", "label")

    def __init__(self, X, y):
        self.rows = [{"image": Image.fromarray(x[0]), "label": int(label)} for x, label in zip(X, y, strict=True)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        return self.rows[place]

    def __iter__(self):
        return iter(self.rows)


def test_streams_and_dictionaries_are_the_same_images_too(digits):
    X, y = digits
    plain = fit(X, y)
    assert same(plain, fit(Stream(X, y)))
    assert same(plain, fit(HuggingFace(X, y)))


class Noisy(Dataset):
    """Other pixels whenever it is asked."""

    def __init__(self, n_images):
        self.targets = np.arange(n_images) % 2
        self.asked = []

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, place):
        self.asked.append(place)
        return np.random.default_rng(len(self.asked)).random((6, 5, 3), np.float32), int(self.targets[place])


def test_what_a_data_set_does_at_random_stays_so():
    noisy = Noisy(40)
    net = NeuralNetClassifier([Conv2D(2), Output()], max_epochs=3, batch_size=16, verbose=0, validation=0.25)
    net.fit(noisy)
    assert net.input_shape_ == (3, 6, 5)
    asked = np.bincount(noisy.asked, minlength=40)
    assert (asked >= 3).all() and asked.sum() < 40 * 8  # each epoch reads each image anew
    assert net.predict(np.zeros((2, 3, 6, 5))).shape == (2,)


class Kept(Pictures):
    """Keeps its targets, as torchvision's data sets do, and may make others of them."""

    def __init__(self, X, y, **transforms):
        super().__init__(X, y)
        self.targets, self.asked = y.tolist(), 0
        vars(self).update(transforms)

    def __getitem__(self, place):
        self.asked += 1
        image, target = super().__getitem__(place)
        change = getattr(self, "target_transform", None) or getattr(self, "own", int)
        return (image, change(target)) if getattr(self, "transforms", None) is None else self.transforms(image, target)


class Separate:
    """As torchvision's: the transforms of images and of targets in one."""

    def __init__(self, target_transform=None):
        self.target_transform = target_transform

    def __call__(self, image, target):
        return image, self.target_transform(target) if self.target_transform else target


def is_large(target):
    return int(target > 4)


@pytest.mark.parametrize(
    "transforms",
    [
        {"target_transform": is_large},
        {"target_transform": is_large, "transforms": Separate(is_large)},
        {"transforms": lambda image, target: (image, is_large(target))},
        {"own": is_large},
    ],
)
def test_targets_are_those_of_the_entries_not_those_that_are_kept(digits, transforms):
    X, y = digits
    net = fit(Kept(X, y, **transforms))
    assert net.classes_.tolist() == [0, 1] and same(net, fit(X, (y > 4).astype(int)))


@pytest.mark.parametrize("transforms", [{}, {"target_transform": None, "transforms": Separate()}])
def test_targets_that_nothing_changes_spare_a_pass(digits, transforms):
    kept = Kept(*digits, **transforms)
    images, targets = read_dataset(kept)
    assert images.shape == (400, 8, 8) and np.array_equal(targets, digits[1]) and kept.asked < 20


class Drawn(Dataset):
    """Images with PyTorch's noise, as random transforms make it."""

    def __init__(self, X, y):
        self.X, self.y = torch.from_numpy(X.astype(np.float32)), y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, place):
        return self.X[place] + torch.rand(self.X[place].shape), int(self.y[place])


class DrawnStream(IterableDataset):
    def __init__(self, X, y):
        self.drawn = Drawn(X, y)

    def __iter__(self):
        return (self.drawn[place] for place in range(len(self.drawn)))


@pytest.mark.parametrize("kind", [Drawn, DrawnStream])
def test_what_is_random_in_a_data_set_follows_from_the_seed_alone(digits, kind):
    first, before = fit(kind(*digits)), torch.random.get_rng_state()
    torch.rand(3)
    moved = torch.random.get_rng_state()
    assert same(first, fit(kind(*digits))) and first.module_.input0.std.min() > 0
    assert torch.equal(torch.random.get_rng_state(), moved) and not torch.equal(before, moved)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((8, 8), np.uint8), np.full((8, 8), 0.5)], "X: image 1 is of float64 but image 0 of uint8."),
        ([np.zeros((8, 8), bool), np.full((8, 8), -1)], "X: image 1 is of int64 but image 0 of uint8."),
        ([np.zeros((8, 8), np.float32), np.ones((8, 8), np.uint8)], "X: image 1 is of uint8 but image 0 of float32."),
    ],
)
def test_a_stream_of_two_types_is_refused(images, message):
    stream = type("Mixed", (IterableDataset,), {"__iter__": lambda _: iter(zip(images, (0, 1), strict=True))})()
    with pytest.raises(DataError) as caught:
        fit(stream)
    assert str(caught.value) == f"{message} Bring them to one type and one range of values."


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (TensorDataset(torch.zeros(3, 1, 8, 8)), r"holds 1 values, but must be an image and its target"),
        (Subset(TensorDataset(torch.zeros(3, 1), torch.zeros(3)), []), r"X is a data set of 0 images"),
        ([(np.zeros((8, 8)), 0), (np.zeros((9, 8)), 1)], r"image 1 has shape \(9, 8\) but image 0 has \(8, 8\)"),
        ([3, 4], r"an entry of the data set is a int, but must be an image and its target"),
        ([(np.full((8, 8), np.nan), 0), (np.zeros((8, 8)), 1)], r"X: \d+ of \d+ values are NaN"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_wrong_data_sets(dataset, message, streamed):
    if isinstance(dataset, list):
        pairs = dataset
        if streamed:
            dataset = type("Odd", (IterableDataset,), {"__iter__": lambda _: iter(pairs)})()
        else:
            methods = {"__len__": lambda _: 2, "__getitem__": lambda _, place: pairs[place]}
            dataset = type("Odd", (Dataset,), methods)()
    with pytest.raises(DataError, match=message):
        NeuralNetClassifier([Conv2D(2), Output()], validation=None, **SETTINGS).fit(dataset)


LARGE = """
import resource, sys
import numpy as np, torch
from torch.utils.data import Dataset, IterableDataset
from depthwise.layers import AvgPool2D, Output
from depthwise.training import NeuralNetClassifier

SIDE, COUNT = 256, 4000  # 0.79 GB as bytes, 3.1 GB as float32

class Made(Dataset):
    targets = np.arange(COUNT) % 2
    def __len__(self):
        return COUNT
    def __getitem__(self, place):
        return np.full((SIDE, SIDE, 3), place % 251, np.uint8), int(self.targets[place])

class Streamed(IterableDataset):
    def __iter__(self):
        made = Made()
        return (made[place] for place in range(COUNT))

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
net = NeuralNetClassifier([AvgPool2D(64), Output()], max_epochs=1, batch_size=64, validation=0.1, verbose=0)
net.fit(Made() if sys.argv[1] == "made" else Streamed())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.slow
def test_images_that_are_read_when_needed_never_fill_the_memory():
    told = subprocess.run([sys.executable, "-c", LARGE, "made"], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 700  # MiB: batches of 512 as float32 and what the network makes of them
