"""Mends that several rules propose: more pooling, less downsampling, a shorter network, larger images."""

from __future__ import annotations

from collections.abc import Sequence

from depthwise.graph import Change, Edit, Insert, Remove, SizedNode
from depthwise.layers.ops import Merge, Pool
from depthwise.rules.facts import Facts
from depthwise.rules.finding import Remedy, name_run
from depthwise.rules.wording import order_to_put, order_to_remove, order_to_replace, order_to_set, pixels

MOST_PATHS = 3
"""Submodules that an order names one by one."""

STEM_KERNEL = 3
"""Side of a first kernel once its stride is gone.  Richter and others: (Input) Size Matters for CNN
Classifiers, ICANN 2021."""


def pool_before(facts: Facts, node: SizedNode) -> Remedy | None:
    """Put a 2x2 max pooling in front of a node: every filter from it on looks twice as wide."""
    source = facts.source(node)
    if source is None or len(source.output_shape) == 1:
        return None
    rank = len(source.output_shape) - 1
    # A last row that fills no window would be dropped.
    partial = any((side or 0) % 2 for side in source.output_shape[1:])
    name = facts.fresh("maxpool2d")
    pool = Pool(
        function="max",
        kernel_size=(2,) * rank,
        stride=(2,) * rank,
        padding=((0, 0),) * rank,
        dilation=(1,) * rank,
        ceil_mode=partial,
    )
    insert = Insert(source.name, pool, name, name, "maxpool2d")
    layer, module = f"MaxPool2D({'ceil_mode=True' * partial})", f"nn.MaxPool2d(2{', ceil_mode=True' * partial})"
    title = order_to_put(facts, layer, module, "before", node)
    return facts.remedy(title, [insert]) or _padded(facts, node, title, insert)


def _padded(facts: Facts, node: SizedNode, title: str, insert: Insert) -> Remedy | None:
    """The same where the smaller map is too small for what follows, unless that is padded."""
    names = [other.name for other in facts.filters]
    if node.name not in names:
        return None
    behind = facts.filters[names.index(node.name) :]
    pads = [Edit(other.name, "padding", "same") for other in behind if not any(map(any, other.op.sides))]  # type: ignore[attr-defined]
    return facts.remedy(f'{title} and set padding="same" from there on', [insert, *pads])


def less_downsampling(facts: Facts, flagged: Sequence[SizedNode]) -> Remedy | None:
    """Take the downsampling out, stem first, that brings what the flagged nodes reach back into the image.

    Behind a window of stride s at reach r, everything that reaches R then reaches r + (R - r) / s.
    """
    best: tuple[bool, SizedNode] | None = None
    for window in sorted(facts.strided(before=flagged[0]), key=lambda node: not isinstance(node.op, Pool)):
        fits = all(
            here.reach + (far.reach - here.reach) / stride <= side
            for here, far, stride, side in zip(
                facts.fields[window.name] or (),
                facts.fields[flagged[-1].name] or (),
                window.op.stride,  # type: ignore[attr-defined]
                facts.size,
                strict=True,
            )
        )
        if best is None or (fits and not best[0]):
            best = (fits, window)
    return None if best is None else _without_stride(facts, best[1])


def _without_stride(facts: Facts, window: SizedNode) -> Remedy | None:
    op = window.op
    if isinstance(op, Pool):
        return facts.remedy(order_to_remove(facts, [window.node.layer]), [Remove(window.name)])
    rank = len(window.output_shape) - 1
    value: object = 1 if facts.root is None else (1,) * rank
    together = [window, *_beside(facts, window)]
    edits: list[Change] = [Edit(node.name, "stride", (1,) * rank) for node in together]
    if window.name == facts.filters[0].name and min(window.op.kernel_size) > STEM_KERNEL:  # type: ignore[attr-defined]
        small: object = STEM_KERNEL if facts.root is None else (STEM_KERNEL,) * rank
        edits.append(Edit(window.name, "kernel_size", (STEM_KERNEL,) * rank))
        edits.append(Edit(window.name, "padding", ((STEM_KERNEL // 2,) * 2,) * rank))
        if facts.root is not None:
            order = order_to_replace(facts, together, "kernel_size", small, edits)
        else:
            order = f"{order_to_set(facts, together, 'stride', value)} and kernel_size={small}"
        return facts.remedy(order, edits)
    return facts.remedy(order_to_set(facts, together, "stride", value), edits)


def _beside(facts: Facts, window: SizedNode) -> list[SizedNode]:
    """Windows on the other ways around a block, which must lose their stride together with one."""
    return [
        node
        for node in facts.strided()
        if node.name != window.name
        and node.op.stride == window.op.stride  # type: ignore[attr-defined]
        and node.input_shapes[0][1:] == window.input_shapes[0][1:]
    ]


def cut_tail(facts: Facts, flagged: Sequence[SizedNode]) -> Remedy | None:
    """Take out everything from the first flagged node up to the head, if all filters there are flagged."""
    names = [node.name for node in facts.filters]
    start = names.index(flagged[0].name)
    branched = any(isinstance(node.op, Merge) for node in facts.nodes.values())
    if not facts.head or start == 0 or (len(flagged) < len(names) - start and not branched):
        return None
    top = _unit(facts, flagged[0])
    order = list(facts.nodes.values())
    first = next(place for place, node in enumerate(order) if _is_within(node, top))
    head = order.index(facts.head[0])
    gone = [node for node in order[first:head] if node.node.layer != order[head].node.layer]
    if not gone or facts.filters[0] in gone:
        return None
    edits = [Remove(node.name) for node in gone]
    if facts.root is None:
        return facts.remedy(f"Cut {name_run(dict.fromkeys(node.node.layer.partition('.')[0] for node in gone))}", edits)
    whole = facts.whole_paths({node.name for node in gone})
    paths = sorted(whole, key=lambda path: next(place for place, node in enumerate(order) if _is_within(node, path)))
    if not whole <= facts.modules:
        return facts.remedy(f"Cut {name_run(paths)}", edits)
    listed = " = ".join(f"{facts.root}.{path}" for path in paths[:MOST_PATHS])
    return facts.remedy(f"Set {listed}{' = ...' * (len(paths) > MOST_PATHS)} = nn.Identity()", edits)


def _unit(facts: Facts, node: SizedNode) -> str:
    """What is cut as a whole: a block of a layer list, or the largest submodule that does not hold the stem too."""
    if facts.root is None:
        return node.node.layer.partition(".")[0]
    parts = node.name.split(".")
    paths = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return next((path for path in paths if not _is_within(facts.filters[0], path)), node.name)


def _is_within(node: SizedNode, layer: str) -> bool:
    return f"{node.name}.".startswith(f"{layer}.") or f"{node.node.layer}.".startswith(f"{layer}.")


def larger_images(facts: Facts, sides: Sequence[int]) -> Remedy | None:
    """Tell from which image size on the finding would be gone, and what that would cost."""
    wanted = tuple(max(side, now) for side, now in zip(sides, facts.size, strict=True))
    if wanted == facts.size:
        return None
    trial = facts.attempt((), (facts.input_shape[0], *wanted))
    return None if trial is None else Remedy(f"Use images of {pixels(wanted)} or more", None, trial)
