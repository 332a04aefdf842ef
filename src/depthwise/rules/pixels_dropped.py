"""SHP003: rows and columns that strides and pools leave over."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.analysis.unread import find_unread
from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose, Pool, Window
from depthwise.layers.shapes import format_shape
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding, Remedy, name_each
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_change, percent, plural


@rule(
    "SHP003",
    "warning",
    title="A stride or pool drops the last rows or columns of its map.",
    why="A window that slides by more than one pixel may leave a rest that no step reaches. Where that rest is the "
    "only way of some input pixels, part of every image is never looked at. A dropped row of a map whose pixels "
    "other units read too is information only. Neither framework tells.",
    source="Arithmetic: the rest is (n + p_before + p_after - d (k - 1) - 1) mod s; counted in input pixels by walking "
    "back from the output.",
    bad=Example(
        (Conv2D(16), MaxPool2D(), Conv2D(32), Conv2D(32), MaxPool2D(), Conv2D(64), GlobalAvgPool2D(), Output(10)),
        (1, 28, 28),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            MaxPool2D(),
            Conv2D(64, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 28, 28),
    ),
    profiles=("natural", "segmentation", "detection"),
)
def pixels_dropped(facts: Facts) -> Iterator[Finding]:
    """Windows that drop a rest, all together."""
    droppers = [node for node in facts.nodes.values() if any(_dropped(node))]
    if not droppers:
        return
    unread = find_unread(facts.measured.graph)
    layers = layers_of(droppers)
    rests = [f"{format_shape(node.input_shapes[0][1:])} / {_stride(node)}" for node in droppers[:2]]
    why = ", ".join(dict.fromkeys(rests)) + (", ..." if len(droppers) > len(rests) else "")
    if not any(unread.counts):
        message = f"{sum(map(_count, droppers))} rows or columns of maps dropped, but no pixel of the image"
        yield pixels_dropped.finding(layers, message, why, severity="info", place=name_each(layers))
        return
    names = ("row", "column") if len(unread.counts) == 2 else ("position",) * len(unread.counts)
    counts = [plural(count, name) for count, name in zip(unread.counts, names, strict=True) if count]
    yield pixels_dropped.finding(
        layers,
        f"{' and '.join(counts)} of the image read by no unit, {percent(unread.share)} of its area",
        why,
        [_keep_rest(facts, droppers), Remedy("Use an image size that strides and pools divide")],
        place=name_each(layers),
    )


def _dropped(node: SizedNode) -> list[int]:
    """Real rows and columns at the end that no window reads."""
    op = node.op
    if not isinstance(op, Window) or isinstance(op, ConvTranspose) or not isinstance(op, (Conv, Pool)):
        return []
    axes = zip(node.input_shapes[0][1:], node.output_shape[1:], op.span, op.stride, op.sides, strict=True)
    # Where a stride steps over pixels, those after the last step are no rest: SHP008 speaks of them.
    return [max(0, (n or 0) - ((m or 0) - 1) * s + lo - max(k, s)) for n, m, k, s, (lo, _) in axes]


def _count(node: SizedNode) -> int:
    return sum(_dropped(node))


def _stride(node: SizedNode) -> str:
    assert isinstance(node.op, Window)
    return format_shape(node.op.stride) if len(set(node.op.stride)) > 1 else str(node.op.stride[0])


def _keep_rest(facts: Facts, droppers: list[SizedNode]) -> Remedy | None:
    """Let pools take a last, partial window, and convolutions pad."""
    pools = [node for node in droppers if isinstance(node.op, Pool)]
    others = [node for node in droppers if not isinstance(node.op, Pool)]
    edits = [Edit(node.name, "ceil_mode", True) for node in pools]
    edits += [Edit(node.name, "padding", _padded(node)) for node in others]
    if facts.root is not None and {node.name for node in droppers} <= facts.modules:
        return facts.remedy(order_to_change(facts, edits), edits)
    orders = []
    if pools:
        orders.append(f"ceil_mode=True on {name_each(layers_of(pools))}")
    if others:
        orders.append(f"padding on {name_each(layers_of(others))}")
    return facts.remedy(f"Set {' and '.join(orders)}", edits)


def _padded(node: SizedNode) -> tuple[tuple[int, int], ...]:
    """The padding with as many pixels more on both sides as the rest needs."""
    assert isinstance(node.op, Window)
    more = [-(-stride // 2) if rest else 0 for rest, stride in zip(_dropped(node), node.op.stride, strict=True)]
    return tuple((lo + extra, hi + extra) for (lo, hi), extra in zip(node.op.sides, more, strict=True))
