import numpy as np
import pytest

from depthwise import Conv2D, Dense, MaxPool2D, NeuralNetClassifier, Output
from depthwise.pages import report


@pytest.fixture(scope="session")
def taught():
    """A small classifier with names that try to break out of a page, images and labels; right and wrong answers."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    X = rng.integers(0, 120, (90, 1, 12, 16)).astype(np.uint8)
    X[np.arange(90), 0, 4 * y, 4] = 255
    names = np.array(["plain", "</script><img src=x onerror=alert(1)>", "a & b"])
    layers = [Conv2D(4), MaxPool2D(), Conv2D(8), Dense(16), Output()]
    net = NeuralNetClassifier(layers, max_epochs=3, random_state=0, verbose=0, precision="float32")
    return net.fit(X[:60], names[y[:60]]), X[60:], names[y[60:]]


@pytest.fixture(scope="session")
def page(taught):
    net, X, y = taught
    return report(net, X, y, title="<b>Net & co</b>")
