"""Outputs of a network -> probabilities, whatever its last operation leaves to do."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.errors import DataError, DepthwiseError
from depthwise.inspection.asking import compute_outputs, to_tensor, undisturbed
from depthwise.layers.ops import Activation, Conv, Dense, Dropout, Flatten, Norm, Op
from depthwise.modules import Network
from depthwise.trace import trace_module

Score = Literal["probability", "output"]
Link = Literal["softmax", "sigmoid", "identity"]
"""What makes probabilities of outputs."""

ROUNDING = 1e-3
"""By how much rows of probabilities may miss a sum of 1: float16 keeps eleven bits."""


def find_link(module: nn.Module, images: Tensor, outputs: Tensor) -> Link:
    """What makes probabilities of a network's outputs.

    The softmax over the classes; of a network with one output the sigmoid, which tells the second of two classes.
    Nothing where the network ends in one of them: its outputs are probabilities.  (After a log-softmax a second softmax
    gives the probabilities, too.)

    Parameters
    ----------
    module
        In evaluation mode.
    images
        Shape ``(n_images, channels, height, width)``.
    outputs
        What it gives for them, shape ``(n_images, n_outputs)``.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Softmax(1))
    >>> images = torch.rand(3, 1, 2, 2)
    >>> find_link(net, images, net(images)), find_link(net[:2], images, net[:2](images))
    ('identity', 'softmax')
    """
    usual: Link = "softmax" if outputs.shape[1] > 1 else "sigmoid"
    if bool(((outputs < 0) | (outputs > 1 + ROUNDING)).any()):
        return usual  # the common case, and no need to ask what the last operation is
    last = _last_op(module, tuple(images.shape[1:]))
    if isinstance(last, Activation) and last.function in ("softmax", "sigmoid"):
        return "identity"
    if isinstance(last, (Conv, Dense, Norm)) or usual == "sigmoid":
        return usual
    # A mean of several networks' probabilities, a script, and the like.
    return "identity" if bool(((outputs.sum(1) - 1).abs() <= ROUNDING).all()) else usual


def apply_link(outputs: Tensor, link: Link) -> Tensor:
    """Probabilities of outputs, of the same shape."""
    if link == "identity":
        return outputs
    return torch.softmax(outputs, 1) if link == "softmax" else torch.sigmoid(outputs)


def read_probabilities(module: nn.Module, images: Tensor, outputs: Tensor) -> Tensor:
    """Probabilities that a network's outputs for images tell, of their shape; arguments as for :func:`find_link`."""
    return apply_link(outputs, find_link(module, images, outputs))


def compute_probabilities(module: nn.Module, images: ArrayLike | Tensor) -> NDArray[np.float64]:
    """Probability of each class for images, in evaluation mode; the module is left as it was.

    Raises
    ------
    DataError
        The images do not go through the network.
    TargetError
        The network does not give one finite value a class.

    Examples
    --------
    >>> compute_probabilities(nn.Flatten(), np.zeros((1, 1, 2, 2)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    tensor = to_tensor(module, images)
    with undisturbed(module):
        found = read_probabilities(module, tensor, compute_outputs(module, tensor).double())
    probabilities: NDArray[np.float64] = found.cpu().numpy()
    return probabilities


def choose_score(outputs: Tensor, score: Score | None) -> Score:
    """Probabilities where there are classes to share them.

    Raises
    ------
    DataError
        There is no such score.
    """
    if score is None:
        return "probability" if outputs.shape[1] > 1 else "output"
    if score not in ("probability", "output"):
        raise DataError(f"score is {score!r} but must be 'probability' or 'output'.")
    return score


def score_outputs(outputs: Tensor, targets: Tensor, link: Link) -> Tensor:
    """The explained number of each row: that of its target, made a probability by the link."""
    return apply_link(outputs.float(), link).gather(1, targets[:, None])[:, 0]


def _last_op(module: nn.Module, shape: tuple[int, ...]) -> Op | None:
    """The operation that makes the values that come out; ``None`` where the module cannot be traced."""
    try:
        graph = module.sized if isinstance(module, Network) else trace_module(module, shape).at()
    except DepthwiseError:
        return None
    nodes = {node.name: node for node in graph.nodes}
    node = graph.nodes[-1]
    while isinstance(node.op, (Flatten, Dropout)):
        node = nodes[node.node.inputs[0]]
    return node.op
