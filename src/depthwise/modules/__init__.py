"""SizedGraph -> ``torch.nn.Module``: interprets primitive operations.  The first room that knows torch."""

from depthwise.modules.folding import fold
from depthwise.modules.network import Network, build
from depthwise.modules.parts import Standardize
from depthwise.modules.weights import Init, initialize_weights

__all__ = ["Init", "Network", "Standardize", "build", "fold", "initialize_weights"]
