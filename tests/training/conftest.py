import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    """400 of scikit-learn's handwritten digits: uint8 images of 1x8x8 and their labels."""
    X, y = load_digits(return_X_y=True)
    X = X[:400].astype(np.uint8).reshape(-1, 1, 8, 8)
    X.flags.writeable = y.flags.writeable = False  # whoever changes a caller's array is caught
    return X, y[:400]


@pytest.fixture
def two_classes():
    """60 points of 4 features, told apart by the first one."""
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    return X, np.where(X[:, 0] > 0, "right", "left")
