"""The analysis of a network: one frozen row a layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from depthwise.analysis.alignment import Misalignment, find_misalignments
from depthwise.analysis.fields import Pixels
from depthwise.analysis.intervals import UnitViews
from depthwise.analysis.layer_table import layer_table, write_explanation
from depthwise.analysis.memory import Memory, measure_memory
from depthwise.analysis.regions import Region, find_region
from depthwise.analysis.sizes import InputSizes, find_input_sizes, find_lossless_sizes
from depthwise.analysis.tutorial_table import write_tutorial_table
from depthwise.analysis.unread import Unread, find_unread
from depthwise.errors import GraphError, did_you_mean
from depthwise.graph import SizedGraph
from depthwise.layers.mixing import Opaque, Reshape
from depthwise.layers.ops import Shape, Size, format_shape

Distances = tuple[Pixels, ...]
Ratios = tuple[float, ...]


@dataclass(frozen=True)
class LayerAnalysis:
    """One row: a declared layer, or one operation of a traced module.  Per-axis values are (height, width).

    Attributes
    ----------
    name, kind
        The layer's name, and its class in lower case.
    input_shape, output_shape
        Shapes for one image, channels first.
    kernel
        What slides: ``(3x3x32)x64`` is 64 filters of 3x3 over 32 channels; ``3x3 /2`` a pool
        of stride 2 (the stride stands only where it is not the usual one); ``None`` for the rest.
    params
        Number of learned values; ``None`` while an output's width is unknown.
    buffers
        Number of values kept but not learned (running statistics of batch norms).
    macs
        Multiply-accumulates for one image.
    elementwise
        Operations on single values for one image: activations, norms, sums and products of maps.  Not in `macs`.
    activation_bytes
        Bytes of the row's output, once, in float32, for one image.
    receptive_field
        Pixels of the image that a unit sees, along the longest path; ``None`` behind the last map.
    least_receptive_field
        The same along the shortest path.
    reach, least_reach
        What the receptive field exceeds a unit's own cell by: the field of nolearn's tables.
    real_filter_size
        Kernel of the last filter in input pixels; ``None`` before the first.
    effective_stride
        Input pixels between neighboring units.
    start, center
        First pixel, and the middle, of what unit 0 sees; negative where it begins in the padding.
    effective_field
        Width within which 95 % of a unit's sensitivity lies at uniform weights, along the main path:
        4 sqrt(sum j^2 d^2 (k^2 - 1) / 12) over the windows of kernel k, dilation d and jump j.
    capacity
        min(1, real_filter_size / reach); ``None`` for the input and the head.
    coverage
        reach / side of the image; ``None`` for the input and the head.
    sees_all
        Whether a statistic of the whole map (GroupNorm) reaches every unit; the fields are then the local ones.
    spelled
        How the parameter count comes about: ``(3 x 3 x 32 + 1) x 64``.
    """

    name: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    kernel: str | None
    params: int | None
    buffers: int
    macs: int | None
    elementwise: int | None
    activation_bytes: int | None
    receptive_field: Size | None
    least_receptive_field: Size | None
    reach: Distances | None
    least_reach: Distances | None
    real_filter_size: Distances | None
    effective_stride: Distances | None
    start: Size | None
    center: Ratios | None
    effective_field: Ratios | None
    capacity: Ratios | None
    coverage: Ratios | None
    sees_all: bool
    spelled: str

    def to_dict(self) -> dict[str, Any]:
        """The row as values that JSON can hold; fractions of a pixel as numbers."""
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Analysis:
    """Everything that can be said of a network at one image size without running it.

    Attributes
    ----------
    layers
        One :class:`LayerAnalysis` a row, the input first.
    graph
        The operations it was measured on.
    """

    layers: tuple[LayerAnalysis, ...]
    graph: SizedGraph = field(repr=False)

    @property
    def input_shape(self) -> Shape:
        """Shape of one image."""
        return self.graph.input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of what comes out for one image."""
        return self.graph.output_shape

    @property
    def params(self) -> int:
        """Number of learned values, each once, those that nothing reads too; an output of unknown width is left out."""
        return sum(layer.params or 0 for layer in self.layers) + sum(count for _, count in self.graph.unused)

    @property
    def not_understood(self) -> tuple[tuple[str, str], ...]:
        """Row and function of traced operations that are not understood: fields behind them are not known."""
        nodes = self.graph.nodes
        return tuple((node.node.layer, node.op.function) for node in nodes if isinstance(node.op, (Opaque, Reshape)))

    @property
    def observed(self) -> bool:
        """Whether a traced module was run once to be read: where it chooses by values, images may take other ways."""
        return self.graph.observed

    @property
    def buffers(self) -> int:
        """Number of values that are kept but not learned."""
        return sum(layer.buffers for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image: convolutions, dense layers, matrix products, attention."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def elementwise(self) -> int:
        """Operations on single values for one image, listed apart from `macs`."""
        return sum(layer.elementwise or 0 for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all rows' outputs, each once, in float32, for one image; the input is left out."""
        return sum(layer.activation_bytes or 0 for layer in self.layers[1:])

    def __getitem__(self, name: str) -> LayerAnalysis:
        """Row of a layer, by name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        meant = did_you_mean(name, names)
        raise GraphError(f"no layer is called {name!r}.{meant} There are: {', '.join(names)}.")

    def region(self, layer: str, unit: tuple[int, ...] | None = None) -> Region:
        """Rectangle of the image that one unit of a layer sees.

        Parameters
        ----------
        layer
            Name of a row.
        unit
            Its position ``(y, x)`` in the layer's map; the middle one by default.

        Raises
        ------
        GraphError
            There is no such layer, or no such unit in its map.

        Examples
        --------
        >>> from depthwise.analysis import analyze_graph
        >>> from depthwise.graph import Graph
        >>> from depthwise.layers import Conv2D
        >>> analysis = analyze_graph(Graph.from_layers([Conv2D(8, padding="same")]).at((1, 28, 28)))
        >>> analysis.region("conv2d1", unit=(0, 5))
        Region(clipped=((0, 1), (4, 6)), unclipped=((-1, 1), (4, 6)))
        """
        size = tuple(side or 0 for side in self[layer].output_shape[1:])
        place = tuple(side // 2 for side in size) if unit is None else tuple(unit)
        if len(place) != len(size) or not all(0 <= at < side for at, side in zip(place, size, strict=True)):
            raise GraphError(
                f"layer {layer!r} has no unit {place}: its map is {format_shape(size) or 'one row of values'}. "
                f"Give {len(size)} positions, each from 0 to less than the map's side."
            )
        return find_region(self.graph, self._last_node(layer), place)

    @cached_property
    def unread(self) -> Unread:
        """Rows and columns of the image that the output does not depend on."""
        return find_unread(self.graph)

    @cached_property
    def misalignments(self) -> tuple[Misalignment, ...]:
        """Sums and stacks of maps that are shifted against each other by half a jump or more."""
        return find_misalignments(self.graph)

    @cached_property
    def views(self) -> UnitViews:
        """What every unit reads: exact intervals and masks of pixels."""
        return UnitViews(self.graph)

    def holes(self, layer: str) -> Size | None:
        """Most pixels that a unit of a layer leaves out between the first and the last that it reads, per axis.

        ``None`` behind the last map.

        Examples
        --------
        >>> from depthwise.analysis import analyze_graph
        >>> from depthwise.graph import Graph
        >>> from depthwise.layers import Conv2D
        >>> layers = [Conv2D(8, dilation=2), Conv2D(8, dilation=4)]
        >>> analyze_graph(Graph.from_layers(layers).at((1, 28, 28))).holes("conv2d2")
        (6, 6)
        """
        if self[layer].receptive_field is None:
            return None
        return tuple(self.views.holes(self._last_node(layer), axis) for axis in range(len(self.input_shape) - 1))

    def _last_node(self, layer: str) -> str:
        return [node.name for node in self.graph.nodes if node.node.layer == layer][-1]

    def memory(self, batch_size: int = 1, dtype: str = "float32", optimizer: str = "adam") -> Memory:
        """Bytes that the network takes to learn from, and to answer for, one batch.

        Parameters
        ----------
        batch_size
            Number of images.
        dtype
            Type of weights and activations: ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        optimizer
            Name as the estimator takes it.

        Examples
        --------
        >>> from depthwise.analysis import analyze_graph
        >>> from depthwise.graph import Graph
        >>> from depthwise.layers import Conv2D, Output
        >>> analysis = analyze_graph(Graph.from_layers([Conv2D(8), Output(10)]).at((1, 28, 28)))
        >>> memory = analysis.memory(batch_size=128)
        >>> memory.training, memory.largest_saved
        (4037024, ('conv2d1', 2768896))
        """
        return measure_memory(self.graph, batch_size=batch_size, dtype=dtype, optimizer=optimizer)

    def input_sizes(self) -> InputSizes | None:
        """Sizes of images between which every convolution is productive; ``None`` without convolutions.

        Examples
        --------
        >>> from depthwise.analysis import analyze_graph
        >>> from depthwise.graph import Graph
        >>> from depthwise.layers import Conv2D, MaxPool2D
        >>> analyze_graph(Graph.from_layers([Conv2D(8), MaxPool2D(), Conv2D(8)]).at((1, 28, 28))).input_sizes()
        InputSizes(lower=(8, 8), upper=(8, 8))
        """
        return find_input_sizes(self.graph)

    def lossless_sizes(self, least: int, most: int) -> tuple[tuple[int, ...], ...]:
        """Sides from `least` to `most` at which the output depends on every row, and on every column, of the image.

        Raises
        ------
        GraphError
            The network is not known at other sizes.
        """
        return find_lossless_sizes(self.graph, range(least, most + 1))

    def table(self, verbosity: int = 1, *, color: bool = False) -> str:
        """Table of the layers in the tutorials' form.

        Parameters
        ----------
        verbosity
            1: number, name, size; 2: capacity and coverage; 3: also filter and field, in input pixels.
        color
            Mark names with terminal colors: magenta (capacity below 1/6), cyan (coverage above 100 %), red (both).
        """
        return write_tutorial_table(self, verbosity, color)

    def explain(self) -> str:
        """How every parameter count comes about, layer by layer."""
        return write_explanation(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON can hold."""
        sizes = self.input_sizes()
        return {
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "params": self.params,
            "buffers": self.buffers,
            "macs": self.macs,
            "elementwise": self.elementwise,
            "activation_bytes": self.activation_bytes,
            "not_understood": [list(entry) for entry in self.not_understood],
            "observed": self.observed,
            "unread": _plain(vars(self.unread)),
            "misalignments": [_plain(vars(found)) for found in self.misalignments],
            "input_sizes": None if sizes is None else _plain(vars(sizes)),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def text(self, *, color: bool = False) -> str:
        """The modern table as text; ``color`` marks low capacity and high coverage for a terminal."""
        return layer_table(self).text(color=color, head_padding=0)

    def markdown(self) -> str:
        """The modern table as Markdown."""
        return layer_table(self).markdown()

    def html(self) -> str:
        """The modern table as HTML."""
        return layer_table(self).html()

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def _plain(value: object) -> object:
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return float(value) if isinstance(value, Fraction) else value
