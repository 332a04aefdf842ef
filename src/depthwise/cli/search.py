"""``depthwise search``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.design import Count, read_count, read_norm
from depthwise.cli.options import AsJson, ImageSize, Seed, check_data, print_json, print_problems, read_size
from depthwise.errors import NoDesignError, StudyError
from depthwise.files import check_network_path

if TYPE_CHECKING:
    from depthwise.data import ImageSet
    from depthwise.designer import Design, DesignSet
    from depthwise.search import ArchitectureSearch

INTERRUPTED = 130
"""Exit status after Ctrl-C, as of shells: 128 + the signal's number."""
BEST = "best.safetensors"
Folder = Annotated[Path, typer.Option(help="Folder of the race; the same command goes on there.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help=f"Where the best network goes; else {BEST} in the study.")
]
LEAST_MINUTES = 0.001
"""What is left where choosing has taken all of the time: nothing is begun, and the search says so."""


def search(
    data: Annotated[str, typer.Argument(help="A folder per class, an IDX folder or file, or the word digits.")],
    params: Count = None,
    macs: Count = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Time that the race may take.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Networks trained at a time, a process each.")] = 1,
    study: Folder = Path("depthwise-study"),
    size: ImageSize = None,
    norm: Annotated[str, typer.Option(metavar="batch|GROUPS|none", help="Norm of the convolutions.")] = "batch",
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Step size.")] = 1e-3,
    seeds: Annotated[int, typer.Option(min=1, help="Networks trained of each finalist.")] = 3,
    seed: Seed = 0,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Race the designs for these images and this budget; the best network, trained; exit status 1 if none fits."""
    start = time.monotonic()
    bounds: dict[str, Any] = {"params": read_count("--params", params), "macs": read_count("--macs", macs)}
    sides = read_size(size)
    if output is not None:
        check_network_path(output)
    check_data(data)
    from depthwise.data import load_images
    from depthwise.search import ArchitectureSearch
    from depthwise.training import NeuralNetClassifier

    race = ArchitectureSearch(
        (),
        estimator=NeuralNetClassifier([], batch_size=batch_size, learning_rate=learning_rate, verbose=0),
        n_seeds=seeds,
        n_jobs=workers,
        study=study,
        minutes=minutes,
        random_state=seed,
        verbose=0 if as_json else 1,
    )
    images = load_images(data, size=sides).require_classes()
    print_problems(images)
    found = _design(images, bounds, norm)
    race.designs, race.rungs = _choose(race, found, images)
    race.minutes = max(minutes - (time.monotonic() - start) / 60, LEAST_MINUTES)
    if not as_json:
        print(f"{images}\n{len(found)} designs fit the budget; {len(race.designs)} race, spread over what they cost.")
    try:
        race.fit(images.X, images.y)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    saved = output or study / BEST
    race.best_estimator_.save(saved)
    _tell(race, saved, as_json)


def _design(images: ImageSet, bounds: dict[str, Any], norm: str) -> DesignSet:
    """All designs for these images."""
    from depthwise.designer import Budget, design

    try:
        layer_norm = None if norm == "none" else read_norm(norm)
        return design(images.input_shape, len(images.classes), budget=Budget(**bounds), norm=layer_norm)
    except NoDesignError as problem:
        print(f"depthwise: {problem}", file=sys.stderr)
        raise typer.Exit(1) from None


def _choose(race: ArchitectureSearch, found: DesignSet, images: ImageSet) -> tuple[Sequence[Design], Sequence[int]]:
    """What races, and its rungs: that of the study if there is one, else what fits into the time."""
    from depthwise.search import Study
    from depthwise.search.thinning import choose_field, time_epochs

    study = Path(race.study or ".")
    if not Study.exists(study):
        return choose_field(time_epochs(race, found, images.X, images.require_labels()), race)
    about = Study(study).about
    by_name = {f"{design.skeleton} from {design.width}": design for design in found}
    unknown = [entry["name"] for entry in about["designs"] if entry["name"] not in by_name]
    if unknown:
        raise StudyError(
            f"{study}: was begun with other options: {unknown[0]!r} is no design within this budget. "
            "Give the options it was begun with, or another folder."
        )
    return [by_name[entry["name"]] for entry in about["designs"]], about["race"]["rungs"]


def _tell(race: ArchitectureSearch, saved: Path, as_json: bool) -> None:
    best = race.best_index_
    name, score = race.cv_results_["name"][best], race.best_score_
    if as_json:
        print_json(
            {
                "designs": race.to_dict(),
                "best": best,
                "rungs": list(race.rungs_),
                "study": str(race.study_),
                "saved": str(saved),
            }
        )
        return
    error = race.cv_results_["standard_error"][best]
    print(f"best: {name}, validation accuracy {100 * score:.2f} % +- {100 * error:.2f}")
    print(f"saved {saved}; depthwise test {saved} DATA tells its accuracy on images that had no say")
