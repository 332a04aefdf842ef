"""Read the runs of ``benchmarks/evidence.py``: whether the rules help, what ranks designs, what a race loses.

Writes ``benchmarks/results/evidence.json`` with every curve, the picture, and the tables between the two marks of
``docs/evidence.md``.  The unit is a design; its accuracy is the mean of its seeds.

python benchmarks/evidence_tables.py
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from evidence import RUNS, SEEDS, SKELETONS
from machine import describe_machine
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from depthwise.search.halving import Judged, binomial_error, cut
from depthwise.tables import Column, Table

REPO = Path(__file__).resolve().parents[1]
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
LEAST_CAPACITY, LEAST_COVERAGE, MOST_COVERAGE = 1 / 6, 0.9, 1.0
"""The designer's bounds."""
PAIRS = (("5-3-2", "1-9"), ("8-4", "10-1-1"), ("6-4-2", "2-10"), ("5-5-2", "1-11"))
"""Equally deep, equally far-sighted, equal work: the first keeps the least capacity, the second does not."""
RUNGS, ETA = (1, 3, 9), 3
RESAMPLES, LEVEL = 1000, 0.95

Numbers = NDArray[np.float64]
Interval = tuple[float, float, float]
"""Estimate, and the ends of its 95 % interval."""


@dataclass(frozen=True)
class Runs:
    """All finished runs of one data set: designs that all seeds have."""

    data: str
    records: tuple[dict, ...]

    @cached_property
    def seeds(self) -> list[int]:
        """Seeds of which every design is there."""
        wanted = {skeleton for skeletons in SKELETONS[self.data].values() for skeleton in skeletons}
        there = {(each["skeleton"], each["seed"]) for each in self.records}
        return [seed for seed in SEEDS if all((skeleton, seed) in there for skeleton in wanted)]

    @cached_property
    def designs(self) -> list[dict]:
        """What each design is, in order of depth, then coverage."""
        found = {each["skeleton"]: each for each in self.records}
        return sorted(found.values(), key=lambda each: (each["depth"], each["coverage"], -each["capacity"]))

    @cached_property
    def curves(self) -> Numbers:
        """Accuracy, shape (designs, seeds, epochs)."""
        return self._gather("accuracy")

    @cached_property
    def losses(self) -> Numbers:
        """Training loss, shape (designs, seeds, epochs)."""
        return self._gather("train_loss")

    def _gather(self, name: str) -> Numbers:
        found = {(each["skeleton"], each["seed"]): each[name] for each in self.records}
        return np.array([[found[design["skeleton"], seed] for seed in self.seeds] for design in self.designs])

    @cached_property
    def final(self) -> Numbers:
        """Last accuracy, mean of the seeds, shape (designs,)."""
        return self.curves[:, :, -1].mean(1)

    def fact(self, name: str) -> Numbers:
        """A number of each design."""
        return np.array([design[name] for design in self.designs], dtype=float)

    def place(self, skeleton: str) -> int:
        """Of a design."""
        return next(at for at, design in enumerate(self.designs) if design["skeleton"] == skeleton)

    @cached_property
    def kind(self) -> list[str]:
        """Which rule a design breaks."""
        return [kind_of(design["capacity"], design["coverage"]) for design in self.designs]


def kind_of(capacity: float, coverage: float) -> str:
    """Which rule is broken: capacity first."""
    if capacity < LEAST_CAPACITY - 1e-9:
        return "low capacity"
    if coverage > MOST_COVERAGE:
        return "beyond the image"
    return "within the rules" if coverage >= LEAST_COVERAGE else "short-sighted"


def bootstrap(estimate: Callable[[NDArray[np.int_]], float], strata: NDArray, resamples: int = RESAMPLES) -> Interval:
    """Estimate from designs, and its percentile interval when designs are drawn anew within each stratum."""
    generator = np.random.default_rng(0)
    groups = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    drawn = [
        estimate(np.concatenate([generator.choice(group, len(group)) for group in groups])) for _ in range(resamples)
    ]
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return estimate(np.arange(len(strata))), float(low), float(high)


