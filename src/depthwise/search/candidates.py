"""Designs, in whatever form they are handed over -> the candidates of a race."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from depthwise.analysis import analyze_graph
from depthwise.designer import Design
from depthwise.errors import DepthwiseError, GraphError, NotationError, TrainingError
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import Layer, as_layers
from depthwise.layers.ops import Conv
from depthwise.notation import read_layers, write_layers, write_toml
from depthwise.training.layer_params import declared_layers
from depthwise.training.new_networks import declared_shape
from depthwise.training.output import with_logits


@dataclass(frozen=True)
class Candidate:
    """One design in a race.

    Attributes
    ----------
    name
        How it is called in tables: ``"7-3 from 16"`` for what the designer made, else its notation.
    layers
        Its layer list.
    params, macs
        Learned values, and multiply-accumulates for one image; ``None`` where it does not fit the images.
    depth
        Convolutions that look at more than one pixel.
    problem
        Why it cannot be trained on these images, if it cannot.
    """

    name: str
    layers: tuple[Layer, ...]
    params: int | None = None
    macs: int | None = None
    depth: int | None = None
    problem: str | None = None

    @property
    def toml(self) -> str:
        """The layers as text, from which they can be read again exactly."""
        return write_toml(self.layers)


def read_candidates(designs: Any, input_shape: tuple[int, ...], n_outputs: int, outputs_are: str) -> list[Candidate]:
    """The candidates of a race.

    Parameters
    ----------
    designs
        A :class:`DesignSet`, or designs, layer lists and notations in a list.
    input_shape, n_outputs, outputs_are
        What they are trained for: shape of one image, and how many ``"classes"`` or ``"targets"`` there are.

    Raises
    ------
    TrainingError
        There is nothing to race, something else than a layer list, or one network twice.

    Examples
    --------
    >>> one, other = read_candidates(["8C3-MP2-N", "8C9-N"], (1, 8, 8), 10, "classes")
    >>> one.name, one.params, one.macs, one.depth
    ('8C3-MP2-N', 810, 3312, 1)
    >>> other.problem
    "layer 'conv2d1': a 9x9 kernel does not fit into its 8x8 input. Add padding, or use images of 9 px or more."
    """
    if isinstance(designs, str) or not isinstance(designs, Iterable):
        raise TrainingError(f"designs is {designs!r} but must be a DesignSet or a list of designs, such as ['32C3-N'].")
    listed = list(designs)
    if not listed:
        raise TrainingError("designs is empty: there is nothing to race. Give at least one layer list.")
    named = [_read(place, design) for place, design in enumerate(listed)]
    seen: dict[tuple[Layer, ...], int] = {}
    for place, (_, layers) in enumerate(named):
        if layers in seen:
            raise TrainingError(f"designs: number {place} is the same network as number {seen[layers]}. Leave one out.")
        seen[layers] = place
    return [_judge(name, layers, input_shape, n_outputs, outputs_are) for name, layers in named]


def _read(place: int, design: Any) -> tuple[str, tuple[Layer, ...]]:
    if isinstance(design, Design):
        return f"{design.skeleton} from {design.width}", design.layers
    if isinstance(design, str):
        return design, read_layers(design)
    try:
        layers = as_layers(design)
    except (DepthwiseError, TypeError) as problem:
        raise TrainingError(
            f"designs: number {place} is no layer list ({problem}). Give layers, a notation or a design; a module "
            "cannot be written down for another process."
        ) from None
    try:
        return write_layers(layers), layers
    except NotationError:
        return f"design {place}", layers


def _judge(
    name: str, layers: tuple[Layer, ...], input_shape: tuple[int, ...], n_outputs: int, outputs_are: str
) -> Candidate:
    try:
        declared = declared_layers(layers)
        shape = declared_shape(declared) or input_shape
        graph = with_logits(Graph.from_layers(declared), shape, n_outputs, outputs_are)
    except (GraphError, TrainingError) as problem:
        return Candidate(name, layers, problem=str(problem))
    analysis = analyze_graph(graph)
    return Candidate(name, layers, analysis.params, analysis.macs, _depth(graph))


def _depth(graph: SizedGraph) -> int:
    return sum(isinstance(node.op, Conv) and prod(node.op.kernel_size) > 1 for node in graph.nodes)
