"""Images and targets that come together: ImageSets and PyTorch's data sets."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from depthwise.data import load_images
from depthwise.errors import DataError
from depthwise.layers import Conv2D, Output
from depthwise.training import NeuralNetClassifier

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
    def __iter__(self):
        yield torch.zeros(1, 8, 8), 0


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Stream(), r"X is a Stream without a length, but every epoch needs all images"),
        (TensorDataset(torch.zeros(3, 1, 8, 8)), r"a tuple of 1, but must be a pair \(image, target\)"),
        (Subset(TensorDataset(torch.zeros(3, 1), torch.zeros(3)), []), r"X is a data set of 0 images"),
        ([(torch.zeros(1, 8, 8), 0), (torch.zeros(1, 9, 8), 1)], r"its images have shapes \(1, 8, 8\) and \(1, 9, 8\)"),
    ],
)
def test_wrong_data_sets(dataset, message):
    if isinstance(dataset, list):
        pairs = dataset
        dataset = type("Odd", (Dataset,), {"__len__": lambda _: 2, "__getitem__": lambda _, place: pairs[place]})()
    with pytest.raises(DataError, match=message):
        fit(dataset)
