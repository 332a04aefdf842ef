"""What is known of a network before it runs, and what the rules say of the part that a display shows."""

from __future__ import annotations

from typing import Any

from depthwise.analysis import Analysis
from depthwise.errors import DataError, DepthwiseError
from depthwise.layers.shapes import checked_shape, format_shape, how_to_fit
from depthwise.network import analyze, check
from depthwise.rules import Findings


def read_analysis(net: Any, input_shape: Any = None) -> Analysis:
    """What is known of a network, trained or not.

    Raises
    ------
    TargetError
        It is no network.
    DataError
        It is trained on images of another shape.
    """
    fitted = getattr(net, "input_shape_", None)
    if fitted is not None and input_shape is not None and tuple(input_shape) != tuple(fitted):
        given, made = checked_shape(input_shape), checked_shape(fitted)
        raise DataError(
            f"X: holds images of {format_shape(given)} but the network is made for {format_shape(made)}. "
            f"{how_to_fit(given, made)}."
        )
    if getattr(net, "analysis_", None) is not None:
        known: Analysis = net.analysis_
        return known
    return analyze(getattr(net, "module_", net), input_shape if fitted is None else fitted)


def judge(net: Any, codes: tuple[str, ...] = ("",), input_shape: Any = None) -> Findings:
    """What the rules of some families say of a network; nothing where they cannot read it.

    Parameters
    ----------
    net
        An estimator, fitted or not, or what else :func:`depthwise.check` takes.
    codes
        Beginnings of the codes that are wanted.
    input_shape
        Shape of the images, where `net` does not tell it.

    Examples
    --------
    >>> [finding.code for finding in judge("16C3-16C3-10N", ("COV",), (1, 28, 28))]
    ['COV004']
    """
    known = getattr(net, "module_", None) is not None and hasattr(type(net), "findings_")
    try:
        every = net.findings_ if known else check(net, input_shape)
    except DepthwiseError:
        return Findings(())
    return Findings(tuple(finding for finding in every if finding.code.startswith(codes)))
