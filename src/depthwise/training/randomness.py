"""One seed -> all that is random in training, and nothing of it left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet


class Seeds:
    """Seeds of all that is random, independent of each other.

    Parameters
    ----------
    seed
        Of the whole fit.
    epochs_done
        So that a warm start goes on with other batches; weights and split depend on `seed` alone.
    rank
        Of one of several processes: it makes other noise, in its share of the same batches.
    """

    def __init__(self, seed: int, epochs_done: int = 0, rank: int = 0) -> None:
        self.weights, self.split = _draw(seed, 0)
        self.order, _ = _draw(seed, epochs_done + 1)
        _, self.noise = _draw(seed, epochs_done + 1, rank)  # a zero at the end changes nothing


def _draw(*entropy: int) -> tuple[int, int]:
    first, second = np.random.SeedSequence(entropy).generate_state(2)
    return int(first), int(second)


@contextmanager
def own_randomness(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """PyTorch's own generators, which dropout draws from, are afterwards as they were before; inside from a seed."""
    with torch.random.fork_rng(devices=_cuda(device)):
        if seed is not None:
            seed_noise(seed, device)
        yield


def reading(net: NeuralNet) -> AbstractContextManager[None]:
    """Inside a data set that makes its images at random makes those of the network's seed."""
    return own_randomness(net.device_, Seeds(net.seed_).noise)


def seed_noise(seed: int, device: torch.device) -> None:
    """Seed PyTorch's own generators."""
    torch.default_generator.manual_seed(seed)
    for index in _cuda(device):
        with torch.cuda.device(index):
            torch.cuda.manual_seed(seed)


def _cuda(device: torch.device) -> list[int]:
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]
