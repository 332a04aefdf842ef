"""Graph -> Analysis: fields, capacity and coverage, costs.  Facts, no judgement; knows nothing of torch."""

from depthwise.analysis.measuring import analyze_graph
from depthwise.analysis.record import Analysis, LayerAnalysis
from depthwise.analysis.regions import Region
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY

__all__ = ["MAX_COVERAGE", "MIN_CAPACITY", "Analysis", "LayerAnalysis", "Region", "analyze_graph"]
