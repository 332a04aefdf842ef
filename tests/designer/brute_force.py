"""Every design by enumeration, judged by the analysis alone: what the designer has to agree with.

Knows nothing of the designer's arithmetic: it lets skeletons grow by one unit or stage until they break an upper bound,
builds each network from layers, and asks the analysis for fields, sizes, unread pixels and costs.
"""

from __future__ import annotations

from depthwise.analysis import Analysis, analyze_graph
from depthwise.errors import SizeError
from depthwise.graph import Graph
from depthwise.layers import Conv2D, GlobalAvgPool2D, Layer, MaxPool2D, Output, Residual, SeparableConv2D

WIDTHS = (8, 16, 24, 32, 48, 64)


def build(
    units: tuple[int, ...], halvings: tuple[object, ...], width: int, block: str, downsampling: str | None,
    padding: str, kernel: int, norm: str | None,
) -> tuple[Layer, ...]:  # fmt: skip
    """The convolutions and pools of a skeleton."""
    options = {"padding": padding, "bias": norm is None, "norm": norm}
    kind = SeparableConv2D if block == "separable" else Conv2D
    layers: list[Layer] = [Conv2D(width, kernel, **options)]
    for stage, count in enumerate(units):
        channels = min(512, width * 2**stage)
        if stage and downsampling == "stride":
            layers.append(kind(channels, kernel, stride=halvings[stage - 1], **options))
        elif stage:
            layers += [MaxPool2D(halvings[stage - 1]), kind(channels, kernel, **options)]
        pair = Conv2D(channels, kernel, **options), Conv2D(channels, kernel, activation=None, **options)
        layers += [Residual(pair) if block == "residual" else kind(channels, kernel, **options)] * count
    return tuple(layers)


def halvings_of(shape: tuple[int, int, int], before: tuple[object, ...]) -> list[object]:
    """Ways to halve: both sides, or the longer side of an oblong image alone while the map is longer there."""
    _, height, width = shape
    alone = None if height == width else (1, 2) if height < width else (2, 1)
    for halving in before:
        down, across = (halving, halving) if isinstance(halving, int) else halving
        height, width = height / down, width / across
    longer = {(1, 2): width > height, (2, 1): height > width, None: False}[alone]
    return [2, alone] if longer else [2]


def valid_networks(
    shape: tuple[int, int, int], n_classes: int, *, block: str = "plain", downsampling: str | None = "pool",
    padding: str = "same", kernel: int = 3, norm: str | None = None, capacity: float = 1 / 6,
    coverage: tuple[float, float] = (0.9, 1.0), measure: str = "reach",
) -> list[tuple[tuple[Layer, ...], int, int, Analysis]]:  # fmt: skip
    """Layers, depth, first width and analysis of every network that obeys the rules."""
    found = []
    head = (GlobalAvgPool2D(), Output(n_classes))
    grown: list[tuple[tuple[int, ...], tuple[object, ...]]] = [((0,), ())]
    while grown:
        units, halvings = grown.pop()
        small = build(units, halvings, 8, block, downsampling, padding, kernel, norm)
        try:
            analysis = analyze_graph(Graph.from_layers((*small, *head)).at(shape))
        except SizeError:
            continue
        if not keeps_bounds(analysis, capacity, coverage[1], measure):
            continue  # nor does anything that goes on from here
        grown.append(((*units[:-1], units[-1] + 1), halvings))
        if downsampling is not None:
            grown += [((*units, 0), (*halvings, halving)) for halving in halvings_of(shape, halvings)]
        if downsampling == "stride" and halvings and units[-1] == 0:
            continue  # a stride at the end halves for nobody
        if not ends_well(analysis, coverage[0], measure):
            continue
        depth = len(units) + (2 if block == "residual" else 1) * sum(units)
        for width in WIDTHS:
            layers = (*build(units, halvings, width, block, downsampling, padding, kernel, norm), *head)
            found.append((layers, depth, width, analyze_graph(Graph.from_layers(layers).at(shape))))
    return found


def convolutions(analysis: Analysis):
    return [row for row in analysis.layers if "conv" in row.kind]


def keeps_bounds(analysis: Analysis, capacity: float, most: float, measure: str) -> bool:
    """Whether every convolution keeps the least capacity and the most coverage."""
    for row in convolutions(analysis):
        seen = getattr(row, measure)
        filters = zip(row.real_filter_size, seen, strict=True)
        if any(size / view < capacity - 1e-9 for size, view in filters):
            return False
        if any(view / side > most + 1e-9 for view, side in zip(seen, analysis.input_shape[1:], strict=True)):
            return False
    return True


def ends_well(analysis: Analysis, least: float, measure: str) -> bool:
    """Whether the last convolution sees enough, and every pixel is read."""
    seen = getattr(convolutions(analysis)[-1], measure)
    shares = [view / side for view, side in zip(seen, analysis.input_shape[1:], strict=True)]
    return min(shares) >= least - 1e-9 and not any(analysis.unread.counts)


def front(found, limits: dict[str, int], batch_size: int = 128):
    """Networks within the limits that no other one beats, as a set of layer lists."""
    names = ["params", "macs", "activation_bytes", *(["training_memory"] if "training_memory" in limits else [])]
    rated = []
    for layers, depth, width, analysis in found:
        costs = {name: getattr(analysis, name) for name in names[:3]}
        if len(names) > 3:
            costs["training_memory"] = analysis.memory(batch_size).training
        if all(costs[name] <= bound for name, bound in limits.items()):
            rated.append(((-depth, -width, *costs.values()), layers))
    return {
        layers
        for merits, layers in rated
        if not any(other != merits and all(a <= b for a, b in zip(other, merits, strict=True)) for other, _ in rated)
    }
