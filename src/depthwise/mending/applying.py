"""A fix, applied to whatever the user handed over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from depthwise.errors import RuleError
from depthwise.mending.lists import change_layers
from depthwise.rules import Finding, Fix, Remedy
from depthwise.targets import open_target


def apply(fix: Fix | Remedy | Finding | None, target: Any, input_shape: Iterable[int] | None = None) -> Any:
    """Apply a fix and return the mended network; what was handed over stays as it is.

    Parameters
    ----------
    fix
        A :class:`Fix`, or a remedy or finding that has one.
    target
        The network that was checked, as for :func:`~depthwise.network.check`.
    input_shape
        Shape of one image, for modules: the mended copy is traced again before it is returned.  A fitted estimator
        tells it.

    Returns
    -------
    tuple of Layer, estimator or torch.nn.Module
        A layer list for lists, notations and files; an unfitted estimator for estimators; a changed deep copy of a
        module, with its weights.

    Raises
    ------
    RuleError
        There is no fix, or it cannot be made on this target.

    Examples
    --------
    >>> from depthwise.network import check
    >>> findings = check("8CB3ps-MP-16C3ps-GAP-10N", (1, 8, 8))
    >>> apply(findings[0].fix, "8CB3ps-MP-16C3ps-GAP-10N")[0]
    Conv2D(8, padding='same', bias=False, norm='batch')
    """
    chosen = fix.fix if isinstance(fix, (Remedy, Finding)) else fix
    if not isinstance(chosen, Fix):
        raise RuleError("there is no fix to apply: the finding is mended by hand. Its remedies tell how.")
    opened = open_target(target, input_shape)
    changed: Any
    if opened.layers is not None:
        changed = change_layers(opened.layers, chosen.edits)
    else:
        from depthwise.mending.modules import change_module

        changed = change_module(opened.module, chosen.edits, opened.input_shape)  # type: ignore[arg-type]
    if opened.estimator is None:
        return changed
    from sklearn.base import clone

    return clone(opened.estimator).set_params(layers=changed if opened.layers is None else list(changed))
