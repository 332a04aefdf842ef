"""Lightning.  Tuned: channels last, the fused optimizer, and bf16-mixed where the processor multiplies bfloat16."""

import logging
import warnings

import lightning
import torch
from networks import NETWORKS, count
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from turns import BATCH, EVALUATION_BATCH, LEARNING_RATE, Turns, read_task


class Classifier(lightning.LightningModule):
    """A network and its loss."""

    def __init__(self, net: nn.Module, fused: bool) -> None:
        super().__init__()
        self.net, self.fused = net, fused

    def training_step(self, batch: list[Tensor], place: int) -> Tensor:
        """Loss of a batch."""
        X, y = batch
        return F.cross_entropy(self.net(X), y)

    def predict_step(self, batch: list[Tensor], place: int) -> Tensor:
        """Probabilities of a batch."""
        return self.net(batch[0]).softmax(1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as everywhere here."""
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE, fused=self.fused)


class TakeTurns(lightning.Callback):
    """Waits at the end of each epoch."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Classifier) -> None:
        """Note the time."""
        self.turns.epoch_begins()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Classifier) -> None:
        """Go on, or stop."""
        trainer.should_stop = not self.turns.epoch_ends()


def main() -> None:
    """Train and predict as asked."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    task = read_task()
    torch.set_num_threads(task.threads)
    data = TensorDataset(*map(torch.from_numpy, task.data()))
    turns = Turns(task.clock, "lightning", "torch")
    net = NETWORKS[task.net]()
    turns.facts["params"] = count(net)
    if task.tuned:
        net = net.to(memory_format=torch.channels_last)
    module = Classifier(net, fused=task.tuned)
    trainer = lightning.Trainer(
        accelerator="cpu",
        precision="bf16-mixed" if task.tuned and task.bfloat16 else "32-true",
        max_epochs=-1,
        callbacks=[TakeTurns(turns)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(data, batch_size=BATCH, shuffle=True))
    turns.predict(lambda: torch.cat(trainer.predict(module, DataLoader(data, batch_size=EVALUATION_BATCH))))


if __name__ == "__main__":
    main()
