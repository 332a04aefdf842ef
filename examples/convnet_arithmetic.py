"""Sizes, parameters and memory of convolutional layers, worked out.

The notebook "Convolutional Networks" after Stanford's cs231n (2016), in today's terms.  It has no code but these two
cells; every example of its text is worked out below.

    python examples/convnet_arithmetic.py
"""

# cell 002:1, 002:2: nothing to set up
import depthwise as dw
from depthwise import Conv2D, MaxPool2D

PATTERN = "INPUT -> [[CONV -> RELU]*{n} -> POOL?]*{m} -> [FC -> RELU]*{k} -> FC"


def main(quick: bool = False) -> None:
    """Work out every example of the text."""
    show("One 5x5 filter over RGB has 76 weights", [Conv2D(1, 5)], (3, 32, 32))
    show("Ten 5x5 filters leave 28x28 of 32x32", [Conv2D(10, 5)], (3, 32, 32))
    show("A 3x3 filter fits 4 times along 6 pixels", [Conv2D(1)], (1, 6, 6))
    show("10 filters of 7x7, then 6 of 5x5 in steps of 2", [Conv2D(10, 7), Conv2D(6, 5, stride=2)], (3, 32, 32))
    show("Padding (F - 1) / 2 keeps the size", [Conv2D(1, 3, padding=1)], (1, 6, 6))
    show("10 filters of 5x5 with 2 pixels of padding", [Conv2D(10, 5, padding=2)], (3, 32, 32))
    show("A pool of 2x2 keeps a quarter", [MaxPool2D()], (1, 4, 4))
    show("A dense layer on 200x200 RGB: 120,000 weights a unit", "1N-10N", (3, 200, 200))
    show("Three layers of 64 maps of 224x224: where the memory goes", [Conv2D(64, padding=1)] * 3, (3, 224, 224))
    show("The textbook's network for CIFAR-10", PATTERN.format(n=1, m=1, k=0), (3, 32, 32))
    show("The same pattern, deeper", PATTERN.format(n=2, m=3, k=2), (3, 32, 32))


def show(title: str, layers: object, input_shape: tuple[int, ...]) -> None:
    """Print the table of a network and how its parameters are counted."""
    analysis = dw.analyze(layers, input_shape, n_outputs=10)
    print(f"\n=== {title} ===\n{analysis}\n\n{analysis.explain()}")


if __name__ == "__main__":
    main()
