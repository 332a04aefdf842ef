"""Receptive fields, strides and paddings that others have published, from modules.

RF, effective stride and effective padding at 224 px of google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md
(TF-Slim); fields of PyTorch's layouts by the recurrence of Araujo et al. (Distill 2019).
"""

import architectures as nets
import pytest

from depthwise.analysis.fields import measure_fields
from depthwise.trace import trace_module

TABLE = {
    "alexnet_v2": (nets.ALEXNET_V2, {
        "conv1": (11, 4, 0), "pool1": (19, 8, 0), "conv2": (51, 8, 16), "conv3": (99, 16, 32), "conv4": (131, 16, 48),
        "conv5": (163, 16, 64), "pool5": (195, 32, 64),
    }),
    "vgg_a": (nets.vgg(1, 1, 2, 2, 2), {
        "pool1": (4, 2, 1), "pool2": (10, 4, 3), "pool3": (30, 8, 11), "pool4": (70, 16, 27), "pool5": (150, 32, 59),
    }),
    "vgg_16": (nets.vgg(2, 2, 3, 3, 3), {
        "pool1": (6, 2, 2), "pool2": (16, 4, 6), "pool3": (44, 8, 18), "pool4": (100, 16, 42), "pool5": (212, 32, 90),
    }),
    "inception_v2": (nets.INCEPTION_V2, {
        "Mixed_3c": (91, 8, 38), "Mixed_4e": (379, 16, 174), "Mixed_5c": (699, 32, 318),
    }),
    "inception_v3": (nets.INCEPTION_V3, {
        "Mixed_5d": (127, 8, 50), "Mixed_6e": (927, 16, 442), "Mixed_7c": (1311, 32, 618),
    }),
    "inception_v4": (nets.INCEPTION_V4, {
        "Mixed_5e": (183, 8, 78), "Mixed_6h": (1559, 16, 758), "Mixed_7d": (2071, 32, 998),
    }),
    "inception_resnet_v2": (nets.INCEPTION_RESNET_V2, {
        "Mixed_5b": (63, 8, 18), "Mixed_6a": (415, 16, 186), "PreAuxLogits": (2335, 16, 1146),
        "Mixed_7a": (2399, 32, 1162), "Conv2d_7b_1x1": (3039, 32, 1482),
    }),
    "mobilenet_v1": (nets.mobilenet_v1(), {
        "conv0": (3, 2, None), "conv1": (7, 2, None), "conv2": (11, 4, None), "conv3": (19, 4, None),
        "conv4": (27, 8, None),
        "conv5": (43, 8, None), "conv6": (59, 16, None), "conv7": (91, 16, None), "conv11": (219, 16, None),
        "conv12": (251, 32, None), "conv13": (315, 32, 126),
    }),
    "resnet_v1_50": (nets.resnet_v1(3, 4, 6, 3), {
        "block1": (35, 8, 15), "block2": (99, 16, 47), "block3": (291, 32, 143), "block4": (483, 32, 239),
    }),
    "resnet_v1_101": (nets.resnet_v1(3, 4, 23, 3), {
        "block1": (35, 8, 15), "block2": (99, 16, 47), "block3": (835, 32, 415), "block4": (1027, 32, 511),
    }),
    "resnet_v1_152": (nets.resnet_v1(3, 8, 36, 3), {
        "block1": (35, 8, 15), "block2": (163, 16, 79), "block3": (1315, 32, 655), "block4": (1507, 32, 751),
    }),
    "resnet_v1_200": (nets.resnet_v1(3, 24, 36, 3), {
        "block1": (35, 8, 15), "block2": (419, 16, 207), "block3": (1571, 32, 783), "block4": (1763, 32, 879),
    }),
    "lenet_5": ([nets.C(5, 1, False), nets.A(2, 2, False), nets.C(5, 1, False), nets.A(2, 2, False), "end"], {
        "end": (16, 4, 0),
    }),
    "resnet_18": (nets.resnet(2, 2, 2, 2), {"end": (435, 32, None)}),
    "resnet_34": (nets.resnet(3, 4, 6, 3), {"end": (899, 32, None)}),
    "resnet_50": (nets.resnet(3, 4, 6, 3, bottleneck=True), {"end": (427, 32, None)}),
    "resnet_101": (nets.resnet(3, 4, 23, 3, bottleneck=True), {"end": (971, 32, None)}),
    "resnet_152": (nets.resnet(3, 8, 36, 3, bottleneck=True), {"end": (1451, 32, None)}),
    "cifar_resnet_18": (nets.resnet(2, 2, 2, 2, stem=False), {"end": (109, 8, None)}),
    "mobilenet_v2": (nets.mobilenet_v2(), {"end": (491, 32, None)}),
    "efficientnet_b0": (nets.efficientnet_b0(), {"end": (851, 32, None)}),
    "densenet_121": (nets.densenet(6, 12, 24, 16), {"end": (2071, 32, None)}),
    "convnext_t": (nets.convnext_t(), {"end": (1688, 32, None)}),
}  # fmt: skip


def end_points(steps):
    """Field of each end-point: the last operation before its mark."""
    module, _ = nets.write(steps)
    graph = trace_module(module, (3, 224, 224)).at()
    fields = measure_fields(graph)
    parts = [name for name, _ in module.named_children()]
    found = {}
    for name in filter(lambda step: isinstance(step, str), steps):
        before = parts[parts.index(name) - 1]
        last = [node.name for node in graph.nodes if node.name.split(".")[0].partition("#")[0] == before][-1]
        found[name] = fields[last]
    return found


@pytest.mark.parametrize("name", TABLE)
def test_published_field_stride_and_padding(name):
    steps, published = TABLE[name]
    fields = end_points(steps)
    for point, (field, stride, padding) in published.items():
        for axis in fields[point]:
            assert (axis.size, axis.jump) == (field, stride), point
            assert padding is None or -axis.hull.views[0][0] == padding, point


def test_the_shortest_way_through_a_resnet_50_gives_its_lower_bound():
    field = end_points(nets.resnet(3, 4, 6, 3, bottleneck=True))["end"][0]
    # 11 through the stem; each block is skipped by a 1x1 of the stride.
    assert field.least == 11
