"""What can be said of a network, however it is handed over: analyze, compare, check, verify, effective_field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from depthwise.analysis import Analysis, Comparison, analyze_graph
from depthwise.errors import SizeError
from depthwise.layers.shapes import checked_shape
from depthwise.targets import open_module, open_target, read_graph, size_graph

if TYPE_CHECKING:
    from depthwise.inspection import EffectiveField
    from depthwise.inspection.verify import Verification
    from depthwise.rules import Findings


def analyze(
    target: object,
    input_shape: Iterable[int] | None = None,
    n_outputs: int | None = None,
    inputs: Any = None,
    all: bool = False,
) -> Analysis:
    """Analyze a network: sizes, parameters, work, memory, receptive fields, capacity and coverage of every layer.

    Parameters
    ----------
    target
        A layer list, a notation such as ``"32C3-MP2-64N-10N"``, any ``torch.nn.Module``, ``"mynet.py:Net"`` or
        ``"package.module:name"``, the path of a TOML or saved file, or an estimator, fitted or not.
    input_shape
        ``(channels, height, width)``; may be left out where the target tells it.
    n_outputs
        Width of an ``Output()`` that leaves it to the data.
    inputs
        For a module of several inputs: a tuple of their shapes without the batch, or of example tensors with it.
    all
        Whether every operation is a row; else activations and the like stand in the row of what they read.

    Raises
    ------
    TargetError
        The target is no network.
    GraphError
        Its layers do not fit together, or not to the images.

    Examples
    --------
    >>> analyze("32C3-MP2-64N-10N", (1, 28, 28)).params
    347146
    """
    graph = size_graph(target, input_shape, n_outputs, inputs)
    if all and graph.declared is not None:
        graph = graph.declared.unfolded().at(side or 0 for side in graph.input_shape)
    return analyze_graph(graph)


def compare(
    first: object,
    second: object,
    input_shape: Iterable[int] | None = None,
    other_shape: Iterable[int] | None = None,
    n_outputs: int | None = None,
    batch_size: int = 1,
) -> Comparison:
    """Compare two networks, or one on images of two sizes: parameters, work, memory, fields, layer by layer.

    Parameters
    ----------
    first, second
        Targets as for :func:`analyze`; the same one twice to compare two sizes.
    input_shape, n_outputs
        As for :func:`analyze`, for both.
    other_shape
        Shape of the second one's images, where it is another.
    batch_size
        Number of images of the memory that is told.

    Raises
    ------
    TargetError
        One of them is no network.
    GraphError
        Its layers do not fit together, or not to the images.

    Examples
    --------
    >>> comparison = compare("8C3-MP2-10N", "8C5-MP2-10N", (1, 28, 28))
    >>> comparison.facts["params"], comparison.facts["receptive_field"]
    ((13610, 11738), ((4, 4), (6, 6)))
    >>> compare("8C3-MP2-10N", "8C3-MP2-10N", (1, 28, 28), (1, 32, 32)).facts["macs"]
    (62192, 82800)
    """
    shape = None if input_shape is None else checked_shape(input_shape)
    return Comparison(
        analyze(first, shape, n_outputs),
        analyze(second, shape if other_shape is None else other_shape, n_outputs),
        batch_size,
    )


def check(
    target: object,
    input_shape: Iterable[int] | None = None,
    n_outputs: int | None = None,
    loss: object = None,
    batch_size: int | None = None,
    profile: str = "natural",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    inputs: Any = None,
) -> Findings:
    """Ask every rule about a network: what is wrong with it, why, and how to mend it.

    Parameters
    ----------
    target, input_shape, inputs
        As for :func:`analyze`.
    n_outputs, loss, batch_size
        What is known of the task: number of classes, the loss or its name, images a step.  A rule that needs more is
        not applicable.
    profile
        ``"natural"`` images, ``"digits"`` (empty border), ``"segmentation"`` or ``"detection"`` (no classifier).
    select, ignore
        Codes of rules, their beginnings (``"CAP"``) or their names.

    Returns
    -------
    Findings
        A tuple of findings, gravest first, that prints as a linter does; those of its training too, where the target
        was trained.

    Raises
    ------
    TargetError
        The target is no network.
    RuleError
        A code or profile is unknown.

    Examples
    --------
    >>> print(check("16C3ps-MP2-32C3ps-LR0.1-32C3ps-GAP-10N", (1, 16, 16), select=["ACT"]))
    conv2d3..leakyrelu4: ACT002 double-activation warning: leaky_relu after relu
        (leaky_relu sees only what relu lets through). Take relu out of conv2d3 [*].
        or: Take leaky_relu out of leakyrelu4 [*]: memory 44.2 KiB -> 36.2 KiB
    1 finding: 1 warning. [*] can be applied: 1 safe fix.
    """
    from depthwise.rules import check_graph, check_misfit

    opened = open_target(target, input_shape, n_outputs)
    try:
        graph = read_graph(opened, inputs=inputs)
    except SizeError as problem:
        if opened.module is None or (opened.input_shape is None and inputs is None):
            raise
        return check_misfit(problem)
    return check_graph(
        graph,
        opened.input_shape,
        n_outputs=n_outputs,
        loss=loss,
        batch_size=batch_size,
        profile=profile,
        select=select,
        ignore=ignore,
        root=None if opened.module is None else "model",
        modules=frozenset() if opened.module is None else frozenset(name for name, _ in opened.module.named_modules()),
        health=getattr(opened.estimator, "health_", None),
    )


def verify(target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None) -> Verification:
    """Run a network on images with rows and columns of NaN, to see that its fields are those that are printed.

    Parameters
    ----------
    target, input_shape, n_outputs
        As for :func:`analyze`; an ``Output()`` of unknown width gets one unit.

    Returns
    -------
    Verification
        ``.ok``, and for each operation whether each of its units depends on exactly the pixels that the analysis says.

    Raises
    ------
    TargetError
        The target is no network of one input, or fails with such images.

    Examples
    --------
    >>> verify("8C5-MP2-8C3-10N", (1, 28, 28)).ok
    True
    """
    from depthwise.inspection.verify import verify_module

    return verify_module(*open_module(target, input_shape, n_outputs))


def effective_field(
    target: object,
    input_shape: Iterable[int] | None = None,
    layer: str | None = None,
    unit: Iterable[int] | None = None,
    *,
    n_outputs: int | None = None,
    n_images: int = 64,
    seed: int = 0,
) -> EffectiveField:
    """Measure by gradients how much each pixel moves one unit, before or after training.

    Parameters
    ----------
    target, input_shape, n_outputs
        As for :func:`verify`; a layer list gets new weights.
    layer, unit, n_images, seed
        As for :func:`~depthwise.inspection.measure_effective_field`: the middle unit of the last map by default.

    Examples
    --------
    >>> effective_field("8C5-MP2-8C3-10N", (1, 28, 28), "conv2d3").gradients.shape
    (28, 28)
    """
    from depthwise.inspection import measure_effective_field

    module, shape = open_module(target, input_shape, n_outputs)
    return measure_effective_field(module, shape, layer, unit, n_images=n_images, seed=seed)
