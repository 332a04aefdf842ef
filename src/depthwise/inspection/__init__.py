"""Module + tensors -> frozen results of arrays.  Draws nothing."""

from depthwise.inspection.activations import Activations, read_activations
from depthwise.inspection.class_activation import ClassActivation, compute_cam
from depthwise.inspection.effective_field import EffectiveField, measure_effective_field
from depthwise.inspection.exciting import Exciting, find_exciting
from depthwise.inspection.mistakes import ConfusedPair, ConfusedPairs, TopLosses, find_top_losses
from depthwise.inspection.occlusion import Occlusion, occlude
from depthwise.inspection.saliency import Saliency, compute_saliency
from depthwise.inspection.statistics import LayerStatistics, Statistics, measure_statistics
from depthwise.inspection.unit_field import UnitField, find_unit_field
from depthwise.inspection.weights import LayerWeights, read_weights

__all__ = [
    "Activations", "ClassActivation", "ConfusedPair", "ConfusedPairs", "EffectiveField", "Exciting",
    "LayerStatistics", "LayerWeights", "Occlusion", "Saliency", "Statistics", "TopLosses", "UnitField", "compute_cam",
    "compute_saliency", "find_exciting", "find_top_losses", "find_unit_field", "measure_effective_field",
    "measure_statistics", "occlude", "read_activations", "read_weights",
]  # fmt: skip
