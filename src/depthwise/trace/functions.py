"""Every function that a trace understands."""

from depthwise.trace import axes, pointwise, recurrent, sums, windows

FUNCTIONS = {**windows.RULES, **pointwise.RULES, **axes.RULES, **sums.RULES, **recurrent.RULES}
"""Name of a function of PyTorch, without its in-place mark -> rule."""
