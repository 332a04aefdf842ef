"""What bfloat16 costs in accuracy: short trainings in both precisions, from the same seeds.

001 layers0 on MNIST and take 2 of 004 on CIFAR-10, in our notation; Adam, one cycle, so that an accuracy is that of
settled weights.  Where the processor does not multiply bfloat16, `Bfloat16Kernels` computes what one that does would:
factors of bfloat16, sums in float32, results rounded to bfloat16.  That tells accuracy, and nothing about speed.

    DEPTHWISE_DATA=../shared/data python benchmarks/bfloat16.py --threads 2
"""

import argparse
import json
import statistics
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sklearn
import torch
from machine import describe_machine
from peers.networks import NOTATIONS
from peers.processes import multiplies_bfloat16
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

import depthwise as dw
from depthwise.training import NeuralNetClassifier

RESULTS = Path(__file__).resolve().parent / "results"
SEEDS = 3
POINTS = 0.2
"""By how much the mean accuracies may differ."""
PRECISIONS = ("float32", "bfloat16")
aten = torch.ops.aten
MULTIPLICATIONS = (
    aten.convolution.default,
    aten.convolution_backward.default,
    aten.addmm.default,
    aten.mm.default,
)


@dataclass(frozen=True)
class Run:
    """A short training: which images, how many, for how long."""

    images: Any
    count: int
    epochs: int
    learning_rate: float


RUNS = {
    "001 layers0": Run(dw.datasets.mnist, count=15_000, epochs=2, learning_rate=1e-3),
    "004 take 2": Run(dw.datasets.cifar10, count=50_000, epochs=4, learning_rate=2e-3),
}


class Bfloat16Kernels(TorchDispatchMode):
    """Inside, convolutions and matrix products of bfloat16 are summed in float32 and rounded once, as in hardware."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        lowered = any(isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 for value in args)
        if func not in MULTIPLICATIONS or not lowered:
            return func(*args, **kwargs)
        exact = tree_map_only(torch.Tensor, torch.Tensor.float, (args, kwargs))
        return tree_map_only(torch.Tensor, torch.Tensor.bfloat16, func(*exact[0], **exact[1]))


def accuracy(net: str, precision: str, seed: int) -> float:
    """Of all test images, after a short training, in percent."""
    run = RUNS[net]
    train, test = run.images("train"), run.images("test")
    estimator = NeuralNetClassifier(
        NOTATIONS[net],
        max_epochs=run.epochs,
        batch_size=128,
        optimizer="adam",
        learning_rate=run.learning_rate,
        schedule="one_cycle",
        validation=None,
        precision=precision,
        random_state=seed,
        verbose=0,
    )
    emulated = precision == "bfloat16" and not multiplies_bfloat16()
    with Bfloat16Kernels() if emulated else nullcontext():
        estimator.fit(train.X[: run.count], train.y[: run.count])
        return round(100 * float(estimator.score(test.X, test.y)), 2)


def compare(net: str, seeds: int) -> dict[str, Any]:
    """Both precisions from each seed, in turns."""
    accuracies: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in range(seeds):
        for precision in PRECISIONS:
            accuracies[precision].append(accuracy(net, precision, seed))
            print(f"{net}, seed {seed}, {precision}: {accuracies[precision][-1]:.2f} %", flush=True)
    exact, rough = (statistics.mean(accuracies[precision]) for precision in PRECISIONS)
    print(f"{net}: bfloat16 - float32 = {rough - exact:+.2f} points (at most {POINTS} either way asked)", flush=True)
    run = RUNS[net]
    return {"images": run.count, "epochs": run.epochs, **accuracies, "points": round(rough - exact, 3)}


def main() -> None:
    """Read the arguments, compare, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=RUNS, help="one of them; all without it")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    nets = {net: compare(net, arguments.seeds) for net in ([arguments.net] if arguments.net else RUNS)}
    record = {
        "benchmark": "accuracy in bfloat16 and in float32",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(
            arguments.threads,
            instructions=torch.backends.cpu.get_cpu_capability(),
            bfloat16="native" if multiplies_bfloat16() else "computed in float32 and rounded",
        ),
        "versions": {"torch": torch.__version__, "scikit-learn": sklearn.__version__},
        "seeds": arguments.seeds,
        "nets": nets,
    }
    (RESULTS / "bfloat16.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
