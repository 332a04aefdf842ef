"""A dense network and two convolutional ones on CIFAR-10, and what their parameters buy.

The notebook on convolution of a Keras series (2020), in today's terms.  A line ``# cell 004:n`` stands where its n-th
cell was.

    python examples/cifar10_take_two.py path/to/cifar10      # a folder per class below train/ and test/
"""

# cell 004:1, 004:3, 004:7, 004:10
import os
import sys

import depthwise as dw
from depthwise import BatchNorm, Conv2D, Dense, Dropout, Input, LeakyReLU, NeuralNetClassifier, Output

KERAS_SLOPE = 0.3  # of Keras' LeakyReLU(); PyTorch and we take 0.01


def block(channels: int, stride: int = 1) -> list:
    """Convolution, batch normalization, leaky rectifier."""
    return [
        Conv2D(channels, stride=stride, padding="same", activation=None),
        BatchNorm(),
        LeakyReLU(KERAS_SLOPE),
    ]


# cell 004:3
dense = [Input((3, 32, 32)), Dense(200), Dense(150), Output(10)]
# cell 004:8; it has no activation between its convolutions, so both together are one linear map
take_one = [
    Input((3, 32, 32)),
    Conv2D(10, 4, stride=2, padding="same", activation=None),
    Conv2D(20, 3, stride=2, padding="same", activation=None),
    Output(10),
]
# cell 004:11
take_two = [
    Input((3, 32, 32)),
    *[*block(32), *block(32, stride=2), *block(64), *block(64, stride=2)],
    *[Dense(128, activation=None), BatchNorm(), LeakyReLU(KERAS_SLOPE), Dropout(), Output(10)],
]


def main(quick: bool = False, path: str | None = None) -> None:
    """Print the three networks; train the second take, in quick mode for two epochs on a few images."""
    # cell 004:5, 004:9, 004:12
    for layers in (dense, take_one, take_two):
        analysis = dw.analyze(layers)
        print(f"{analysis}\n\n{analysis.explain()}\n")

    # cell 004:2; labels need no one-hot form, and training standardizes by itself
    folder = path or os.environ.get("DEPTHWISE_DATA", "data") + "/cifar10"
    train = dw.load_images(folder, split="train")
    step = max(1, len(train) // 256) if quick else 1
    X, y = train.X[::step], train.y[::step]
    # cell 004:4, 004:13
    net = NeuralNetClassifier(take_two, optimizer="adam", learning_rate=0.0005, random_state=0)
    # cell 004:6, 004:14; three fits with growing batches, as the stages of one
    net.set_params(batch_size=[(1, 32), (1, 64)] if quick else [(10, 32), (5, 256), (5, 1024)])
    net.fit(X, y)


if __name__ == "__main__":
    main(path=sys.argv[1] if len(sys.argv) > 1 else None)
