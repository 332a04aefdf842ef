"""Training by `fit` beside two loops: the bare one of the tutorials, and one written by hand with our settings.

The tutorials' networks, batch 128, random images, no validation.  All take turns, an epoch each, while one `fit` runs:
its end-of-epoch callback lets the others work.  The loop by hand is in the same process, so that both have the heap as
`fit` keeps it; the bare loop has a process of its own, since glibc's heap cannot be put back as it was.  Then the same
for predictions, and in fresh processes memory, start and a saved file.

    python benchmarks/train.py --rounds 7 --threads 2
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peers.networks import NETWORKS, NOTATIONS
from peers.processes import (
    Peer,
    fresh,
    judge,
    machine,
    multiplies_bfloat16,
    seconds_to_import,
    target_lines,
    times_faster,
)
from peers.turns import BATCH, CLOCKS, ENDLESS, LEARNING_RATE, Task
from torch import Tensor
from torch.nn import functional as F

from depthwise.training import Callback, NeuralNetClassifier

RESULTS = Path(__file__).resolve().parent / "results"
IMAGES = {"001 layers0": 2048, "001 layers4": 4096, "003": 2048, "004 take 2": 16384}
"""Of an epoch: enough that what `fit` does once an epoch weighs little more than in an epoch of a real data set."""
PREDICTION_BATCH = 512
TIMES_BARE = {"001 layers0": 4.8, "001 layers4": 3.4, "003": 3.3, "004 take 2": 2.7}
"""Targets in bfloat16."""
FIRST_EPOCH = """
import torch, sklearn, sklearn.base, sklearn.utils.validation
from time import {clock} as now
import numpy as np
X = np.random.default_rng(0).standard_normal((512, 1, 28, 28), dtype=np.float32)
y = np.arange(512) % 10
start = now()
from depthwise import NeuralNetClassifier
NeuralNetClassifier({notation!r}, max_epochs=1, validation=None, verbose=0).fit(X, y)
print(now() - start)
"""
LOADED = """
import json
from time import {clock} as now
import numpy as np
import depthwise as dw
image = np.random.default_rng(0).standard_normal((1, 1, 28, 28), dtype=np.float32)
times = [now()]
net = dw.load({path!r})
times.append(now())
for _ in range(20):
    net.predict(image)
    times.append(now())
