"""Our own estimator, by its public parameters."""

import torch
from networks import NOTATIONS, count
from turns import BATCH, ENDLESS, LEARNING_RATE, Turns, read_task

from depthwise.training import Callback, NeuralNetClassifier


class TakeTurns(Callback):
    """Waits at the end of each epoch."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_epoch_begin(self, net: NeuralNetClassifier) -> None:
        """Note the time."""
        self.turns.epoch_begins()

    def on_epoch_end(self, net: NeuralNetClassifier, record: object) -> bool:
        """Go on, or stop."""
        self.turns.facts |= {"params": count(net.module_), "precision": net.precision_}
        return not self.turns.epoch_ends()


def main() -> None:
    """Train and predict as asked."""
    task = read_task()
    torch.set_num_threads(task.threads)
    X, y = task.data()
    turns = Turns(task.clock, "torch", "scikit-learn")
    net = NeuralNetClassifier(
        NOTATIONS[task.net],
        max_epochs=ENDLESS,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        validation=None,
        callbacks=[TakeTurns(turns)],
        verbose=0,
    ).fit(X, y)
    turns.predict(lambda: net.predict_proba(X))


if __name__ == "__main__":
    main()
