"""The bare loop of the tutorials: float32, DataLoader, ``.item()`` on each batch, PyTorch's default layout."""

import torch
from networks import NETWORKS, count
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from turns import BATCH, EVALUATION_BATCH, LEARNING_RATE, Turns, read_task


def main() -> None:
    """Train and predict as asked."""
    task = read_task()
    torch.set_num_threads(task.threads)
    data = TensorDataset(*map(torch.from_numpy, task.data()))
    turns = Turns(task.clock, "torch")
    net = NETWORKS[task.net]()
    turns.facts["params"] = count(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    batches = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=0)

    def epoch() -> float:
        turns.epoch_begins()
        net.train()
        total = 0.0
        for X, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(X), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(batches)

    def predict() -> torch.Tensor:
        net.eval()
        with torch.no_grad():
            return torch.cat([net(X).softmax(1) for X, _ in DataLoader(data, batch_size=EVALUATION_BATCH)])

    epoch()
    while turns.epoch_ends():
        epoch()
    turns.predict(predict)


if __name__ == "__main__":
    main()
