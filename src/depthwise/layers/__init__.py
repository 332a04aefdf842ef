"""The layer list: frozen records, each of which lowers itself to primitive operations.  Knows nothing of torch."""

from depthwise.layers.branches import Add, Concat, Residual
from depthwise.layers.convolution import Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D
from depthwise.layers.dense import Dense, Flatten, Input, Output
from depthwise.layers.layer import Layer
from depthwise.layers.listing import as_layers, layer_names, with_input
from depthwise.layers.pointwise import Activation, BatchNorm, Dropout, GroupNorm, LeakyReLU, SpatialDropout2D
from depthwise.layers.pooling import AvgPool2D, GlobalAvgPool2D, GlobalMaxPool2D, MaxPool2D, Upsample2D, ZeroPad2D

LAYERS: tuple[type[Layer], ...] = (
    Input, Conv2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose, MaxPool2D, AvgPool2D, GlobalAvgPool2D,
    GlobalMaxPool2D, Upsample2D, ZeroPad2D, BatchNorm, GroupNorm, Activation, LeakyReLU, Dropout, SpatialDropout2D,
    Flatten, Dense, Output, Add, Concat, Residual,
)  # fmt: skip
"""Every kind of layer."""

__all__ = [
    "LAYERS", "Activation", "Add", "AvgPool2D", "BatchNorm", "Concat", "Conv2D", "Conv2DTranspose", "Dense",
    "DepthwiseConv2D", "Dropout", "Flatten", "GlobalAvgPool2D", "GlobalMaxPool2D", "GroupNorm", "Input", "Layer",
    "LeakyReLU", "MaxPool2D", "Output", "Residual", "SeparableConv2D", "SpatialDropout2D", "Upsample2D", "ZeroPad2D",
    "as_layers", "layer_names", "with_input",
]  # fmt: skip
