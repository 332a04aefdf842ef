"""What a rule may look at: an analyzed network, what is known of its task, and ways along its graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from depthwise.analysis import Analysis, LayerAnalysis
from depthwise.analysis.fields import Fields, measure_fields
from depthwise.analysis.health import TrainingHealth
from depthwise.errors import GraphError, SizeError
from depthwise.graph import Change, Edit, Graph, SizedNode
from depthwise.layers.layer import ACTIVATIONS
from depthwise.layers.ops import Activation, Conv, Dense, Op, Pool, Shape, Window
from depthwise.rules.finding import Fix, Remedy, Trial
from depthwise.rules.settings import are_settings, made_anew
from depthwise.rules.torch_words import write_module


@dataclass(frozen=True)
class Facts:
    """Everything that rules know.

    Attributes
    ----------
    graph
        The network as declared or traced.
    input_shape
        Shape of one image.
    analysis
        The network measured at that shape, or ``None`` where it does not fit.
    misfit
        Why it does not fit.
    n_outputs, loss, batch_size, profile
        What the user tells of the task; ``None`` where it is not told.
    root
        How the user calls a traced module (``model``); ``None`` for layer lists.
    modules
        Paths of its submodules; the other nodes are functions that ``forward`` calls.
    health
        What its training was like; ``None`` where it was not trained.
    """

    graph: Graph
    input_shape: Shape
    analysis: Analysis | None
    misfit: SizeError | None = None
    n_outputs: int | None = None
    loss: str | None = None
    batch_size: int | None = None
    profile: str = "natural"
    root: str | None = None
    modules: frozenset[str] = frozenset()
    health: TrainingHealth | None = None

    @property
    def measured(self) -> Analysis:
        """The analysis, for rules that need it."""
        assert self.analysis is not None
        return self.analysis

    @property
    def training(self) -> TrainingHealth:
        """What training was like, for rules that need it."""
        assert self.health is not None
        return self.health

    @property
    def size(self) -> tuple[int, ...]:
        """Sides of the image."""
        return tuple(side or 1 for side in self.input_shape[1:])

    @cached_property
    def nodes(self) -> dict[str, SizedNode]:
        """Sized nodes by name, in topological order."""
        return {node.name: node for node in self.measured.graph.nodes}

    @cached_property
    def readers(self) -> dict[str, tuple[SizedNode, ...]]:
        """Nodes that read each node."""
        found: dict[str, list[SizedNode]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for name in node.node.inputs:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def fields(self) -> dict[str, Fields | None]:
        """What each node sees of the image."""
        return measure_fields(self.measured.graph)

    @cached_property
    def rows(self) -> dict[str, LayerAnalysis]:
        """Rows of the analysis by name."""
        return {row.name: row for row in self.measured.layers}

    @cached_property
    def filters(self) -> tuple[SizedNode, ...]:
        """Convolutions before the head whose kernel is larger than one pixel: what looks at neighbors."""
        return tuple(node for node in self.nodes.values() if is_filter(node.op) and self.judged(node))

    @cached_property
    def weighted(self) -> tuple[SizedNode, ...]:
        """Convolutions and dense layers."""
        return tuple(node for node in self.nodes.values() if isinstance(node.op, (Conv, Dense)))

    @cached_property
    def deepest(self) -> SizedNode:
        """The last node of which capacity and coverage say something: what the head reads."""
        return next(node for node in reversed(self.nodes.values()) if self.judged(node) or not node.node.inputs)

    @property
    def last(self) -> SizedNode:
        """The output."""
        return self.measured.graph.nodes[-1]

    def judged(self, node: SizedNode) -> bool:
        """Whether capacity and coverage say something about the node: neither input nor head."""
        return self.rows[node.node.layer].coverage is not None

    @cached_property
    def head(self) -> tuple[SizedNode, ...]:
        """Nodes behind the last one that capacity and coverage say something about; none where a map comes out."""
        nodes = list(self.nodes.values())
        while nodes and not self.judged(nodes[-1]) and nodes[-1].node.inputs:
            nodes.pop()
        return tuple(self.nodes.values())[len(nodes) :]

    def source(self, node: SizedNode) -> SizedNode | None:
        """The node that a node reads, or ``None`` where there are several or none."""
        inputs = node.node.inputs
        return self.nodes[inputs[0]] if len(inputs) == 1 else None

    def reader(self, node: SizedNode) -> SizedNode | None:
        """The node that reads a node, or ``None`` where there are several or none."""
        readers = self.readers[node.name]
        return readers[0] if len(readers) == 1 else None

    def back(self, node: SizedNode) -> Iterator[SizedNode]:
        """Nodes before a node, as long as there is one way only."""
        before = self.source(node)
        while before is not None:
            yield before
            before = self.source(before)

    def strided(self, before: SizedNode | None = None) -> list[SizedNode]:
        """Windows that make the map smaller, in order; those in front of a node only."""
        found = []
        for node in self.nodes.values():
            if before is not None and node.name == before.name:
                break
            if isinstance(node.op, (Conv, Pool)) and is_strided(node.op) and self.judged(node):
                found.append(node)
        return found

    def remedy(self, title: str, edits: Iterable[Change], *, safe: bool = False) -> Remedy | None:
        """A remedy that the machine can carry out; ``None`` where the edited network would not fit together."""
        fix = Fix(tuple(edits), safe)
        trial = self.attempt(fix.edits)
        if trial is None:
            return None
        if self.root is None:
            return Remedy(title, fix, trial)
        told = {edit.node for edit in fix.edits if isinstance(edit, Edit)}
        anew = [
            f"{self.root}.{node.name} = {written}"
            for node in made_anew(self, trial.graph)
            if node.name not in told and node.name in self.modules and (written := write_module(node.op))
        ]
        more = f", with a new {' and '.join(anew)}" if anew else ""
        return Remedy(title + more, fix if are_settings(self, fix.edits, trial.graph) else None, trial)

    def whole_paths(self, names: set[str]) -> set[str]:
        """Shortest paths under which all nodes are among some, for each of them; its own name where there is none."""
        found = set()
        for name in names:
            parts = name.split(".")
            paths = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
            found.add(next(path for path in paths if self._under(path) <= names))
        return found

    def _under(self, path: str) -> set[str]:
        return {name for name in self.nodes if f"{name}.".startswith(f"{path}.")}

    def attempt(self, edits: Iterable[Change], input_shape: Shape | None = None) -> Trial | None:
        """The network with edits made, or at another input shape, if it fits together."""
        listed, shape = tuple(edits), tuple(side or 1 for side in (input_shape or self.input_shape))
        if (listed, shape) not in self._tried:
            self._tried[listed, shape] = self._attempted(listed, shape, resized=input_shape is not None)
        return self._tried[listed, shape]

    @cached_property
    def _tried(self) -> dict[tuple[tuple[Change, ...], Shape], Trial | None]:
        return {}

    def _attempted(self, edits: tuple[Change, ...], shape: tuple[int, ...], resized: bool) -> Trial | None:
        declared = [Edit(self.graph.nodes[0].name, "shape", shape)] if resized else []
        # The dense layers of a traced module have their width already; what stands before them may change it.
        loose = [Edit(node.name, "in_features", None) for node in self.graph.nodes if isinstance(node.op, Dense)]
        try:
            return Trial(self.measured, self.graph.edit([*edits, *declared]).at(shape))
        except GraphError:
            if self.root is None:
                return None
        try:
            return Trial(self.measured, self.graph.edit([*loose, *edits, *declared]).at(shape))
        except GraphError:
            return None

    def fresh(self, kind: str) -> str:
        """A name that no node has yet."""
        taken = {node.name for node in self.graph.nodes}
        place = len(taken)
        while f"{kind}{place}" in taken:
            place += 1
        return f"{kind}{place}"


NONLINEAR = frozenset(ACTIVATIONS) | {
    "celu", "rrelu", "prelu", "mish", "hardsigmoid", "hardtanh", "logsigmoid", "softsign", "softmin", "threshold",
}  # fmt: skip
"""Functions of each value that networks use as activations; a traced module may also add, scale or clamp."""

AFFINE = frozenset({"add", "sub", "rsub", "mul", "div", "neg", "clone", "contiguous", "to", "float"})
"""Functions of each value that leave a chain of linear maps linear."""


def is_activation(op: Op) -> bool:
    """Whether it is a nonlinearity, and not other arithmetic of a traced module."""
    return isinstance(op, Activation) and op.function in NONLINEAR


def is_filter(op: Op) -> bool:
    """Whether it is a convolution that looks at neighbors."""
    return isinstance(op, Conv) and max(op.kernel_size) > 1


def is_depthwise(op: Op) -> bool:
    """Whether each input channel has filters of its own."""
    own = isinstance(op, Conv) and op.groups == op.in_channels and (op.in_channels or 0) > 1
    return own or (isinstance(op, Conv) and op.multiplier is not None)


def is_strided(op: Window) -> bool:
    """Whether the map gets smaller."""
    return max(op.stride) > 1


def find_runs(nodes: Iterable[SizedNode], among: Iterable[SizedNode]) -> Iterator[tuple[SizedNode, ...]]:
    """Split nodes into runs that follow each other among others."""
    wanted = {node.name for node in nodes}
    run: list[SizedNode] = []
    for node in among:
        if node.name in wanted:
            run.append(node)
        elif run:
            yield tuple(run)
            run = []
    if run:
        yield tuple(run)


def layers_of(nodes: Iterable[SizedNode]) -> tuple[str, ...]:
    """Layers that nodes belong to, each once."""
    return tuple(dict.fromkeys(node.node.layer for node in nodes))
