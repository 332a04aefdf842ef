"""How much a network minds when a part of the image is covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.errors import DataError, TargetError
from depthwise.inspection.asking import (
    Array,
    autocast,
    batch_length,
    choose_targets,
    compute_outputs,
    demand_maps,
    demand_module,
    read_fill,
    to_array,
    to_tensor,
    undisturbed,
)
from depthwise.inspection.patches import GROUP, compute_chain, covered_outputs, find_chain, is_worthwhile
from depthwise.inspection.probabilities import Score, choose_score, find_link, score_outputs
from depthwise.inspection.running import run_module
from depthwise.modules.folding import fold

SQUARE = 7
"""Side of the square in nolearn and netz."""
MOST_CENTERS = 28
"""Centers along the longer side, by default: every pixel of a MNIST digit, every eighth of a photograph of 224."""


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Scores of images of which one square was covered.

    Attributes
    ----------
    images
        What was looked at, shape ``(n_images, channels, height, width)``.
    targets
        Column of the output that was explained, for each image.
    score
        ``"probability"`` or ``"output"``.
    clean
        Score of each whole image.
    scores
        Score with a square around each center covered, shape ``(n_images, len(rows), len(columns))``.
    rows, columns
        Pixels that the squares were centered at.
    square
        Height and width of the square.
    fill
        What it was filled with, one value a channel.
    """

    images: Array
    targets: NDArray[np.int64]
    score: Score
    clean: Array
    scores: Array
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    square: tuple[int, int]
    fill: Array

    @property
    def drops(self) -> Array:
        """By how much the score fell, at each center."""
        fallen: Array = self.clean[:, None, None] - self.scores
        return fallen

    @property
    def maps(self) -> Array:
        """The drop at each pixel, that of the nearest center, shape ``(n_images, height, width)``."""
        height, width = self.images.shape[2:]
        rows, columns = _nearest(self.rows, height), _nearest(self.columns, width)
        return self.drops[:, rows[:, None], columns]


