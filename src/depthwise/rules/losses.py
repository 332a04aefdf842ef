"""Losses as users name them."""

from __future__ import annotations

from depthwise.errors import RuleError, did_you_mean

CLASSES = (
    "CrossEntropyLoss",
    "NLLLoss",
    "BCEWithLogitsLoss",
    "BCELoss",
    "MSELoss",
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
    "KLDivLoss",
    "PoissonNLLLoss",
    "GaussianNLLLoss",
    "CTCLoss",
    "HingeEmbeddingLoss",
    "CosineEmbeddingLoss",
    "MarginRankingLoss",
    "MultiMarginLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
)
"""The losses of torch.nn."""

FUNCTIONS = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "poisson_nll_loss",
    "gaussian_nll_loss",
    "ctc_loss",
    "hinge_embedding_loss",
    "cosine_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
)
"""The same as functions of torch.nn.functional."""

OURS = ("hinge", "squared_error", "absolute_error", "huber")
"""How our own estimators call them."""


def plain_loss(name: str) -> str:
    """Name of a loss as its letters and digits alone.

    >>> plain_loss("CrossEntropyLoss"), plain_loss("cross_entropy"), plain_loss("nll_loss")
    ('crossentropy', 'crossentropy', 'nll')
    """
    return "".join(filter(str.isalnum, name.lower())).removesuffix("loss")


KNOWN = {plain_loss(name): name for name in (*OURS, *FUNCTIONS, *CLASSES)}


def name_loss(loss: object) -> str | None:
    """Name of a loss that is told as a name, a class, an object or a function.

    An own loss goes by the class of PyTorch that it is made from, or else by its own name, which no rule knows.

    Raises
    ------
    RuleError
        The name is unknown.

    Examples
    --------
    >>> name_loss("nn.CrossEntropyLoss"), name_loss("cross_entropy")
    ('CrossEntropyLoss', 'cross_entropy')
    >>> name_loss("cros_entropy")
    Traceback (most recent call last):
    depthwise.errors.RuleError: loss is 'cros_entropy', which is no known loss. Did you mean 'cross_entropy'? Give a \
name of torch.nn or torch.nn.functional, or the loss itself.
    """
    if loss is None:
        return None
    if isinstance(loss, str):
        name = loss.rpartition(".")[2]
        if plain_loss(name) in KNOWN:
            return name
    elif callable(loss):
        kinds = loss.__mro__ if isinstance(loss, type) else type(loss).__mro__
        made_from = [kind.__name__ for kind in kinds if kind.__name__ in CLASSES]
        return made_from[0] if made_from else getattr(loss, "__name__", type(loss).__name__)
    meant = did_you_mean(str(loss).rpartition(".")[2], [*CLASSES, *FUNCTIONS, *OURS])
    raise RuleError(
        f"loss is {loss!r}, which is no known loss.{meant} "
        "Give a name of torch.nn or torch.nn.functional, or the loss itself."
    )
