"""A fix, applied to whatever the user handed over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from depthwise.errors import RuleError
from depthwise.mending.lists import change_layers
from depthwise.rules import Finding, Fix, Remedy
from depthwise.targets import is_estimator, is_module, open_target, read_target


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
    target = open_target(target)
    if is_module(target):
        from depthwise.mending.modules import change_module

        return change_module(target, chosen.edits, input_shape)
    if is_estimator(target):
        from sklearn.base import clone

        shape = getattr(target, "input_shape_", None) if input_shape is None else input_shape
        changed = apply(chosen, target.layers, shape)
        return clone(target).set_params(layers=changed if is_module(changed) else list(changed))
    return change_layers(read_target(target), chosen.edits)