def occlude(
    module: nn.Module,
    images: ArrayLike | Tensor,
    targets: ArrayLike | Tensor | None = None,
    *,
    square: int | tuple[int, int] = SQUARE,
    stride: int | tuple[int, int] | None = None,
    fill: ArrayLike | None = None,
    score: Score | None = None,
    precision: str = "float32",
    max_bytes: int | None = None,
) -> Occlusion:
    """Cover a square around one pixel after the other, and see what becomes of the score.

    At center c a square of side k covers the pixels within k/2 of c: of an even side, half of the outermost pixels on
    both sides.  Beyond the border it is cut off.  The module is left as it was.

    Parameters
    ----------
    module
        Any network of one input that gives one value a class.
    images
        Shape ``(n_images, channels, height, width)``.
    targets
        Column of the output to explain, one for each image or for all; by default the largest output of each.
    square
        Side, or height and width, in pixels.
    stride
        Pixels from center to center; by default 1 for sides up to 28 pixels, and 28 centers for larger ones.
    fill
        One value, or one a channel; by default the mean of the training images as a standardizing network keeps it,
        for other modules 0.
    score
        ``"probability"``, the default where there are two outputs or more, or ``"output"``.  The probability is the
        softmax of the output, of a single one the sigmoid, or the output itself where the network ends in one of them.
    precision
        ``"float32"``, or ``"bfloat16"`` (autocast), faster where the hardware multiplies it natively.
    max_bytes
        Memory that the maps of a batch may take; by default 64 MiB on the processor and 2 GiB on an accelerator.

    Raises
    ------
    DataError
        An argument is out of range, or the images do not go through the network.
    TargetError
        The network does not give one finite value a class.

    References
    ----------
    Zeiler and Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(25, 2, bias=False))
    >>> with torch.no_grad():
    ...     _ = net[1].weight.zero_()
    ...     net[1].weight[0, 12] = 1.0  # sees the pixel in the middle alone
    >>> occlude(net, torch.ones(1, 1, 5, 5), square=3, score="output").maps[0].astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    module = demand_module(module)
    tensor = to_tensor(module, images)
    demand_maps(tensor)
    height, width = tensor.shape[2:]
    sides = _pair(square, "square")
    steps = tuple(-(-side // MOST_CENTERS) for side in (height, width)) if stride is None else _pair(stride, "stride")
    rows, columns = _centers(height, steps[0]), _centers(width, steps[1])
    covers = _covers(rows, height, sides[0]).to(tensor), _covers(columns, width, sides[1]).to(tensor)
    with undisturbed(module), torch.no_grad(), autocast(precision, tensor.device):
        module = fold(module)
        outputs = compute_outputs(module, tensor, max_bytes)
        kind = choose_score(outputs, score)
        link = find_link(module, tensor, outputs) if kind == "probability" else "identity"
        chosen = choose_targets(outputs, targets)
        values = read_fill(module, tensor, fill)
        step = batch_length(module, tensor, max_bytes)

        def judge(answers: Tensor, pictures: Tensor) -> Tensor:
            return score_outputs(answers, chosen[pictures], link)

        scores = _scores_by_patches(module, tensor, covers, values, step, judge)
        if scores is None:
            found = [
                judge(run_module(module, batch).reshape(len(batch), -1), pictures)
                for pictures, batch in _covered(tensor, covers, values, step)
            ]
            scores = torch.cat(found).reshape(len(tensor), len(rows), len(columns))
        clean = score_outputs(outputs, chosen, link)
    if not bool(torch.isfinite(scores).all()):
        raise TargetError("the network's output is NaN or infinite for covered images. Check its weights, or the fill.")
    return Occlusion(
        to_array(tensor), chosen.cpu().numpy(), kind, to_array(clean), to_array(scores), rows.numpy(), columns.numpy(),
        sides, to_array(values),
    )  # fmt: skip


def _scores_by_patches(
    module: nn.Module,
    images: Tensor,
    covers: tuple[Tensor, Tensor],
    fill: Tensor,
    step: int,
    judge: Callable[[Tensor, Tensor], Tensor],
) -> Tensor | None:
    """Scores by computing only what the squares change; ``None`` where that is not possible or not worth while."""
    steps = find_chain(module)
    if not steps:
        return None
    scores = images.new_empty((len(images), *(len(cover) for cover in covers)), dtype=torch.float32)
    for pictures in torch.arange(len(images), device=images.device).split(max(1, step // GROUP**2)):
        chain = compute_chain(module, steps, images[pictures])
        if not is_worthwhile(steps, chain.sizes, *covers):
            return None
        for rows, columns, outputs in covered_outputs(chain, covers, fill, step):
            every = pictures.repeat(len(rows) * len(columns))
            told = judge(outputs.reshape(len(every), -1), every).reshape(len(rows), len(columns), -1)
            scores[pictures[:, None, None], torch.tensor(rows)[:, None], torch.tensor(columns)] = told.permute(2, 0, 1)
    return scores


def _pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    pair = value if isinstance(value, tuple) else (value, value)
    whole = [isinstance(side, (int, np.integer)) and not isinstance(side, bool) and side > 0 for side in pair]
    if len(pair) != 2 or not all(whole):
        raise DataError(f"{name} is {value!r} but must be a whole number of pixels from 1, or a pair of them.")
    return int(pair[0]), int(pair[1])


def _centers(side: int, step: int) -> Tensor:
    """Every so many pixels, as far from one border as from the other."""
    first = (side - 1) % step // 2
    return torch.arange(first, side, step)


def _covers(centers: Tensor, side: int, length: int) -> Tensor:
    """Share of each pixel of an axis that the square around each center covers: centers x pixels."""
    distance = (torch.arange(side)[None] - centers[:, None]).abs().double()
    return (length / 2 + 0.5 - distance).clamp(0, 1)


def _covered(images: Tensor, covers: tuple[Tensor, Tensor], fill: Tensor, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of covered images with the index of the image each was made from, image by image, row by row."""
    rows, columns = covers
    a_row = len(columns)
    for places in torch.arange(len(images) * len(rows) * a_row, device=images.device).split(step):
        picture, row, column = places // (len(rows) * a_row), places // a_row % len(rows), places % a_row
        share = rows[row][:, None, :, None] * columns[column][:, None, None, :]
        yield picture, torch.lerp(images[picture], fill.view(1, -1, 1, 1), share)


def _nearest(centers: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = np.abs(np.arange(side)[:, None] - centers).argmin(1)
    return nearest
