"""The scikit-learn side: estimators that train a layer list."""

from depthwise.training.callbacks import Callback
from depthwise.training.early_stopping import EarlyStopping
from depthwise.training.estimator import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.history import EpochRecord, History
from depthwise.training.loading import load
from depthwise.training.logs import LogTo
from depthwise.training.lr_range import LearningRateRange, lr_range
from depthwise.training.progress import PrintLayerInfo
from depthwise.training.ranks import is_main_process
from depthwise.training.step_callbacks import GradientClipping, WeightAveraging
from depthwise.training.system import describe_system
from depthwise.training.transfer import WeightTransfer

__all__ = [
    "Callback", "EarlyStopping", "EpochRecord", "GradientClipping", "History", "LearningRateRange", "LogTo",
    "NeuralNetClassifier", "NeuralNetRegressor", "PrintLayerInfo", "WeightAveraging", "WeightTransfer",
    "describe_system", "is_main_process", "load", "lr_range",
]  # fmt: skip
