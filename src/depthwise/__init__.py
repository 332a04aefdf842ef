"""Go deep, wisely: design, check, train and look inside convolutional networks.

Names are loaded on first use, so that ``import depthwise`` and the command line answer at once.
"""

from importlib import import_module

__version__ = "0.1.0"

ROOMS = {
    "layers": (
        "Activation", "Add", "AvgPool2D", "BatchNorm", "Concat", "Conv2D", "Conv2DTranspose", "Dense",
        "DepthwiseConv2D", "Dropout", "Flatten", "GlobalAvgPool2D", "GlobalMaxPool2D", "GroupNorm", "Input",
        "LeakyReLU", "MaxPool2D", "Output", "Residual", "SeparableConv2D", "SpatialDropout2D", "Upsample2D",
        "ZeroPad2D",
    ),
    "errors": ("DepthwiseError",),
    "notation": ("read_layers", "write_layers"),
    "analysis": ("Analysis",),
    "rules": ("Findings",),
    "designer": ("Budget", "DesignSet", "design"),
    "network": ("analyze", "check", "compare", "effective_field", "verify"),
    "mending": ("Mended", "apply", "mend"),
    "data": ("ImageSet", "datasets", "find_duplicates", "load_images", "write_submission"),
    "data.augmentation": (
        "ColorJitter", "CutMix", "MixUp", "RandomAffine", "RandomCrop", "RandomErasing", "RandomFlip",
    ),
    "training": (
        "Callback", "EarlyStopping", "GradientClipping", "LogTo", "NeuralNetClassifier", "NeuralNetRegressor",
        "PrintLayerInfo", "WeightAveraging", "WeightTransfer", "load", "lr_range",
    ),
    "inspection": ("ConfusedPairs", "find_exciting", "find_top_losses", "find_unit_field", "measure_statistics"),
    "displays": (
        "ActivationsDisplay", "ArchitectureDisplay", "BatchDisplay", "CamDisplay", "CapacityCoverageDisplay",
        "DesignSetDisplay", "ExcitingImagesDisplay", "HealthDisplay", "HistoryDisplay", "ImagesDisplay",
        "LearningRateDisplay", "OcclusionDisplay", "ReceptiveFieldDisplay", "SaliencyDisplay", "SaveEachEpoch",
        "SearchDisplay", "TopLossesDisplay", "WeightsDisplay", "draw_to_file", "draw_to_notebook",
        "plot_conv_activity", "plot_conv_weights", "plot_loss", "plot_occlusion", "plot_saliency",
    ),
    "search": ("ArchitectureSearch", "Screening", "screen"),
    "pages": ("Report", "report"),
}  # fmt: skip
"""Where each public name lives."""

__all__ = ["__version__", *sorted(name for names in ROOMS.values() for name in names)]  # noqa: PLE0604 - strings all


def __getattr__(name: str) -> object:
    for room, names in ROOMS.items():
        if name in names:
            return getattr(import_module(f"depthwise.{room}"), name)
    raise AttributeError(f"depthwise has no {name!r}")


def __dir__() -> list[str]:
    return __all__
