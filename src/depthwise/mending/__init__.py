"""Fixes applied to what a user handed over, and whole networks brought into the rules."""

from depthwise.mending.applying import apply
from depthwise.mending.goals import mend
from depthwise.mending.lists import change_layers
from depthwise.mending.walking import Mended, Step, fix_all

__all__ = ["Mended", "Step", "apply", "change_layers", "fix_all", "mend"]
