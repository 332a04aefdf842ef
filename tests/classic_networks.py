"""Published architectures as layer lists, up to their last map: what the values of the literature are checked on."""

from depthwise.layers import AvgPool2D, Concat, Conv2D, DepthwiseConv2D, Layer, MaxPool2D, Residual, Upsample2D

PLAIN = {"activation": None}


def conv(channels: int, kernel: int = 3, stride: int = 1, **options: object) -> Conv2D:
    """A convolution that keeps the size, as PyTorch's layouts pad."""
    return Conv2D(channels, kernel, stride=stride, padding=kernel // 2, **options)


def lenet5() -> list[Layer]:
    return [Conv2D(6, 5), AvgPool2D(), Conv2D(16, 5), AvgPool2D()]


def alexnet() -> list[Layer]:
    """The one-column version of 2014, as torchvision has it."""
    return [
        *[Conv2D(64, 11, stride=4, padding=2), MaxPool2D(3, 2), conv(192, 5), MaxPool2D(3, 2)],
        *[conv(384), conv(256), conv(256), MaxPool2D(3, 2)],
    ]


def vgg(*times: int) -> list[Layer]:
    """Stages of so many convolutions: 1, 1, 2, 2, 2 for VGG-11, 2, 2, 3, 3, 3 for VGG-16."""
    widths = (64, 128, 256, 512, 512)
    stages = [[*[conv(width)] * count, MaxPool2D()] for width, count in zip(widths, times, strict=True)]
    return [layer for stage in stages for layer in stage]


def resnet(*times: int, bottleneck: bool = False, first_stride: bool = False) -> list[Layer]:
    """Stages of so many blocks; ``first_stride`` puts a bottleneck's stride into its first 1x1, as in 2015."""
    layers: list[Layer] = [conv(64, 7, 2), MaxPool2D(3, 2, padding=1)]
    return layers + _stages(times, (64, 128, 256, 512), bottleneck, first_stride)


def cifar_resnet(*times: int) -> list[Layer]:
    """A 3x3 stem without pooling."""
    return [conv(64), *_stages(times, (64, 128, 256, 512), bottleneck=False, first_stride=False)]


def _stages(times: tuple[int, ...], widths: tuple[int, ...], bottleneck: bool, first_stride: bool) -> list[Layer]:
    layers: list[Layer] = []
    for stage, (count, width) in enumerate(zip(times, widths, strict=True)):
        for place in range(count):
            stride = 2 if stage and not place else 1
            out = 4 * width if bottleneck else width
            block = [conv(width, 3, stride), conv(width, **PLAIN)]
            if bottleneck:
                first, middle = (stride, 1) if first_stride else (1, stride)
                block = [Conv2D(width, 1, stride=first), conv(width, 3, middle), Conv2D(out, 1, **PLAIN)]
            changes = stride > 1 or (bottleneck and not place)
            layers.append(Residual(block, Conv2D(out, 1, stride=stride, **PLAIN) if changes else None))
    return layers


def mobilenet_v1() -> list[Layer]:
    strides = (1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1)
    return [
        conv(32, 3, 2),
        *[layer for s in strides for layer in (DepthwiseConv2D(stride=s, padding=1), Conv2D(64, 1))],
    ]


def mobilenet_v2() -> list[Layer]:
    layers: list[Layer] = [conv(32, 3, 2)]
    for stride, count in ((1, 1), (2, 2), (2, 3), (2, 4), (1, 3), (2, 3), (1, 1)):
        for place in range(count):
            moved = 1 if place else stride
            block = [Conv2D(64, 1), DepthwiseConv2D(stride=moved, padding=1), Conv2D(32, 1, **PLAIN)]
            layers += [Residual(block, activation=None)] if place else block
    return layers


def efficientnet_b0() -> list[Layer]:
    """Without its gates, which let every unit see all and leave the local field as it is."""
    layers: list[Layer] = [conv(32, 3, 2)]
    for kernel, stride, count in ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1)):
        for place in range(count):
            moved = 1 if place else stride
            block = [Conv2D(64, 1), DepthwiseConv2D(kernel, stride=moved, padding=kernel // 2), Conv2D(32, 1, **PLAIN)]
            layers += [Residual(block, activation=None)] if place else block
    return layers


def densenet121() -> list[Layer]:
    layers: list[Layer] = [conv(64, 7, 2, name="stem"), MaxPool2D(3, 2, padding=1, name="pool")]
    last = "pool"
    for stage, count in enumerate((6, 12, 24, 16)):
        for place in range(count):
            own = f"s{stage}l{place}"
            layers += [Conv2D(128, 1, inputs=(last,)), conv(32, name=own), Concat(inputs=(last, own), name=f"{own}_")]
            last = f"{own}_"
        if stage < 3:
            layers += [Conv2D(64, 1), AvgPool2D(name=f"t{stage}")]
            last = f"t{stage}"
    return layers


def convnext_t() -> list[Layer]:
    layers: list[Layer] = [Conv2D(96, 4, stride=4)]
    for stage, count in enumerate((3, 3, 9, 3)):
        layers += [Conv2D(96 << stage, 2, stride=2)] if stage else []
        block = [DepthwiseConv2D(7, padding=3), Conv2D(4 * 96 << stage, 1), Conv2D(96 << stage, 1, **PLAIN)]
        layers += [Residual(block, activation=None)] * count
    return layers


def unet(depth: int = 3) -> list[Layer]:
    """Down and up again, each size joined with what it was on the way down."""
    layers: list[Layer] = []
    for level in range(depth):
        layers += [conv(8), conv(8, name=f"down{level}"), MaxPool2D()]
    layers.append(conv(8))
    for level in reversed(range(depth)):
        layers += [Upsample2D(name=f"up{level}"), Concat(inputs=(f"up{level}", f"down{level}")), conv(8)]
    return layers
