"""Published architectures as modules of PyTorch with two channels wherever the number does not matter.

A network is written as a list of steps:

* ``C(kernel, stride, same)``, ``M(...)``, ``A(...)``: convolution, largest, mean; ``same`` pads as TensorFlow does
* a list of lists: branches that are joined along the channels
* ``R([...])``: steps whose sum with the input goes on
* a string: the name of the end-point that is reached
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

WIDTH = 2


class C(NamedTuple):
    kernel: int | tuple[int, int]
    stride: int = 1
    same: bool | int = True  # or so many pixels on every side


class M(C):
    pass


class A(C):
    pass


class R(NamedTuple):
    steps: list


class Same(nn.Module):
    """Pads so that ceil(n / stride) windows fit, the smaller half first."""

    def __init__(self, window, kernel, stride):
        super().__init__()
        self.window, self.kernel, self.stride = window, kernel, stride

    def forward(self, x):
        sides = []
        for size, kernel in zip(x.shape[:1:-1], self.kernel[::-1], strict=True):
            total = max((-(-size // self.stride) - 1) * self.stride + kernel - size, 0)
            sides += [total // 2, total - total // 2]
        return self.window(F.pad(x, sides) if any(sides) else x)


class Branches(nn.Module):
    def __init__(self, ways):
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, x):
        return torch.cat([way(x) for way in self.ways], 1)


class Residual(nn.Module):
    def __init__(self, block, channels, wide):
        super().__init__()
        self.block, self.up = block, nn.Conv2d(wide, channels, 1)

    def forward(self, x):
        y = self.up(self.block(x))
        if y.shape[2:] != x.shape[2:]:  # the shortcut of a block with a stride: every second pixel
            x = F.max_pool2d(x, 1, 2)
        return F.relu(x + y)


def write(steps, channels=3):
    """Module of a list of steps, and how many channels come out."""
    parts = nn.Sequential()
    for step in steps:
        if isinstance(step, str):
            parts.add_module(step, nn.Identity())
            continue
        part, channels = _part(step, channels)
        parts.add_module(str(len(parts)), part)
    return parts, channels


def _part(step, channels):
    if isinstance(step, R):
        block, wide = write(step.steps, channels)
        return Residual(block, channels, wide), channels
    if isinstance(step, list):
        ways = [write(way, channels) for way in step]
        return Branches([way for way, _ in ways]), sum(count for _, count in ways)
    kernel = step.kernel if isinstance(step.kernel, tuple) else (step.kernel, step.kernel)
    padding = 0 if isinstance(step.same, bool) else step.same
    if isinstance(step, M):
        window = nn.MaxPool2d(kernel, step.stride, padding)
    elif isinstance(step, A):
        window = nn.AvgPool2d(kernel, step.stride, padding)
    else:
        window, channels = nn.Conv2d(channels, WIDTH, kernel, step.stride, padding), WIDTH
    return (Same(window, kernel, step.stride) if step.same is True else window), channels


# TF-Slim, as measured in google-research/receptive_field.

ALEXNET_V2 = [
    *[C(11, 4, False), "conv1", M(3, 2, False), "pool1", C(5), "conv2", M(3, 2, False), C(3), "conv3", C(3), "conv4"],
    *[C(3), "conv5", M(3, 2, False), "pool5"],
]


def vgg(*times):
    return [step for place, count in enumerate(times, 1) for step in (*[C(3)] * count, M(2, 2, False), f"pool{place}")]


def mobilenet_v1():
    strides = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    return [
        step for place, stride in enumerate(strides) for step in (C(3, stride), *[C(1)] * (place > 0), f"conv{place}")
    ]


def resnet_v1(*times):
    """The stride of a block stands in its last unit, with pixels on both sides."""
    steps = [C(7, 2, 3), M(3, 2)]
    for place, count in enumerate(times, 1):
        last = 1 if place == len(times) else 2
        units = [R([C(1), C(3, 1), C(1)])] * (count - 1) + [R([C(1), C(3, last, 1 if last > 1 else True), C(1)])]
        steps += [*units, f"block{place}"]
    return steps


_MIXED = [[C(1)], [C(1), C(3)], [C(1), C(3), C(3)], [A(3), C(1)]]
_REDUCED = [[C(3, 2, False)], [C(1), C(3), C(3, 2, False)], [M(3, 2, False)]]
_WIDE = [
    *[[C(1)], [C(1), C((1, 7)), C((7, 1))], [C(1), C((7, 1)), C((1, 7)), C((7, 1)), C((1, 7))]],
    [A(3), C(1)],
]
_WIDE_REDUCED = [[C(1), C(3, 2, False)], [C(1), C((1, 7)), C((7, 1)), C(3, 2, False)], [M(3, 2, False)]]
_CROSS = [[C((1, 3))], [C((3, 1))]]
_STEM = [C(3, 2, False), C(3, 1, False), C(3)]

INCEPTION_V2 = [
    *[C(7, 2), M(3, 2), C(1), C(3), M(3, 2), _MIXED, _MIXED, "Mixed_3c"],
    *[[[C(1), C(3, 2)], [C(1), C(3), C(3, 2)], [M(3, 2)]], _MIXED, _MIXED, _MIXED, _MIXED, "Mixed_4e"],
    *[[[C(1), C(3, 2)], [C(1), C(3), C(3, 2)], [M(3, 2)]], _MIXED, _MIXED, "Mixed_5c"],
]
_FIVE = [[C(1)], [C(1), C(5)], [C(1), C(3), C(3)], [A(3), C(1)]]
_LAST_V3 = [[C(1)], [C(1), _CROSS], [C(1), C(3), _CROSS], [A(3), C(1)]]
INCEPTION_V3 = [
    *[*_STEM, M(3, 2, False), C(1), C(3, 1, False), M(3, 2, False), _FIVE, _FIVE, _FIVE, "Mixed_5d"],
    *[_REDUCED, _WIDE, _WIDE, _WIDE, _WIDE, "Mixed_6e", _WIDE_REDUCED, _LAST_V3, _LAST_V3, "Mixed_7c"],
]
_LAST_V4 = [[C(1)], [C(1), _CROSS], [C(1), C((3, 1)), C((1, 3)), _CROSS], [A(3), C(1)]]
INCEPTION_V4 = [
    *[*_STEM, [[M(3, 2, False)], [C(3, 2, False)]]],
    *[[[C(1), C(3, 1, False)], [C(1), C((1, 7)), C((7, 1)), C(3, 1, False)]], [[C(3, 2, False)], [M(3, 2, False)]]],
    *[*[_MIXED] * 4, "Mixed_5e", _REDUCED, *[_WIDE] * 7, "Mixed_6h", _WIDE_REDUCED, *[_LAST_V4] * 3, "Mixed_7d"],
]
INCEPTION_RESNET_V2 = [
    *[*_STEM, M(3, 2, False), C(1), C(3, 1, False), M(3, 2, False), _FIVE, "Mixed_5b"],
    *[*[R([[[C(1)], [C(1), C(3)], [C(1), C(3), C(3)]]])] * 10, _REDUCED, "Mixed_6a"],
    *[*[R([[[C(1)], [C(1), C((1, 7)), C((7, 1))]]])] * 20, "PreAuxLogits"],
    *[[[C(1), C(3, 2, False)], [C(1), C(3), C(3, 2, False)], [M(3, 2, False)]], "Mixed_7a"],
    *[*[R([[[C(1)], [C(1), C((1, 3)), C((3, 1))]]])] * 10, C(1), "Conv2d_7b_1x1"],
]

# As torchvision lays them out.


def resnet(*times, bottleneck=False, stem=True):
    """The stride of a stage stands in the 3x3 of its first unit."""
    steps = [C(7, 2, 3), M(3, 2, 1)] if stem else [C(3, 1, 1)]
    for place, count in enumerate(times):
        for unit in range(count):
            stride = 2 if place and not unit else 1
            steps.append(R([C(1), C(3, stride, 1), C(1)] if bottleneck else [C(3, stride, 1), C(3, 1, 1)]))
    return [*steps, "end"]


def densenet(*times):
    steps = [C(7, 2, 3), M(3, 2, 1)]
    for place, count in enumerate(times):
        steps += [[[], [C(1), C(3, 1, 1)]]] * count
        steps += [C(1), A(2, 2, False)] * (place < len(times) - 1)
    return [*steps, "end"]


def mobilenet_v2():
    strides = [1, *[2, 1], *[2, 1, 1], *[2, 1, 1, 1], *[1, 1, 1], *[2, 1, 1], 1]
    return [C(3, 2, 1), *[step for stride in strides for step in (C(1), C(3, stride, 1), C(1))], "end"]


def efficientnet_b0():
    """Kernels and strides of the depthwise convolutions; the gates are left out."""
    rows = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]
    windows = [(k, s if not unit else 1) for count, k, s in rows for unit in range(count)]
    return [C(3, 2, 1), *[step for k, s in windows for step in (C(1), C(k, s, k // 2), C(1))], "end"]


def convnext_t():
    steps = [C(4, 4, False)]
    for place, count in enumerate((3, 3, 9, 3)):
        steps += [C(2, 2, False)] * (place > 0) + [R([C(7, 1, 3), C(1), C(1)])] * count
    return [*steps, "end"]
