"""Train a convolutional network on MNIST and look at it; then find a better architecture.

The nolearn tutorial "Training convolutional neural networks with nolearn" (2016), in today's terms.  A line
``# cell 001:n`` stands where its cell n was.

    python examples/mnist_tutorial.py path/to/mnist      # a folder with the four IDX files
"""

# cell 001:1, 001:2, 001:3, 001:4: one import instead of Lasagne, nolearn and pylab
import os
import sys

import depthwise as dw
from depthwise import (
    Conv2D,
    Dense,
    Dropout,
    ImagesDisplay,
    Input,
    MaxPool2D,
    NeuralNetClassifier,
    Output,
    PrintLayerInfo,
    draw_to_file,
    plot_conv_activity,
    plot_conv_weights,
    plot_loss,
    plot_occlusion,
    plot_saliency,
)

# cell 001:9
layers0 = [
    Input((1, 28, 28)),
    *[Conv2D(96, 5), Conv2D(96), Conv2D(96), Conv2D(96), Conv2D(96), MaxPool2D()],
    *[Conv2D(128), Conv2D(128), Conv2D(128), MaxPool2D()],
    *[Dense(64), Dropout(), Dense(64), Output(10)],
]
HEAD = [Dense(64), Dropout(), Dense(64), Output(10)]


def conv(channels: int) -> Conv2D:
    """A 3x3 convolution that keeps the size of its map."""
    return Conv2D(channels, padding=1)


# cell 001:21
layers1 = [
    Input((1, 28, 28)),
    *[Conv2D(32), MaxPool2D(), Conv2D(64), Conv2D(64), MaxPool2D(), Conv2D(96), MaxPool2D()],
    *HEAD,
]
# cell 001:26
layers2 = [Input((1, 28, 28)), *[Conv2D(32)] * 5, *[Conv2D(64)] * 5, MaxPool2D(), *HEAD]
# cell 001:30
layers3 = [
    Input((1, 28, 28)),
    *[conv(32), conv(32), MaxPool2D()] * 2,
    *[conv(64), conv(64), MaxPool2D()] * 2,
    *HEAD,
]
# cell 001:34
layers4 = [Input((1, 28, 28)), *[conv(32)] * 7, MaxPool2D(), *[conv(64)] * 3, MaxPool2D(), *HEAD]


def main(quick: bool = False, path: str | None = None) -> None:
    """Run the tutorial; in quick mode on a few images and for two epochs."""
    # cell 001:5, 001:6, 001:7: IDX files as they were published; training standardizes by itself
    X, y = read_mnist(path)
    if quick:
        X, y = X[:512], y[:512]
    # cell 001:8
    ImagesDisplay(X[:24], y[:24]).save("mnist-samples.png")

    # cell 001:10
    net0 = NeuralNetClassifier(
        layers1 if quick else layers0,  # layers0 takes minutes an epoch on two processors
        max_epochs=2 if quick else 10,
        optimizer="adam",
        learning_rate=0.0002,
        l2=0.0025,
        validation=0.25,
        random_state=0,
        verbose=1,
    )
    # cell 001:11
    net0.fit(X, y)

    # cell 001:12, 001:14
    plot_loss(net0).save("mnist-history.png")
    # cell 001:15
    plot_conv_weights(net0.layers_[1], figsize=(4, 4)).save("mnist-weights.png")
    # cell 001:13
    draw_to_file(net0, "mnist-architecture.svg")
    # cell 001:16
    x = X[:1]
    # cell 001:17
    plot_conv_activity(net0.layers_[1], x).save("mnist-activity.png")
    # cell 001:18: a square of 7 pixels around every pixel, filled with the training images' mean
    plot_occlusion(net0, X[:5], y[:5]).save("mnist-occlusion.png")
    # cell 001:19
    plot_saliency(net0, X[:5]).save("mnist-saliency.png")

    compare_architectures()


def compare_architectures() -> None:
    """Print capacity and coverage of the four candidates."""
    # cell 001:20, 001:24
    layer_info = PrintLayerInfo()
    for layers in (layers1, layers2, layers3, layers4):
        # cell 001:22, 001:27, 001:31, 001:35
        net = NeuralNetClassifier(layers, learning_rate=0.01, verbose=2)
        # cell 001:23, 001:28, 001:32, 001:36
        net.initialize()
        # cell 001:25, 001:29, 001:33, 001:37
        layer_info(net)
    # cell 001:38
    net.set_params(verbose=3)
    # cell 001:39
    layer_info(net)


def read_mnist(path: str | None) -> tuple:
    """MNIST's training images and labels, from a folder of IDX files."""
    folder = path or os.environ.get("DEPTHWISE_DATA", "data") + "/mnist"
    images = dw.load_images(folder, split="train")
    return images.X, images.y


if __name__ == "__main__":
    main(path=sys.argv[1] if len(sys.argv) > 1 else None)