def t_interval(values: Iterable[float]) -> Interval:
    """Mean of independent values, and its interval by Student's t."""
    each = np.array(list(values))
    half = student.ppf((1 + LEVEL) / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return float(each.mean()), float(each.mean() - half), float(each.mean() + half)


def contrast(runs: Runs, first: str, second: str) -> Interval | None:
    """Accuracy of one kind less that of another, depth by depth, each depth that has both counting alike."""
    kinds, depths = np.array(runs.kind), runs.fact("depth")
    both = [depth for depth in np.unique(depths) if {first, second} <= set(kinds[depths == depth])]
    if not both:
        return None
    chosen = np.flatnonzero(np.isin(depths, both) & np.isin(kinds, [first, second]))
    kinds, depths, final = kinds[chosen], depths[chosen], runs.final[chosen]

    def estimate(rows: NDArray[np.int_]) -> float:
        means = [
            [final[rows][(depths[rows] == depth) & (kinds[rows] == kind)].mean() for kind in (first, second)]
            for depth in both
        ]
        return float(np.mean([one - other for one, other in means]))

    strata = np.array([f"{depth} {kind}" for depth, kind in zip(depths, kinds, strict=True)])
    return bootstrap(estimate, strata)


def spearman(first: Numbers, second: Numbers, given: Numbers | None = None) -> float:
    """Rank correlation; of what the ranks of a third leave over, where it is given."""
    one, other = (rankdata(each) - (len(each) + 1) / 2 for each in (first, second))
    if given is not None:
        third = rankdata(given) - (len(given) + 1) / 2
        one, other = (each - third * (each @ third) / (third @ third) for each in (one, other))
    scale = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / scale) if scale > 1e-9 else float("nan")


def predictors(runs: Runs) -> dict[str, Numbers]:
    """What is known before training, shape (designs, 1), or after some of it, shape (designs, seeds)."""
    early = {f"accuracy after {epoch}": runs.curves[:, :, epoch - 1] for epoch in RUNGS[:-1]}
    facts = {name: runs.fact(name)[:, None] for name in ("params", "depth", "coverage", "capacity")}
    last = np.array([design["widths"][-1] for design in runs.designs], dtype=float)[:, None]
    return {
        **facts,
        "channels before the head": last,
        "training loss of the first epoch": -runs.losses[:, :, 0],
        **early,
    }


def rank_rows(runs: Runs) -> dict[str, tuple[Interval, Interval | None]]:
    """For each predictor its rank correlation with the final accuracy, plain and given the parameters."""
    params = runs.fact("params")

    def mean_of(values: Numbers, given: Numbers | None, rows: NDArray[np.int_]) -> float:
        third = None if given is None else given[rows]
        return float(
            np.mean([spearman(values[rows, seed], runs.final[rows], third) for seed in range(values.shape[1])])
        )

    alike = np.zeros(len(runs.designs))
    rows = {}
    for name, values in predictors(runs).items():
        plain = bootstrap(lambda chosen, v=values: mean_of(v, None, chosen), alike)
        partial = None if name == "params" else bootstrap(lambda chosen, v=values: mean_of(v, params, chosen), alike)
        rows[name] = (plain, partial)
    return rows


def race(curve: Numbers, n_images: int) -> tuple[int, int]:
    """A race of one seed replayed on curves of shape (designs, epochs): its winner, and the epochs it trains."""
    alive = list(range(len(curve)))
    epochs = len(alive) * RUNGS[0]
    for rung, following in pairwise(RUNGS):
        judged = {
            each: Judged(curve[each, rung - 1], binomial_error(round(curve[each, rung - 1] * n_images), n_images))
            for each in alive
        }
        alive, _ = cut(judged, 1 / ETA)
        epochs += len(alive) * (following - rung)
    return max(alive, key=lambda each: curve[each, -1]), epochs


