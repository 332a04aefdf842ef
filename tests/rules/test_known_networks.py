"""What the rules say of networks that people know: the tutorials' own findings, and silence on good ones."""

import pytest
from classic_networks import cifar_resnet, convnext_t, densenet121, mobilenet_v2, resnet, vgg
from tutorial_networks import (
    BLOG_NET,
    CIFAR,
    CIFAR_DENSE,
    CIFAR_TAKE_1,
    CIFAR_TAKE_2,
    DIGITS,
    NET0,
    NET1,
    NET2,
    NET3,
    NET4,
    NETZ_MUCH_POOLING,
    NETZ_NO_POOLING,
    SIZE_CHAIN,
)

from depthwise.layers import Activation, Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.network import check

PHOTO = (3, 224, 224)
CLASSES = [GlobalAvgPool2D(), Output(1000)]
VGG_HEAD = [Dense(4096), Dropout(), Dense(4096), Dropout(), Output(1000)]


def found(layers, shape, code, severity="warning", **options):
    return [one for one in check(layers, shape, select=[code], **options) if one.severity == severity]


@pytest.mark.parametrize("layers", [NET2, NETZ_NO_POOLING])
def test_not_enough_pooling_lowers_capacity_from_conv2d9_on(layers):
    (finding,) = found(layers, DIGITS, "CAP001")
    assert finding.layers[0] == "conv2d9" and finding.message.startswith("capacity 15.8 % < 16.7 %")


def test_too_much_pooling_covers_more_than_the_image():
    (finding,) = found(NET3, DIGITS, "COV001")
    assert finding.layers == ("conv2d8", "conv2d10", "conv2d11")
    assert finding.message == "coverage 103.6 % > 100.0 %, up to 217.9 %"
    (finding,) = found(NETZ_MUCH_POOLING, DIGITS, "COV001")
    assert finding.layers[0] == "conv2d7" and finding.message.startswith("coverage 132.1 % > 100.0 %")


def test_the_shallow_network_never_reads_two_rows_and_columns():
    (finding,) = found(NET1, DIGITS, "SHP003")
    assert finding.layers == ("maxpool2d5",)
    assert finding.message == "2 rows and 2 columns of the image read by no unit, 13.8 % of its area"


@pytest.mark.parametrize("layers", [NET0, NET1, NET2, NET3, NET4])
def test_a_pool_before_the_head_is_information(layers):
    assert len(found(layers, DIGITS, "HED003", "info")) == 1


def test_the_blog_posts_network():
    (finding,) = found(BLOG_NET, DIGITS, "COV001")
    assert finding.layers == ("conv2d8", "conv2d9")
    assert finding.message == "coverage 103.6 % > 100.0 %, up to 132.1 %"
    (finding,) = found([*BLOG_NET, Activation("log_softmax")], DIGITS, "HED002", loss="nll")
    assert (finding.layers, finding.message) == (("conv2d9",), "relu on the output")
    assert not found([*BLOG_NET, Activation("log_softmax")], DIGITS, "HED001", "error", loss="nll")
    assert found(BLOG_NET, DIGITS, "CST004", "info")[0].layers == ("conv2d8",)


def test_the_blog_posts_chain_from_400_px_to_one():
    runs = [finding.layers for finding in found(SIZE_CHAIN, (3, 400, 400), "CAP001")]
    assert runs == [("conv2d23",), ("conv2d29", "conv2d30", "conv2d31")]
    (finding,) = found(SIZE_CHAIN, (3, 400, 400), "SHP003")
    assert finding.message.endswith("4.9 % of its area")


def test_the_keras_notebooks_networks():
    assert found(CIFAR_TAKE_1, CIFAR, "COV004")[0].message.startswith("coverage 25.0 % <")
    assert found(CIFAR_TAKE_1, CIFAR, "ACT001")[0].layers == ("conv2d1", "conv2d2")
    assert found(CIFAR_TAKE_2, CIFAR, "COV004")[0].message.startswith("coverage 40.6 % <")
    (finding,) = found(CIFAR_TAKE_2, CIFAR, "NRM001", "info")
    assert finding.layers == ("conv2d1", "conv2d4", "conv2d7", "conv2d10", "dense14") and finding.fix.safe
    assert not check(CIFAR_DENSE, CIFAR).problems


def test_a_photograph_resnet_on_small_images():
    network = [*resnet(2, 2, 2, 2), GlobalAvgPool2D(), Output(10)]
    (shortest,), (longest,) = (found(network, CIFAR, "COV002", severity) for severity in ("warning", "info"))
    assert shortest.message == "3 convolutions of 17 cannot see anything new"
    assert longest.message == "13 convolutions of 17 cannot see anything new on the longest way"
    small = [*cifar_resnet(2, 2, 2, 2), GlobalAvgPool2D(), Output(10)]
    assert not found(small, CIFAR, "COV002")
    assert found(small, CIFAR, "COV002", "info")[0].message.startswith("6 convolutions of 17")


# The finding on VGG-16 is argued for on the rule's page.
@pytest.mark.parametrize(
    ("layers", "shape", "warnings"),
    [
        (NET4, DIGITS, set()),
        ([*vgg(2, 2, 3, 3, 3), *VGG_HEAD], PHOTO, {"CST001"}),
        ([*resnet(3, 4, 6, 3, bottleneck=True), *CLASSES], PHOTO, set()),
        ([*resnet(2, 2, 2, 2), *CLASSES], PHOTO, set()),
        ([*mobilenet_v2(), *CLASSES], PHOTO, set()),
        ([*densenet121(), *CLASSES], PHOTO, set()),
        ([*convnext_t(), *CLASSES], PHOTO, set()),
    ],
    ids=["tutorial", "vgg16", "resnet50", "resnet18", "mobilenet_v2", "densenet121", "convnext_t"],
)
def test_good_networks_are_not_warned_of(layers, shape, warnings):
    findings = check(layers, shape, n_outputs=10 if shape == DIGITS else 1000, loss="cross_entropy", batch_size=32)
    assert {finding.code for finding in findings.problems} == warnings, str(findings)


def test_a_vgg_cut_to_its_productive_part_is_not_warned_of():
    def stage(width, times):
        return [Conv2D(width, padding=1, norm="batch", bias=False)] * times

    layers = [*stage(64, 2), MaxPool2D(), *stage(128, 2), MaxPool2D(), *stage(256, 2), GlobalAvgPool2D(), Output(10)]
    assert not check(layers, CIFAR).problems
    whole = [*[layer for width in (64, 128, 256, 512, 512) for layer in (*stage(width, 3), MaxPool2D())]]
    assert {"COV001", "COV002"} <= {one.code for one in check([*whole, GlobalAvgPool2D(), Output(10)], CIFAR).problems}
