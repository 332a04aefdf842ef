"""skorch.  Tuned: channels last, the fused optimizer, and autocast where the processor multiplies bfloat16."""

from typing import Any

import torch
from networks import NETWORKS, count
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import Tensor, nn
from turns import BATCH, ENDLESS, EVALUATION_BATCH, LEARNING_RATE, Turns, read_task


class Autocast(NeuralNetClassifier):
    """Computes its network in bfloat16, its loss in float32."""

    def infer(self, x: Tensor, **fit_params: Any) -> Tensor:
        """Output of the network."""
        with torch.autocast("cpu", torch.bfloat16):
            output: Tensor = super().infer(x, **fit_params)
        return output.float()


class TakeTurns(Callback):
    """Waits at the end of each epoch."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_epoch_begin(self, net: NeuralNetClassifier, **_: Any) -> None:
        """Note the time."""
        self.turns.epoch_begins()

    def on_epoch_end(self, net: NeuralNetClassifier, **_: Any) -> None:
        """End training by the interrupt that skorch's ``fit`` expects."""
        if not self.turns.epoch_ends():
            raise KeyboardInterrupt


def main() -> None:
    """Train and predict as asked."""
    task = read_task()
    torch.set_num_threads(task.threads)
    X, y = task.data()
    turns = Turns(task.clock, "skorch", "torch")
    module = NETWORKS[task.net]()
    turns.facts["params"] = count(module)
    if task.tuned:
        module = module.to(memory_format=torch.channels_last)
    net = (Autocast if task.tuned and task.bfloat16 else NeuralNetClassifier)(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=task.tuned,
        lr=LEARNING_RATE,
        max_epochs=ENDLESS,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=EVALUATION_BATCH,
        train_split=None,
        callbacks=[TakeTurns(turns)],
        verbose=0,
    ).fit(X, y)
    turns.predict(lambda: net.predict_proba(X))


if __name__ == "__main__":
    main()
