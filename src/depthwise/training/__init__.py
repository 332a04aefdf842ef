"""The scikit-learn side: estimators that train a layer list."""

from depthwise.training.callbacks import Callback, EarlyStopping
from depthwise.training.estimator import NeuralNetClassifier, NeuralNetRegressor
from depthwise.training.history import EpochRecord, History
from depthwise.training.loading import load
from depthwise.training.progress import PrintLayerInfo
from depthwise.training.system import describe_system

__all__ = [
    "Callback", "EarlyStopping", "EpochRecord", "History", "NeuralNetClassifier", "NeuralNetRegressor",
    "PrintLayerInfo", "describe_system", "load",
]  # fmt: skip
