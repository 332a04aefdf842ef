"""Keras on the backend that KERAS_BACKEND names.

Tuned: mixed_bfloat16 where the processor multiplies bfloat16, and on TensorFlow no XLA, which is slower on processors.
"""

import keras
import numpy as np
from keras import layers
from turns import BATCH, ENDLESS, EVALUATION_BATCH, LEARNING_RATE, SHAPES, Task, Turns, read_task

BACKEND = keras.backend.backend()


def layers0() -> list[keras.Layer]:
    """001: first network of "Training convolutional neural networks" (B. Bossan, 2016)."""
    first = [layers.Conv2D(96, 5, activation="relu"), *(layers.Conv2D(96, 3, activation="relu") for _ in range(4))]
    second = [layers.Conv2D(128, 3, activation="relu") for _ in range(3)]
    dense = [layers.Dense(64, "relu"), layers.Dropout(0.5), layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    return [*first, layers.MaxPooling2D(), *second, layers.MaxPooling2D(), layers.Flatten(), *dense]


def take2() -> list[keras.Layer]:
    """004: the second convolutional network of the notebook on CIFAR-10 with Keras."""
    parts: list[keras.Layer] = []
    for width, stride in ((32, 1), (32, 2), (64, 1), (64, 2)):
        conv = layers.Conv2D(width, 3, strides=stride, padding="same")
        parts += [conv, layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.3)]
    dense = [layers.Dense(128), layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.3), layers.Dropout(0.5)]
    return [*parts, layers.Flatten(), *dense, layers.Dense(10), layers.Activation("softmax", dtype="float32")]


NETWORKS = {"001 layers0": layers0, "004 take 2": take2}


class TakeTurns(keras.callbacks.Callback):
    """Waits at the end of each epoch."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.turns = turns

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the time."""
        self.turns.epoch_begins()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Go on, or stop."""
        self.model.stop_training = not self.turns.epoch_ends()


def set_up(task: Task) -> dict[str, object]:
    """Set threads and precision; give the settings of ``compile``."""
    if BACKEND == "torch":
        import torch

        torch.set_num_threads(task.threads)
    else:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(task.threads)
        tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    if task.tuned and task.bfloat16:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    return {"jit_compile": False} if task.tuned else {}


def main() -> None:
    """Train and predict as asked."""
    task = read_task()
    settings = set_up(task)
    X, y = task.data()
    X = np.ascontiguousarray(X.transpose(0, 2, 3, 1))
    turns = Turns(task.clock, "keras", {"torch": "torch", "tensorflow": "tensorflow-cpu"}[BACKEND])
    channels, height, width = SHAPES[task.net]
    net = keras.Sequential([keras.Input((height, width, channels)), *NETWORKS[task.net]()])
    turns.facts["params"] = sum(int(np.prod(weight.shape)) for weight in net.trainable_weights)
    net.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy", **settings)
    net.fit(X, y, batch_size=BATCH, epochs=ENDLESS, verbose=0, callbacks=[TakeTurns(turns)])
    turns.predict(lambda: net.predict(X, batch_size=EVALUATION_BATCH, verbose=0))


if __name__ == "__main__":
    main()
