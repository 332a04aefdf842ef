"""Graph -> Analysis: fields, capacity and coverage, costs.  Facts, no judgement; knows nothing of torch."""

from depthwise.analysis.alignment import Misalignment
from depthwise.analysis.comparison import Comparison
from depthwise.analysis.intervals import unit_intervals
from depthwise.analysis.measuring import analyze_graph, sweep_sizes
from depthwise.analysis.memory import Memory
from depthwise.analysis.record import Analysis, LayerAnalysis
from depthwise.analysis.regions import Region
from depthwise.analysis.sizes import InputSizes
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.analysis.unread import Unread

__all__ = [
    "MAX_COVERAGE", "MIN_CAPACITY", "Analysis", "Comparison", "InputSizes", "LayerAnalysis", "Memory", "Misalignment",
    "Region", "Unread", "analyze_graph", "sweep_sizes", "unit_intervals",
]  # fmt: skip
