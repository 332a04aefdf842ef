"""How many epochs there are, and how many images a step takes in each."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def n_epochs(max_epochs: int, batch_size: Any) -> int:
    """Epochs of a whole training: `max_epochs`, or those of all stages.

    >>> n_epochs(10, 128), n_epochs(10, [(10, 32), (5, 256), (5, 1024)])
    (10, 20)
    """
    return max_epochs if not isinstance(batch_size, (list, tuple)) else sum(epochs for epochs, _ in batch_size)


def batch_size_of(epoch: int, batch_size: Any) -> int:
    """Images a step in an epoch, counted from 0; after the last stage it goes on.

    >>> [batch_size_of(epoch, [(2, 32), (1, 256)]) for epoch in range(5)]
    [32, 32, 256, 256, 256]
    """
    if not isinstance(batch_size, (list, tuple)):
        return int(batch_size)
    for epochs, size in batch_size:
        if epoch < epochs:
            return int(size)
        epoch -= epochs
    return int(batch_size[-1][1])


def is_batch_size(value: Any) -> bool:
    """Whether it is a whole number, or a list of pairs of whole numbers, all of 1 or more."""
    if isinstance(value, (list, tuple)):
        pairs = [pair for pair in value if isinstance(pair, (list, tuple)) and len(pair) == 2]
        return bool(value) and len(pairs) == len(value) and all(_positive(n) for pair in pairs for n in pair)
    return _positive(value)


def _positive(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
