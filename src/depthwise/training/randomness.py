"""One seed -> all that is random in training, and nothing of it left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class Seeds:
    """Seeds of all that is random, independent of each other.

    Parameters
    ----------
    seed
        Of the whole fit.
    epochs_done
        So that a warm start goes on with other batches; weights and split depend on `seed` alone.
    """

    def __init__(self, seed: int, epochs_done: int = 0) -> None:
        self.weights, self.split = _draw(seed, 0)
        self.order, self.noise = _draw(seed, epochs_done + 1)


def _draw(*entropy: int) -> tuple[int, int]:
    first, second = np.random.SeedSequence(entropy).generate_state(2)
    return int(first), int(second)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """PyTorch's own generators, which dropout draws from, seeded inside and as before outside."""
    cuda = [device.index if device.index is not None else torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        yield