def choices(runs: Runs, n_images: int) -> dict[str, list[tuple[float, float, float]]]:
    """Ways to choose, seed by seed: epochs trained, regret in that seed, and regret in the mean of the other seeds."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    everyone = runs.curves.shape[0] * RUNGS[-1]
    for seed in range(len(runs.seeds)):
        curve, last = runs.curves[:, seed], runs.curves[:, seed, -1]
        others = np.delete(runs.curves[:, :, -1], seed, 1).mean(1) if len(runs.seeds) > 1 else last
        winner, epochs = race(curve, n_images)
        within = [place for place, kind in enumerate(runs.kind) if kind == "within the rules"]
        best_within = within[int(np.argmax(last[within]))]
        ways = {
            "train all": (everyone, int(np.argmax(last))),
            "race 1-3-9": (epochs, winner),
            "best after 1 epoch": (len(last) + RUNGS[-1] - 1, int(np.argmax(curve[:, 0]))),
            "most parameters": (RUNGS[-1], int(np.argmax(runs.fact("params")))),
            "train all within the rules": (len(within) * RUNGS[-1], best_within),
            "deepest within the rules": (RUNGS[-1], max(within, key=lambda at: runs.designs[at]["depth"])),
        }
        for name, (cost, place) in ways.items():
            regrets = (float(last.max() - last[place]), float(others.max() - others[place]))
            found.setdefault(name, []).append((cost, *regrets))
    return found


def points(interval: Interval | None) -> str:
    """In percentage points."""
    return "" if interval is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * each for each in interval))


def ratio(interval: Interval | None) -> str:
    """A correlation."""
    return "" if interval is None else "{:+.2f} ({:+.2f} to {:+.2f})".format(*interval)


def numbers(*titles: str) -> list[Column]:
    """Columns, the first of words."""
    return [Column(titles[0]), *(Column(title, "right") for title in titles[1:])]


def design_table(runs: Runs) -> Table:
    """Every design."""
    rows = []
    for place, design in enumerate(runs.designs):
        last = runs.curves[place, :, -1]
        spread = f" ± {100 * last.std(ddof=1):.1f}" if len(last) > 1 else ""
        rows.append([
            design["skeleton"], runs.kind[place], str(design["depth"]), f"{design['params']:,}",
            f"{design['macs'] / 1e6:.2f}", f"{100 * design['capacity']:.1f}", f"{100 * design['coverage']:.0f}",
            f"{100 * runs.curves[place, :, 0].mean():.1f}", f"{100 * last.mean():.1f}{spread}",
        ])  # fmt: skip
    titles = ("params", "M MACs", "capacity %", "coverage %", "1 epoch %", "9 epochs %")
    return Table([Column("convolutions"), Column("kind"), *numbers("depth", *titles)], rows)


def capacity_table(every: list[Runs]) -> tuple[Table, dict[str, Interval]]:
    """Pairs that differ in capacity alone, and what that comes to."""
    rows, overall, differences = [], {}, []
    for runs in every:
        own = []
        for kept, broken in PAIRS:
            one, other = runs.place(kept), runs.place(broken)
            per_seed = runs.curves[one, :, -1] - runs.curves[other, :, -1]
            first, second = runs.designs[one], runs.designs[other]
            assert first["depth"] == second["depth"] and first["coverage"] == second["coverage"]
            own.append(float(per_seed.mean()))
            rows.append([
                NAMES[runs.data], f"{kept}, {broken}", str(first["depth"]), f"{100 * first['coverage']:.0f}",
                f"{100 * first['capacity']:.1f}, {100 * second['capacity']:.1f}",
                f"{first['params']:,}, {second['params']:,}", f"{100 * per_seed.mean():+.1f}",
                " ".join(f"{100 * each:+.1f}" for each in per_seed),
            ])  # fmt: skip
        overall[NAMES[runs.data]] = t_interval(own)
        differences += own
    overall["both"] = t_interval(differences)
    titles = ("depth", "coverage %", "capacity %", "params", "difference", "by seed")
    return Table([Column("data"), *numbers("pair", *titles)], rows), overall


CONTRASTS = (
    ("within the rules", "beyond the image"), ("within the rules", "short-sighted"),
    ("beyond the image", "short-sighted"), ("beyond the image", "low capacity"),
)  # fmt: skip


def report(every: list[Runs], n_images: int) -> tuple[str, dict]:
    """All tables as Markdown, and their figures."""
    seeds = "; ".join(f"{NAMES[runs.data]}: {len(runs.designs)} designs, {len(runs.seeds)} seeds" for runs in every)
    parts, figures = [f"{seeds}.  95 % intervals in brackets."], {}
    pairs, overall = capacity_table(every)
    lines = [f"* {name}: {points(interval)} points" for name, interval in overall.items()]
    parts += ["### Capacity: equally deep and far-sighted pairs", pairs.markdown(),
              "First less second, mean of the pairs (Student's t over the pairs):", "\n".join(lines)]  # fmt: skip
    figures["pairs"] = overall
    found = {runs.data: {" - ".join(pair): contrast(runs, *pair) for pair in CONTRASTS} for runs in every}
    rows = [[name, *(points(found[runs.data][name]) for runs in every)] for name in found[every[0].data]]
    parts += ["### Kinds of designs at equal depth", Table(numbers("difference", *titles(every)), rows).markdown()]
    figures["contrasts"] = found
    ranks = {runs.data: rank_rows(runs) for runs in every}
    heads = [f"{name}{more}" for name in titles(every) for more in ("", ", given parameters")]
    rows = [
        [name, *(ratio(each) for runs in every for each in ranks[runs.data][name])] for name in ranks[every[0].data]
    ]
    parts += ["### What ranks the final accuracy (Spearman)", Table(numbers("known", *heads), rows).markdown()]
    figures["spearman"] = ranks
    ways = {runs.data: choices(runs, n_images) for runs in every}
    rows = [[name, *(cell for runs in every for cell in _way(ways[runs.data][name]))] for name in ways[every[0].data]]
    heads = [f"{name}{more}" for name in titles(every) for more in (": epochs", ": regret", ": on other seeds")]
    parts += ["### What a choice loses", Table(numbers("choice", *heads), rows).markdown()]
    figures["choices"] = ways
    for runs in every:
        parts += [f"### All designs, {NAMES[runs.data]}", design_table(runs).markdown()]
    return "\n\n".join(parts), figures


def _way(entries: list[tuple[float, float, float]]) -> list[str]:
    epochs, regret, elsewhere = (sum(column) / len(entries) for column in zip(*entries, strict=True))
    return [f"{epochs:.0f}", f"{100 * regret:.1f}", f"{100 * elsewhere:.1f}"]


def titles(every: list[Runs]) -> list[str]:
    """Names of the data sets."""
    return [NAMES[runs.data] for runs in every]


def draw(every: list[Runs], path: Path) -> None:
    """Accuracy over coverage, a mark a design."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * len(every), 3.6), layout="constrained")
    for runs, ax in zip(every, figure.subplots(1, len(every), squeeze=False)[0], strict=True):
        low = np.array(runs.kind) == "low capacity"
        for depth, color in zip(
            np.unique(runs.fact("depth")), ("#E69F00", "#009E73", "#0072B2", "#D55E00"), strict=True
        ):
            chosen = runs.fact("depth") == depth
            for rows, face in ((chosen & ~low, color), (chosen & low, "none")):
                ax.scatter(
                    100 * runs.fact("coverage")[rows], 100 * runs.final[rows], s=36, facecolors=face, edgecolors=color,
                    label=f"{depth:.0f} convolutions" if face == color else None,
                )  # fmt: skip
        ax.axvspan(100 * LEAST_COVERAGE, 100 * MOST_COVERAGE, color="0.9", zorder=0)
        ax.set(xlabel="coverage of the last convolution (%)", ylabel="test accuracy (%)", title=NAMES[runs.data])
        ax.set_xscale("log")
        ax.set_xticks([50, 75, 100, 150, 200, 300], ["50", "75", "100", "150", "200", "300"])
        ax.minorticks_off()
        ax.legend(fontsize=7, title="open: capacity below 1/6", title_fontsize=7, loc="lower right")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Read, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=RUNS, help=f"where the runs are; {RUNS} by default")
    records = [json.loads(path.read_text()) for path in sorted(parser.parse_args().folder.glob("*.json"))]
    every = [Runs(data, tuple(each for each in records if each["data"] == data)) for data in NAMES]
    missing = [NAMES[runs.data] for runs in every if not runs.seeds]
    if missing:
        raise SystemExit(f"no seed of {', '.join(missing)} is complete. Run benchmarks/evidence.py on.")
    text, figures = report(every, records[0]["settings"]["test"])
    print(text)
    machine = describe_machine(python=platform.python_version())
    seconds = sum(each["processor_seconds"] for each in records)
    summary = {"machine": machine, "processor_seconds": round(seconds), "figures": figures, "runs": records}
    (REPO / "benchmarks" / "results" / "evidence.json").write_text(json.dumps(summary) + "\n")
    draw(every, REPO / "docs" / "images" / "evidence.png")
    page = REPO / "docs" / "evidence.md"
    if page.exists():
        between = re.compile(r"(<!-- tables -->\n).*(<!-- end of tables -->)", re.DOTALL)
        page.write_text(between.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page.read_text()))


if __name__ == "__main__":
    main()
