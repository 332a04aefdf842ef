"""Which axis of the image each dimension of a traced tensor stands for.

A dimension is a product of atoms: the batch, channels, an axis of the image (or a piece of one), other positions.
Views and permutations only regroup atoms, so that tokens, NHWC maps and windows of a map stay a map of the image.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

from depthwise.layers.shapes import Shape

BATCH = "batch"
CHANNEL = "channel"
POSITION = "position"
"""Positions that are no axis of the image: tokens with a class token, bins of a sequence."""


class Atom(NamedTuple):
    """A factor of a dimension.

    Attributes
    ----------
    label
        ``"batch"``, ``"channel"``, ``"position"``, or the number of an axis of the image.
    size
        How many there are.
    below
        Positions of the axis that one step is worth: 1 for a whole axis, more for the outer piece of a split one.
    """

    label: str | int
    size: int
    below: int = 1


Dims = tuple[tuple[Atom, ...], ...]
"""Atoms of each dimension; a dimension of one may have none."""


class Traced:
    """A recorded tensor: the node that made it, its layout, and its shape as the graph has it."""

    __slots__ = ("dims", "node", "plain", "shape")

    def __init__(self, node: str, dims: Dims, shape: Shape, plain: bool = False) -> None:
        self.node = node
        self.dims = dims
        self.shape = shape
        self.plain = plain
        """Whether its dimensions are batch, channels and the axes in order."""

    def under(self, dims: Dims) -> Traced:
        """The same values under other dimensions."""
        return Traced(self.node, dims, self.shape, dims == map_dims(self.shape))


class Indices(Traced):
    """Where values were found: a tensor of whole numbers."""

    __slots__ = ()

    @classmethod
    def of(cls, values: Traced) -> Indices:
        """Places of values that were chosen, one for each."""
        return cls(values.node, values.dims, values.shape, values.plain)


@lru_cache(maxsize=1024)
def map_dims(shape: Shape) -> Dims:
    """Layout of an ordinary map or row of values with its batch.

    >>> [len(dim) for dim in map_dims((8, 28, 28))]
    [1, 1, 1, 1]
    """
    channels, *size = (side or 0 for side in shape)
    axes = tuple((Atom(axis, side),) for axis, side in enumerate(size))
    return ((Atom(BATCH, 1),), (Atom(CHANNEL, channels),), *axes)


@lru_cache(maxsize=1024)
def graph_shape(dims: Dims) -> Shape:
    """Shape of one image as a graph has it: channels, axes in order, other positions.

    >>> graph_shape(((Atom("batch", 1),), (Atom(1, 5),), (Atom(0, 4),), (Atom("channel", 3),)))
    (3, 4, 5)
    """
    channels, others = 1, []
    axes: dict[int, int] = {}
    for atom in atoms_of(dims):
        if atom.label == CHANNEL:
            channels *= atom.size
        elif atom.label == POSITION:
            others.append(atom.size)
        elif isinstance(atom.label, int):
            axes[atom.label] = axes.get(atom.label, 1) * atom.size
    return (channels, *(axes[axis] for axis in sorted(axes)), *others)


@lru_cache(maxsize=1024)
def tensor_shape(dims: Dims) -> tuple[int, ...]:
    """Shape of the tensor itself."""
    return tuple(prod(atom.size for atom in dim) for dim in dims)


def atoms_of(dims: Dims) -> list[Atom]:
    """All atoms in order."""
    return [atom for dim in dims for atom in dim]


def is_position(atom: Atom) -> bool:
    """Whether an atom counts positions."""
    return atom.label not in (BATCH, CHANNEL)


def is_channels(dim: tuple[Atom, ...]) -> bool:
    """Whether a dimension counts channels alone (or has size 1)."""
    return all(atom.label == CHANNEL or (atom.size == 1 and atom.label != BATCH) for atom in dim)


def channels(size: int) -> tuple[Atom, ...]:
    """A dimension of channels."""
    return (Atom(CHANNEL, size),)


def without_positions(dims: Dims) -> Dims:
    """The dimensions with positions of the image turned into other positions: their place is lost."""
    return tuple(tuple(Atom(POSITION, atom.size) if is_position(atom) else atom for atom in dim) for dim in dims)


def has_duplicates(dims: Dims) -> bool:
    """Whether a piece of an axis stands twice."""
    pieces = [(atom.label, atom.below) for atom in atoms_of(dims) if isinstance(atom.label, int)]
    return len(set(pieces)) < len(pieces)


def regroup(dims: Dims, sizes: tuple[int, ...]) -> Dims | None:
    """Layout of a view of the given sizes; ``None`` where an axis would be cut at a place that is no whole piece.

    >>> tokens = regroup(map_dims((8, 4, 4)), (1, 8, 16))
    >>> [[atom.size for atom in dim] for dim in tokens]
    [[1], [8], [4, 4]]
    """
    queue = atoms_of(dims)
    out: list[list[Atom]] = []
    for size in sizes:
        group: list[Atom] = []
        have = 1
        while queue and (have < size or (size == 1 and not group and queue[0].size == 1)):
            atom = queue.pop(0)
            wanted = size // have
            if atom.size > wanted:
                if size % have or atom.size % wanted:
                    return None
                inner = atom.size // wanted
                queue.insert(0, atom._replace(size=inner))
                whole = isinstance(atom.label, int)
                atom = atom._replace(size=wanted, below=atom.below * inner if whole else 1)
            group.append(atom)
            have *= atom.size
        if have != size:
            return None
        out.append(group)
    if any(atom.size != 1 for atom in queue):
        return None
    if out:
        out[-1].extend(queue)
    return tuple(tuple(_joined(group)) for group in out)


def _joined(group: list[Atom]) -> list[Atom]:
    """Neighbors that are pieces of one axis, or both channels, as one atom."""
    joined: list[Atom] = []
    for atom in group:
        last = joined[-1] if joined else None
        if last and last.label == atom.label and atom.label in (CHANNEL, BATCH):
            joined[-1] = last._replace(size=last.size * atom.size)
        elif last and last.label == atom.label and isinstance(atom.label, int) and last.below == atom.below * atom.size:
            joined[-1] = Atom(atom.label, last.size * atom.size, atom.below)
        else:
            joined.append(atom)
    return joined


def broadcast(layouts: list[Dims]) -> Dims | None:
    """Layout of what comes out where tensors are combined value by value; ``None`` where their places differ."""
    rank = max(map(len, layouts))
    padded = [((),) * (rank - len(dims)) + dims for dims in layouts]
    out: list[tuple[Atom, ...]] = []
    for dims in zip(*padded, strict=True):
        sizes = [prod(atom.size for atom in dim) for dim in dims]
        largest = max(sizes)
        full = [dim for dim, size in zip(dims, sizes, strict=True) if size == largest]
        placed = {dim for dim in full if any(map(is_position, dim))}
        if len(placed) > 1 or any(size not in (1, largest) for size in sizes):
            return None
        out.append(placed.pop() if placed else full[0])
    return None if has_duplicates(tuple(out)) else tuple(out)
