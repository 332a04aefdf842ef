"""From 200 layers to 27, and a network for MNIST layer by layer.

"Convolutional Neural Network Part 2: Neural Architecture" (2020), in today's terms.  A line ``# cell 003:n`` stands
where its n-th block of code was.

    python examples/neural_architecture.py path/to/mnist
"""

# cell 003:1
import os
import sys

import depthwise as dw
from depthwise import (
    ActivationsDisplay,
    Conv2D,
    Flatten,
    ImagesDisplay,
    Input,
    MaxPool2D,
    NeuralNetClassifier,
    WeightsDisplay,
)
from depthwise.inspection import read_weights

# cell 003:11; its last ReLU is left out: on the scores of the classes it would cut off half of what they can say
layers = [
    Input((1, 28, 28)),
    *[Conv2D(32, padding=1), Conv2D(64, padding=1), MaxPool2D()],
    *[Conv2D(128, padding=1), Conv2D(256, padding=1), MaxPool2D()],
    *[Conv2D(512), Conv2D(1024), Conv2D(10, activation=None), Flatten()],
]
CHAIN = "[[32C3]*5-MP2]*4-[32C3]*7"


def main(quick: bool = False, path: str | None = None) -> None:
    """Run the post; in quick mode on a few images with a smaller network."""
    print(f"How 400 pixels become 1 with pools in between:\n{dw.analyze(CHAIN, (3, 400, 400))}")
    grown = [Conv2D(channels, bias=False) for channels in (32, 64, 128, 256, 512)]
    wide = [*grown, MaxPool2D(), Conv2D(512, bias=False)]
    doubled = dw.analyze(wide, (3, 400, 400))
    print(f"\nParameters when channels double:\n{doubled}\n\n{doubled.explain()}")

    # cell 003:2, 003:3, 003:4: device="auto" and random_state below
    # cell 003:5, 003:6, 003:7: training standardizes by itself, with the training images' own mean and deviation
    folder = path or os.environ.get("DEPTHWISE_DATA", "data") + "/mnist"
    train, test = dw.load_images(folder, split="train"), dw.load_images(folder, split="test")
    print(f"\n{len(train)} training images, {len(test)} test images")
    # cell 003:8, 003:9
    print(f"one batch: {train.X[:128].shape}")
    # cell 003:10
    ImagesDisplay(train.X[:24], train.y[:24]).save("samples.png")

    def draw(net: NeuralNetClassifier, record: object) -> None:
        """After each epoch, pictures of the kernels and of what the first layer makes of a digit."""
        WeightsDisplay.from_estimator(net).save(f"kernels-{record.epoch}.png")
        ActivationsDisplay.from_estimator(net, test.X[:1]).save(f"activations-{record.epoch}.png")

    net = NeuralNetClassifier(
        "8C3-MP2-16C3-MP2-10C3-MP2-N" if quick else layers,
        max_epochs=1,
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.9,
        validation=0,
        callbacks=[draw],
        random_state=1,
    )
    count = 512 if quick else len(train)
    # cell 003:15, 003:16
    net.fit(train.X[:count], train.y[:count])
    # cell 003:12
    print(net.analysis_)
    # cell 003:13
    print(read_weights(net.module_).kernels.shape)
    # cell 003:14, 003:17
    WeightsDisplay.from_estimator(net).save("kernels.png")
    loss, correct = net.evaluate(test.X[:count], test.y[:count])
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(test.y[:count])}")


if __name__ == "__main__":
    main(path=sys.argv[1] if len(sys.argv) > 1 else None)