print(json.dumps([1e3 * (b - a) for a, b in zip(times, times[1:])]))
"""


class HandLoop:
    """What an expert would write: channels last, the fused optimizer, batches indexed from one tensor, autocast."""

    def __init__(self, net: str, X: Tensor, y: Tensor, precision: str) -> None:
        self.X, self.y = X, y
        self.module = NETWORKS[net]().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=LEARNING_RATE, fused=True)
        self.bfloat16 = precision == "bfloat16"

    def output(self, rows: Tensor) -> Tensor:
        """Of the network, in float32."""
        X = self.X.index_select(0, rows).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            output: Tensor = self.module(X)
        return output.float()

    def train(self) -> float:
        """Mean loss of an epoch."""
        self.module.train()
        total = torch.zeros(())
        for rows in torch.randperm(len(self.X)).split(BATCH):
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.output(rows), self.y.index_select(0, rows))
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(rows)
        return float(total) / len(self.X)

    def predict(self) -> Tensor:
        """Probabilities of all images."""
        self.module.eval()
        with torch.inference_mode():
            rows = torch.arange(len(self.X)).split(PREDICTION_BATCH)
            return torch.cat([self.output(chunk).softmax(1) for chunk in rows])


def seconds(call: Callable[[], object], clock: str) -> float:
    """Time of one call."""
    now = getattr(time, CLOCKS[clock])
    start = now()
    call()
    return float(now() - start)


def estimator(net: str, **parameters: Any) -> NeuralNetClassifier:
    """Ours, with its defaults but for what all loops share."""
    shared = {"batch_size": BATCH, "learning_rate": LEARNING_RATE, "validation": None, "verbose": 0}
    return NeuralNetClassifier(NOTATIONS[net], **shared, **parameters)


class TakeTurns(Callback):
    """After each epoch of `fit`, one by hand and one of the bare loop."""

    def __init__(self, task: Task, X: Any, y: Any, bare: Peer, rounds: int) -> None:
        self.task, self.X, self.y = task, torch.from_numpy(X), torch.from_numpy(y)
        self.now: Callable[[], float] = getattr(time, CLOCKS[task.clock])
        self.bare, self.rounds = bare, rounds
        self.seconds: dict[str, list[float]] = {"fit": [], "by hand": [], "bare": []}

    def on_train_begin(self, net: NeuralNetClassifier) -> None:
        """Set the loop by hand up, in the precision that `fit` has chosen."""
        self.hand = HandLoop(self.task.net, self.X, self.y, net.precision_)

    def on_epoch_begin(self, net: NeuralNetClassifier) -> None:
        """Note the time."""
        self.start = self.now()

    def on_epoch_end(self, net: NeuralNetClassifier, record: Any) -> bool:
        """Take all turns of a round; the first round is to warm up."""
        fit = self.now() - self.start
        found = (fit, seconds(self.hand.train, self.task.clock), self.bare.turn("train")["seconds"])
        if record.epoch > 1:
            for times, took in zip(self.seconds.values(), found, strict=True):
                times.append(took)
        return bool(record.epoch > self.rounds)


def compare(task: Task, rounds: int, precision: str) -> dict[str, Any]:
    """Seconds of each turn of the three, and the ratios."""
    X, y = task.data()
    images = task.images
    with Peer("torch", asdict(task)) as bare:
        turns = TakeTurns(task, X, y, bare, rounds)
        net = estimator(task.net, precision=precision, max_epochs=ENDLESS, callbacks=[turns]).fit(X, y)
        ways: dict[str, Callable[[], float]] = {
            "fit": lambda: seconds(lambda: net.predict_proba(X), task.clock),
            "by hand": lambda: seconds(turns.hand.predict, task.clock),
            "bare": lambda: float(bare.turn("predict")["seconds"]),
        }
        predictions = [{who: predict() for who, predict in ways.items()} for _ in range(rounds + 1)][1:]
    times = {"train": turns.seconds, "predict": {who: [found[who] for found in predictions] for who in ways}}
    return {
        "precision": net.precision_,
        "images": images,
        "seconds": times,
        "images_a_second": {
            word: {who: images / statistics.median(took) for who, took in found.items()}
            for word, found in times.items()
        },
        "ours_is_times_faster": {
            word: {who: times_faster(found["fit"], found[who]) for who in ("by hand", "bare")}
            for word, found in times.items()
        },
    }


def peaks(task: Task) -> dict[str, float]:
    """Most memory of a process that trains, of `fit` and of the bare loop, in MiB."""
    found = {}
    for program, name in (("depthwise", "fit"), ("torch", "bare")):
        with Peer(program, asdict(task)) as peer:
            found[name] = max(peer.turn("train")["peak_mib"] for _ in range(2))
    return found


def growth(task: Task, epochs: int) -> dict[str, Any]:
    """Memory of one process after each of many epochs, in MiB."""
    with Peer("depthwise", asdict(task)) as peer:
        answers = [peer.first, *(peer.turn("train") for _ in range(epochs - 1))]
    resident = [answer["resident_mib"] for answer in answers]
    settled = resident[len(resident) // 5 :]
    half = len(settled) // 2
    # Neighboring epochs differ by some pages: halves say more than ends.
    grown = statistics.median(settled[half:]) - statistics.median(settled[:half])
    return {"net": task.net, "epochs": epochs, "resident_mib": resident, "grown_mib": grown}


def one_image(task: Task) -> dict[str, float]:
    """Milliseconds to load a saved network, to predict a first image, and each image after that."""
    net = estimator(task.net, max_epochs=1).fit(*task.data())
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "net.safetensors")
        net.save(path)
        load, first, *later = fresh(LOADED.format(path=path, clock=CLOCKS[task.clock]), task.threads)
    return {"load_ms": load, "first_ms": first, "later_ms": statistics.median(later)}


def judge_all(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets beside the figures."""

    def ratio(name: str, precision: str, word: str, who: str) -> float | None:
        found = record["nets"].get(name, {}).get(precision)
        return found and found["ours_is_times_faster"][word][who]["median"]

    best = record["precision"]
    targets = []
    for name, least in TIMES_BARE.items():
        targets += [
            judge(f"fit / bare loop, {name}", least, ratio(name, best, "train", "bare"), bfloat16=True),
            judge(f"fit / loop by hand, {name}", 0.97, ratio(name, best, "train", "by hand")),
            judge(f"fit / bare loop in float32, {name}", 1.15, ratio(name, "float32", "train", "bare")),
        ]
    faster = ratio("001 layers0", best, "predict", "bare")
    memory = [found["fit"] / found["bare"] for found in record["peak_mib"].values()]
    return [
        *targets,
        judge("predict_proba / bare loop, 001 layers0", 5, faster, bfloat16=True),
        judge("one image from a loaded file, ms", 20, record["one_image"]["later_ms"], at_most=True),
        judge("peak memory / that of the bare loop", 1, max(memory), at_most=True, bfloat16=True),
        judge(f"growth over {record['growth']['epochs']} epochs, MiB", 1, record["growth"]["grown_mib"], at_most=True),
        judge("import depthwise, s", 0.1, record["import_s"], at_most=True),
        judge("first epoch of 512 images, s", 1.5, record["first_epoch_s"], at_most=True, bfloat16=True),
    ]


