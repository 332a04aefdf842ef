"""The tutorials' networks in plain PyTorch, as their authors would write them, and in our notation."""

from collections.abc import Callable

from torch import nn


def _convolutions(before: int, *widths: int, kernel: int = 3, padding: int = 0) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for width in widths:
        parts += [nn.Conv2d(before, width, kernel, padding=padding), nn.ReLU()]
        before = width
    return parts


def _head(values: int) -> list[nn.Module]:
    hidden = [nn.Linear(values, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 64), nn.ReLU()]
    return [nn.Flatten(), *hidden, nn.Linear(64, 10)]


def layers0() -> nn.Module:
    """001: first network of "Training convolutional neural networks" (B. Bossan, 2016)."""
    first = [*_convolutions(1, 96, kernel=5), *_convolutions(96, *[96] * 4), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *_convolutions(96, *[128] * 3), nn.MaxPool2d(2), *_head(128))


def layers4() -> nn.Module:
    """001: its last network."""
    first = [*_convolutions(1, *[32] * 7, padding=1), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *_convolutions(32, *[64] * 3, padding=1), nn.MaxPool2d(2), *_head(64 * 7 * 7))


def blog() -> nn.Module:
    """003: "Convolutional Neural Network Part 2: Neural Architecture" (H. Himanshu, 2020)."""
    first = [*_convolutions(1, 32, 64, padding=1), nn.MaxPool2d(2)]
    second = [*_convolutions(64, 128, 256, padding=1), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *second, *_convolutions(256, 512, 1024), nn.Conv2d(1024, 10, 3), nn.Flatten())


def take2() -> nn.Module:
    """004: the second convolutional network of the notebook on CIFAR-10 with Keras."""
    parts: list[nn.Module] = []
    for before, width, stride in ((3, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2)):
        conv = nn.Conv2d(before, width, 3, stride, padding=1)
        parts += [conv, nn.BatchNorm2d(width), nn.LeakyReLU(0.3)]
    dense = [nn.Linear(64 * 8 * 8, 128), nn.BatchNorm1d(128), nn.LeakyReLU(0.3), nn.Dropout(), nn.Linear(128, 10)]
    return nn.Sequential(*parts, nn.Flatten(), *dense)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "001 layers0": layers0, "001 layers4": layers4, "003": blog, "004 take 2": take2,
}  # fmt: skip
NOTATIONS = {
    "001 layers0": "96C5-[96C]*4-MP-[128C]*3-MP-64N-D-64N-10N",
    "001 layers4": "[32Cp1]*7-MP-[64Cp1]*3-MP-64N-D-64N-10N",
    "003": "32Cp1-64Cp1-MP-128Cp1-256Cp1-MP-512C-1024C-10C:none-F",
    "004 take 2": "32Cp1:none-BN-LR0.3-32Cs2p1:none-BN-LR0.3-64Cp1:none-BN-LR0.3-64Cs2p1:none-BN-LR0.3-"
    "128N:none-BN-LR0.3-D-10N",
}  # fmt: skip


def count(net: nn.Module) -> int:
    """Number of learnable parameters."""
    return sum(parameter.numel() for parameter in net.parameters())
