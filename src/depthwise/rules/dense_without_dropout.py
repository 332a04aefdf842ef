"""REG001: hidden dense layers that nothing regularizes."""

from __future__ import annotations

from collections.abc import Iterator

from depthwise.graph import Insert
from depthwise.layers import Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, Output
from depthwise.layers.ops import Dense as DenseOp
from depthwise.layers.ops import Dropout as DropoutOp
from depthwise.layers.ops import Norm
from depthwise.rules.facts import Facts, layers_of
from depthwise.rules.finding import Finding
from depthwise.rules.rule import Example, rule
from depthwise.rules.wording import order_to_put

USUAL_P = 0.5


@rule(
    "REG001",
    "info",
    title="Dense layers follow each other without dropout or norm between them.",
    why="Hidden dense layers have many weights for each image and learn training images by heart first. Dropout "
    "between them is cheap insurance; with batch norm it matters less.",
    source="Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout, JMLR 2014; nolearn's tutorial "
    "advises it.",
    bad=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            GlobalAvgPool2D(),
            Dense(64),
            Output(10),
        ),
        (1, 16, 16),
    ),
    good=Example(
        (
            Conv2D(16, padding="same"),
            MaxPool2D(),
            *[Conv2D(32, padding="same")] * 2,
            GlobalAvgPool2D(),
            Dense(64),
            Dropout(),
            Output(10),
        ),
        (1, 16, 16),
    ),
)
def dense_without_dropout(facts: Facts) -> Iterator[Finding]:
    """The head, where it has hidden dense layers and nothing of the kind."""
    head = [node for node in facts.nodes.values() if len(node.output_shape) == 1]
    dense = [node for node in head if isinstance(node.op, DenseOp)]
    if len(dense) < 2 or any(isinstance(node.op, (DropoutOp, Norm)) for node in head):
        return
    hidden = dense[:-1]
    end = hidden[-1]
    while (reader := facts.reader(end)) is not None and reader.node.layer == end.node.layer:
        end = reader
    name = facts.fresh("dropout")
    insert = Insert(end.name, DropoutOp(p=USUAL_P), name, name, "dropout")
    yield dense_without_dropout.finding(
        layers_of(hidden),
        "hidden dense layers without dropout or norm",
        f"{sum(node.node.params or 0 for node in hidden):,} parameters",
        [facts.remedy(order_to_put(facts, "Dropout()", "nn.Dropout()", "behind", end), [insert])],
    )
