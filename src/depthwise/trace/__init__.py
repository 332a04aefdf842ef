"""Any module of PyTorch and the shape of its images -> Graph."""

from depthwise.trace.tracing import trace_module

__all__ = ["trace_module"]
