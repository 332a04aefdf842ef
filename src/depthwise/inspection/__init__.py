"""Module + tensors -> frozen results of arrays.  Draws nothing."""

from depthwise.inspection.weights import LayerWeights, read_weights

__all__ = ["LayerWeights", "read_weights"]
