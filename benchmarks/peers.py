"""Training and prediction beside the other frameworks, each in an environment of its own, taking turns with ours.

The networks of two tutorials, batch 128, random images.  Every framework runs its own loop, once with the settings it
comes with and once as its best user would tune it; `benchmarks/peers/` has a program for each.

    benchmarks/peers/make_environments.sh .venv/peers
    python benchmarks/peers.py --environments .venv/peers --rounds 7 --threads 2
"""

import argparse
import json
import statistics
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers.processes import Peer, judge, machine, multiplies_bfloat16, seconds_to_import, target_lines, times_faster
from peers.turns import CLOCKS, Task

REPO = Path(__file__).resolve().parents[1]
RESULTS = REPO / "benchmarks" / "results"
IMAGES = {"001 layers0": 1024, "004 take 2": 4096}
"""Of an epoch."""
FIRST = ("001 layers0", 512)
"""Network and number of images of the first epoch."""
OURS = "depthwise"


@dataclass(frozen=True)
class Entry:
    """One that takes part: a program, its environment, and how it is set.

    Attributes
    ----------
    imports
        What its user imports.
    environment
        Name of its folder; ``None`` for ours.
    backend
        Of Keras.
    tuned
        Whether it has its best settings.
    """

    program: str
    imports: str
    environment: str | None = None
    backend: str | None = None
    tuned: bool = False

    @property
    def name(self) -> str:
        """As printed."""
        name = f"keras on {self.backend}" if self.backend else "bare loop" if self.program == "torch" else self.program
        return f"{name}, tuned" if self.tuned else name

    def start(self, folder: Path, task: Task) -> Peer:
        """Start it; it has trained one epoch when this returns."""
        own = replace(task, tuned=self.tuned, bfloat16=multiplies_bfloat16())
        return Peer(self.program, asdict(own), self.at(folder), self.backend)

    def at(self, folder: Path) -> Path | None:
        """Its environment."""
        return folder / self.environment if self.environment else None


ENTRIES = [
    Entry(OURS, "import torch, sklearn, depthwise; depthwise.NeuralNetClassifier"),
    Entry("torch", "import torch"),
    *(
        Entry(program, f"import torch, {program}", program, tuned=tuned)
        for program in ("skorch", "lightning")
        for tuned in (False, True)
    ),
    *(
        Entry("keras", "import keras", f"keras_{backend}", backend, tuned)
        for backend in ("torch", "tensorflow")
        for tuned in (False, True)
    ),
]


def compare(folder: Path, task: Task, rounds: int) -> dict[str, Any]:
    """Seconds of every turn on one network, images a second, memory, and how many times faster ours was."""
    with ExitStack() as stack:
        peers = {e.name: stack.enter_context(e.start(folder, task)) for e in ENTRIES}
        counts = {name: peer.first["params"] for name, peer in peers.items()}
        if len(set(counts.values())) > 1:
            raise RuntimeError(f"{task.net}: not the same network everywhere: {counts}")
        turns: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in peers}
        for word in ("train", "predict"):
            for place in range(rounds + 1):
                for name, peer in peers.items():
                    answer = peer.turn(word)
                    if place:  # the first is to warm up
                        turns[name].setdefault(word, []).append(answer)
    seconds = {
        name: {word: [a["seconds"] for a in answers] for word, answers in t.items()} for name, t in turns.items()
    }
    return {
        "params": counts[OURS],
        "images": task.images,
        "seconds": seconds,
        "images_a_second": {
            name: {word: task.images / statistics.median(times) for word, times in found.items()}
            for name, found in seconds.items()
        },
        "peak_mib": {name: {word: answers[-1]["peak_mib"] for word, answers in t.items()} for name, t in turns.items()},
        "ours_is_times_faster": {
            name: {word: times_faster(seconds[OURS][word], times) for word, times in found.items()}
            for name, found in seconds.items()
            if name != OURS
        },
    }


def starts(folder: Path, task: Task, times: int) -> dict[str, Any]:
    """Seconds to import, and from there to the end of a first epoch, in fresh processes; untuned."""
    found: dict[str, Any] = {}
    for entry in (entry for entry in ENTRIES if not entry.tuned):
        epochs = []
        for _ in range(times):
            with entry.start(folder, task) as peer:
                epochs.append(peer.first["since_start"])
        seconds = seconds_to_import(entry.imports, CLOCKS[task.clock], task.threads, entry.at(folder), entry.backend)
        found[entry.name] = {
            "import_s": seconds, "first_epoch_s": epochs, "versions": peer.first["versions"],
            "precision": peer.first.get("precision", "float32"),
        }  # fmt: skip
    return {"net": task.net, "images": task.images, "entries": found}


def judge_all(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets beside the figures."""
    found = record["nets"]["001 layers0"]["ours_is_times_faster"]
    ratios = {name: answer["train"]["median"] for name, answer in found.items()}
    untuned = [name for name in ratios if "tuned" not in name and name != "bare loop"]
    tuned = min((name for name in ratios if "tuned" in name), key=lambda name: ratios[name])
    return [
        judge(f"training, 001 layers0, beside the best tuned peer ({tuned})", 1.15, ratios[tuned], bfloat16=True),
        *(judge(f"training, 001 layers0, beside {name}", 4, ratios[name], bfloat16=True) for name in untuned),
    ]


def main() -> None:
    """Measure, write the record, print the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=REPO / ".venv" / "peers", help="made by the script")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each, after one to warm up")
    parser.add_argument("--threads", type=int, default=1, help="of each, one at a time")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu for one thread on a busy machine")
    parser.add_argument("--quick", action="store_true", help="two rounds, one start, few images; nothing is written")
    arguments = parser.parse_args()
    if not all((entry.at(arguments.environments) or REPO).is_dir() for entry in ENTRIES):
        print(f"not measured: first run benchmarks/peers/make_environments.sh {arguments.environments}")
        return
    folder = arguments.environments

    def task(net: str, images: int) -> Task:
        return Task(net, images, arguments.threads, clock=arguments.clock)

    rounds, times, share = (2, 1, 4) if arguments.quick else (arguments.rounds, 3, 1)
    record: dict[str, Any] = {
        "benchmark": "peers",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(arguments.threads, arguments.clock),
        "rounds": rounds,
        "batch": 128,
        "starts": starts(folder, task(*FIRST), times),
        "nets": {net: compare(folder, task(net, images // share), rounds) for net, images in IMAGES.items()},
    }
    record["targets"] = judge_all(record)
    print(_table(record))
    print(target_lines(record["targets"]))
    if not arguments.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / "peers.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"written to {path}")


def _table(record: dict[str, Any]) -> str:
    lines = []
    for net, found in record["nets"].items():
        lines.append(f"{net:<28}{'images/s':>18}{'ours is faster':>18}{'peak MiB':>10}")
        for name, rates in found["images_a_second"].items():
            faster = found["ours_is_times_faster"].get(name)
            ratios = "" if faster is None else f"{faster['train']['median']:.2f} / {faster['predict']['median']:.2f}"
            speeds = f"{rates['train']:.0f} / {rates['predict']:.0f}"
            lines.append(f"{name:<28}{speeds:>18}{ratios:>18}{found['peak_mib'][name]['train']:>10.0f}")
    for name, start in record["starts"]["entries"].items():
        lines.append(f"{name:<28}import {start['import_s']:.2f} s, first epoch {min(start['first_epoch_s']):.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
