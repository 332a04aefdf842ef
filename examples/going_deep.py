"""How many convolutions an image of 28 x 28 bears, and where the pools go.

The notebook "Going deep" of netz (2015), in today's terms.  A line ``# cell 000:n`` stands where its cell n was.

    python examples/going_deep.py
"""

# cell 000:1, 000:2, 000:3, 000:4: one import instead of Theano, netz and pylab
import depthwise as dw
from depthwise import Conv2D, Dense, Dropout, MaxPool2D, Output

# cell 000:5, 000:6, 000:7, 000:8, 000:9: no data are needed to judge an architecture; training standardizes by itself
INPUT_SHAPE = (1, 28, 28)


def conv(channels: int) -> Conv2D:
    """A 3x3 convolution that keeps the size of its map."""
    return Conv2D(channels, padding="same")


# netz rounded pools up: a 9x9 map becomes 5x5.
def pool(kernel_size: int = 2) -> MaxPool2D:
    """A pool that keeps the last, partial window."""
    return MaxPool2D(kernel_size, ceil_mode=True)


HEAD = [Dense(100), Dense(100), Output(10)]

# cell 000:10
shallow = [Conv2D(16), pool(), Conv2D(32), Conv2D(32), pool(), Conv2D(32), Dropout(0.5), *HEAD]
# cell 000:13
not_enough_pooling = [*[Conv2D(16)] * 13, *HEAD]
# cell 000:31
too_much_pooling = [
    *[conv(16), conv(16), pool(4)],
    *[conv(16), conv(16), pool()] * 3,
    *HEAD,
]
# cell 000:25
good_compromise = [
    *[conv(16), conv(32), conv(32), conv(32), conv(64), conv(64), conv(64), pool()],
    *[conv(256), conv(256), conv(256)],
    *[Dense(100), Dropout(), Dense(100), Dropout(), Output(10)],
]


def main(quick: bool = False) -> None:
    """Print the tables of the four networks, and the last one in detail."""
    networks = {
        "A shallow net": shallow,
        "Not enough max pooling": not_enough_pooling,
        "Too much max pooling": too_much_pooling,
        "A good compromise": good_compromise,
    }
    for title, layers in networks.items():
        # cell 000:11, 000:12, 000:14, 000:15, 000:32, 000:33, 000:26, 000:27
        print(f"\n=== {title} ===\n{dw.analyze(layers, INPUT_SHAPE).table(verbosity=2)}")
    # cell 000:22, 000:23
    print(dw.analyze(good_compromise, INPUT_SHAPE).table(verbosity=3))
    print("The same with exact receptive fields, parameters and work:\n")
    print(dw.analyze(good_compromise, INPUT_SHAPE))


if __name__ == "__main__":
    main()
