"""The networks of the five tutorials that depthwise brings back, as layer lists.

nolearn: Benjamin Bossan, Training convolutional neural networks with nolearn (2016).  netz: Going deep, its forerunner,
where pooling rounds up.  The blog post and the notebook on CIFAR-10 are named where their networks stand.
"""

from depthwise.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, Output

DIGITS = (1, 28, 28)
CIFAR = (3, 32, 32)


def dense_head(units: int) -> list:
    """The head of nolearn's networks: its last layer is called dense, not output."""
    return [Dense(units), Dropout(), Dense(units), Dense(10, activation=None)]


def padded(channels: int, times: int = 1) -> list:
    return [Conv2D(channels, padding=1)] * times


NET0 = [
    *[Conv2D(96, 5), *[Conv2D(96)] * 4, MaxPool2D()],
    *[*[Conv2D(128)] * 3, MaxPool2D()],
    *dense_head(64),
]
NET1 = [Conv2D(32), MaxPool2D(), Conv2D(64), Conv2D(64), MaxPool2D(), Conv2D(96), MaxPool2D(), *dense_head(64)]
NET2 = [*[Conv2D(32)] * 5, *[Conv2D(64)] * 5, MaxPool2D(), *dense_head(64)]
NET3 = [
    *[*padded(32, 2), MaxPool2D()] * 2,
    *[*padded(64, 2), MaxPool2D()] * 2,
    *dense_head(64),
]
NET4 = [*padded(32, 7), MaxPool2D(), *padded(64, 3), MaxPool2D(), *dense_head(64)]

UP = MaxPool2D(ceil_mode=True)
NETZ_SHALLOW = [
    *[Conv2D(16), UP, Conv2D(32), Conv2D(32), UP, Conv2D(32)],
    *[Dropout(), Dense(100), Dense(100), Output(10)],
]
NETZ_NO_POOLING = [*[Conv2D(16)] * 13, Dense(100), Dense(100), Output(10)]
NETZ_MUCH_POOLING = [
    *[*padded(16, 2), MaxPool2D(4, ceil_mode=True)],
    *[*padded(16, 2), UP] * 3,
    *[Dense(100), Dense(100), Output(10)],
]
NETZ_COMPROMISE = [
    *[*padded(16), *padded(32, 3), *padded(64, 3), UP, *padded(256, 3)],
    *[Dense(100), Dropout(), Dense(100), Dropout(), Output(10)],
]

# Convolutional Neural Network Part 2 (blog post, 2020): sizes from 400 px down to one, and its network for MNIST.
SIZE_CHAIN = [*[*[Conv2D(4)] * 5, MaxPool2D()] * 4, *[Conv2D(4)] * 7]
GROWING_CHANNELS = [*[Conv2D(32 << step, bias=False) for step in range(5)], MaxPool2D(), Conv2D(512, bias=False)]
BLOG_NET = [
    *[*padded(32), *padded(64), MaxPool2D(), *padded(128), *padded(256), MaxPool2D()],
    *[Conv2D(512), Conv2D(1024), Conv2D(10), Flatten()],
]

# Notebook on CIFAR-10 with Keras: without convolutions, with two, with four.
CIFAR_DENSE = [Dense(200), Dense(150), Output(10)]
CIFAR_TAKE_1 = [
    *[Conv2D(10, 4, stride=2, padding="same", activation=None), Conv2D(20, stride=2, padding="same", activation=None)],
    *[Flatten(), Output(10)],
]
CIFAR_TAKE_2 = [
    *[
        layer
        for channels, stride in ((32, 1), (32, 2), (64, 1), (64, 2))
        for layer in (
            Conv2D(channels, stride=stride, padding="same", activation=None),
            BatchNorm(),
            LeakyReLU(0.3),
        )
    ],
    *[Flatten(), Dense(128, None), BatchNorm(), LeakyReLU(0.3), Dropout(), Output(10)],
]