def measure(rounds: int, threads: int, clock: str, quick: bool) -> dict[str, Any]:
    """Everything."""

    def task(net: str, images: int) -> Task:
        return Task(net, images, threads, clock=clock)

    precisions = ["auto", "float32"] if multiplies_bfloat16() else ["auto"]
    nets: dict[str, dict[str, Any]] = {}
    for name, images in {"004 take 2": 1024}.items() if quick else IMAGES.items():
        found = [compare(task(name, images), rounds, precision) for precision in precisions]
        nets[name] = {entry["precision"]: entry for entry in found}
        print(_lines(name, nets[name]), flush=True)
    first = FIRST_EPOCH.format(notation=NOTATIONS["001 layers0"], clock=CLOCKS[clock])
    return {
        "precision": next(iter(nets["004 take 2"])),
        "nets": nets,
        "peak_mib": {name: peaks(task(name, 512)) for name in ("001 layers0", "004 take 2") if name in nets},
        "growth": growth(task("004 take 2", 256), 10 if quick else 50),
        "import_s": seconds_to_import("import depthwise", CLOCKS[clock], threads),
        "first_epoch_s": statistics.median([fresh(first, threads) for _ in range(1 if quick else 3)]),
        "one_image": one_image(task("001 layers0", BATCH)),
    }


def main() -> None:
    """Measure, write the record, print the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each, after one to warm up")
    parser.add_argument("--threads", type=int, default=1, help="of each, one at a time")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu for one thread on a busy machine")
    parser.add_argument("--quick", action="store_true", help="two rounds on one network; nothing is written")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    record = {
        "benchmark": "train",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(arguments.threads, arguments.clock),
        "versions": {name: version(name) for name in ("torch", "scikit-learn", "numpy")},
        "rounds": 2 if arguments.quick else arguments.rounds,
        "batch": BATCH,
    }
    print("images/s in training / in prediction")
    record |= measure(record["rounds"], arguments.threads, arguments.clock, arguments.quick)
    record["targets"] = judge_all(record)
    print(target_lines(record["targets"]))
    if not arguments.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / "train.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"written to {path}")


def _lines(name: str, found: dict[str, Any]) -> str:
    """Images a second of one network, a line for each precision."""
    lines = []
    for precision, entry in found.items():
        trained, predicted = (entry["images_a_second"][word] for word in ("train", "predict"))
        cells = [f"{who} {trained[who]:.0f} / {predicted[who]:.0f}" for who in trained]
        lines.append(f"{f'{name}, {precision}':<24}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
