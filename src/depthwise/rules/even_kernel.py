"""SHP005: kernels without a middle."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Edit, SizedNode
from depthwise.layers import Conv2D, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Conv, ConvTranspose, Pool
from depthwise.rules.facts import Facts, find_runs, layers_of
from depthwise.rules.finding import Finding, Remedy
from depthwise.rules.rule import Example, rule
from depthwise.rules.torch_words import square
from depthwise.rules.wording import order_to_replace, pixels


@rule(
    "SHP005",
    "info",
    title="A kernel of even size slides by single pixels.",
    why="Such a kernel has no middle: with any padding its output is shifted by half a pixel, and the shifts of "
    "several layers add up. Sums with other branches are then out of place.",
    source="Arithmetic: (k - 1) / 2 pixels on both sides is whole only for odd k.",
    bad=Example(
        (
            Conv2D(16, 4, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 10, 10),
    ),
    good=Example(
        (
            Conv2D(16, 3, padding="same"),
            MaxPool2D(),
            Conv2D(32, padding="same"),
            GlobalAvgPool2D(),
            Output(10),
        ),
        (1, 10, 10),
    ),
)
def even_kernel(facts: Facts) -> Iterator[Finding]:
    """Runs of windows of even side and stride 1."""
    windows = [node for node in facts.nodes.values() if isinstance(node.op, (Conv, Pool)) and facts.judged(node)]
    for run in find_runs([node for node in windows if _is_even(node)], windows):
        fields = facts.fields[run[-1].name] or ()
        shift = tuple(
            sum(float(_jump(facts, node, axis)) / 2 for node in run if _even_on(node, axis))
            for axis in range(len(fields))
        )
        kernels = dict.fromkeys(square(node.op.kernel_size) for node in run)  # type: ignore[attr-defined]
        yield even_kernel.finding(
            layers_of(run),
            f"kernel_size={' and '.join(kernels)} has no middle",
            f"shifts the view by {pixels(shift)}",
            [_odd(facts, run)],
        )


def _is_even(node: SizedNode) -> bool:
    return any(_even_on(node, axis) for axis in range(len(node.output_shape) - 1))


def _even_on(node: SizedNode, axis: int) -> bool:
    op = node.op
    assert isinstance(op, (Conv, Pool))
    return op.stride[axis] == 1 and op.span[axis] % 2 == 0 and not isinstance(op, ConvTranspose)


def _jump(facts: Facts, node: SizedNode, axis: int) -> float:
    fields = facts.fields[node.name]
    return float(fields[axis].jump) if fields else 0.0


def _odd(facts: Facts, run: tuple[SizedNode, ...]) -> Remedy | None:
    """The next smaller odd kernel, 3 for 2; a padding in pixels follows."""
    edits = []
    for node in run:
        op = node.op
        assert isinstance(op, (Conv, Pool))
        if max(op.dilation) > 1 or isinstance(op, Pool):
            return None
        odd = tuple(k - 1 if k % 2 == 0 and k > 2 else 3 if k == 2 else k for k in op.kernel_size)
        edits.append(Edit(node.name, "kernel_size", odd))
        if op.padding != "same" and max(map(max, op.padding)):
            edits.append(Edit(node.name, "padding", tuple(((k - 1) // 2,) * 2 for k in odd)))
    kernels = {square(edit.value) for edit in edits if edit.attribute == "kernel_size"}  # type: ignore[arg-type]
    wanted = kernels.pop() if len(kernels) == 1 else "odd sizes"
    return facts.remedy(order_to_replace(facts, run, "kernel_size", wanted, edits), edits)
