"""Results -> matplotlib.  A display computes once, draws on ``plot()``, and never shows or restyles anything else."""

from depthwise.displays.activations import ActivationsDisplay
from depthwise.displays.architecture import ArchitectureDisplay, draw_to_file, draw_to_notebook
from depthwise.displays.batch import BatchDisplay
from depthwise.displays.capacity import CapacityCoverageDisplay
from depthwise.displays.designs import DesignSetDisplay
from depthwise.displays.exciting import ExcitingImagesDisplay
from depthwise.displays.explanations import CamDisplay, OcclusionDisplay, SaliencyDisplay
from depthwise.displays.health import HealthDisplay
from depthwise.displays.history import HistoryDisplay
from depthwise.displays.images import ImagesDisplay
from depthwise.displays.learning_rate import LearningRateDisplay
from depthwise.displays.losses import TopLossesDisplay
from depthwise.displays.predecessors import (
    plot_conv_activity,
    plot_conv_weights,
    plot_loss,
    plot_occlusion,
    plot_saliency,
)
from depthwise.displays.receptive_field import ReceptiveFieldDisplay
from depthwise.displays.saving import SaveEachEpoch
from depthwise.displays.search import SearchDisplay
from depthwise.displays.weights import WeightsDisplay

__all__ = [
    "ActivationsDisplay", "ArchitectureDisplay", "BatchDisplay", "CamDisplay", "CapacityCoverageDisplay",
    "DesignSetDisplay", "ExcitingImagesDisplay", "HealthDisplay", "HistoryDisplay", "ImagesDisplay",
    "LearningRateDisplay", "OcclusionDisplay", "ReceptiveFieldDisplay", "SaliencyDisplay", "SaveEachEpoch",
    "SearchDisplay", "TopLossesDisplay", "WeightsDisplay", "draw_to_file", "draw_to_notebook", "plot_conv_activity",
    "plot_conv_weights", "plot_loss", "plot_occlusion", "plot_saliency",
]  # fmt: skip
