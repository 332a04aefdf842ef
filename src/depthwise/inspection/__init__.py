"""Module + tensors -> frozen results of arrays.  Draws nothing."""

from depthwise.inspection.effective_field import EffectiveField, measure_effective_field
from depthwise.inspection.weights import LayerWeights, read_weights

__all__ = ["EffectiveField", "LayerWeights", "measure_effective_field", "read_weights"]
