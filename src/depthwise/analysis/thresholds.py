"""The two bounds that Cao gives for a good architecture."""

MIN_CAPACITY = 1 / 6
"""A layer's capacity is low below this.  Cao: A practical theory for designing very deep convolutional neural networks,
2015: found empirically over several tasks, for plain stacks of convolutions."""

MAX_COVERAGE = 1.0
"""A layer's coverage is high above this: its units look beyond the image.  Cao 2015."""
