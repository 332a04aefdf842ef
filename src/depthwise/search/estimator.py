"""The search as a scikit-learn estimator."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from depthwise import __version__
from depthwise.errors import FileError, StudyError, TrainingError
from depthwise.search.candidates import Candidate, read_candidates
from depthwise.search.halving import Plan
from depthwise.search.holding_out import count_outputs, hold_out, kind_of
from depthwise.search.jobs import count_threads
from depthwise.search.parameters import OF_THE_JOB, check_parameters, describe_parameters
from depthwise.search.pool import Pool
from depthwise.search.progress import RaceProgress
from depthwise.search.race import Race
from depthwise.search.standings import FAILED, Standing, table, write_cv_results
from depthwise.search.study import Arrays, Job, Study
from depthwise.tables import Table
from depthwise.training import NeuralNetClassifier, load
from depthwise.training.inputs import input_shape_of
from depthwise.training.neural_net import NeuralNet
from depthwise.training.preparing import read_pairs


def _has(method: str) -> Any:
    return available_if(lambda search: hasattr(search.template, method))


class ArchitectureSearch(MetaEstimatorMixin, BaseEstimator):
    """Race designs: train all of them a little, the better ones more, and a few to the end, in scikit-learn's manner.

    Successive halving over epochs that goes on from checkpoints.  Whoever is within one standard error of a cut stays.
    Everything is kept in a folder; a search that was killed goes on there, and on one kind of processor ends with the
    same scores, bit by bit, as an undisturbed one.

    Parameters
    ----------
    designs
        What :func:`depthwise.design` returns, or designs, layer lists and notations in a list.
    estimator
        Estimator whose parameters are taken for every network; its layers are not read.  ``None`` is a
        :class:`~depthwise.NeuralNetClassifier` as it comes.
    rungs
        Epochs in total after which designs are compared, rising.
    keep
        Share of the designs that goes on from each rung, two at least.
    n_seeds
        Networks trained of each finalist; its score is their mean.
    validation
        Images to compare by, the same for all: a share of the images, a pair ``(X, y)``, or a splitter of scikit-learn.
    n_jobs
        Networks trained at a time, as for :class:`joblib.Parallel`; inside ``parallel_config(backend="dask")`` those
        of a cluster.
    n_threads
        Of each of them; ``None`` is the number of cores by the number of jobs.  It is part of the study.
    study
        Folder to keep everything in; ``None`` keeps nothing.  A folder with a study goes on with it.
    minutes
        When they are over no network is begun.  Who stayed only by a standard error is left out first, then the last
        rungs, then seeds, then designs, so that the race ends in time.
    random_state
        Seed of the split and of the first networks.
    verbose
        0 silent; 1 a live table on a terminal, elsewhere a line a network.

    Attributes
    ----------
    cv_results_
        A dict of arrays, one entry a design: ``name, layers, params, macs, depth``, a score for each rung and seed
        (``score_rung9_seed0``), ``mean_score, standard_error, rank, epochs, seconds, status, error``.  A score is the
        validation accuracy, or minus the validation loss for regression.
    best_estimator_
        The best trained network of the best design: of its seeds the one with the best score.  It is not trained
        again; that it was chosen by its score makes the score a little too good.
    best_layers_, best_index_, best_score_
        Its layer list, its place in the arrays, and the mean score of its seeds.
    rungs_, n_seeds_
        As time allowed.
    study_
        The folder; ``None`` if nothing was kept.

    References
    ----------
    Jamieson, Talwalkar: Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> search = ArchitectureSearch(["8C3-N", "16C3-N", "2C3-GAP-N"], rungs=(1, 2), n_seeds=1, verbose=0)
    >>> search.fit(X[:500].reshape(-1, 8, 8), y[:500]).best_layers_
    [Conv2D(16), Output()]
    >>> search.cv_results_["status"].tolist()
    ['finished', 'finished', 'cut at rung 1']
    """

    def __init__(
        self,
        designs: Any,
        *,
        estimator: NeuralNet | None = None,
        rungs: Sequence[int] = (1, 3, 9, 27),
        keep: float = 1 / 3,
        n_seeds: int = 3,
        validation: Any = 0.2,
        n_jobs: int | None = None,
        n_threads: int | None = None,
        study: str | os.PathLike[str] | None = None,
        minutes: float | None = None,
        random_state: Any = 0,
        verbose: int = 1,
    ) -> None:
        self.designs = designs
        self.estimator = estimator
        self.rungs = rungs
        self.keep = keep
        self.n_seeds = n_seeds
        self.validation = validation
        self.n_jobs = n_jobs
        self.n_threads = n_threads
        self.study = study
        self.minutes = minutes
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Race the designs on images.

        Parameters
        ----------
        X, y
            As for the estimator.

        Raises
        ------
        TrainingError
            A parameter cannot be used, or no design could be trained.
        DataError
            Images or targets cannot be used.
        StudyError
            The folder holds another study, cannot be read, or cannot be written (a full disk); it stays as it is.
        """
        check_parameters(self)
        start = time.monotonic()
        X, y = read_pairs(X, y)
        with self._folder() as folder:
            seed = self._seed(folder)
            template = clone(self.template)
            kind = kind_of(y, template)
            arrays = hold_out(self, X, y, self.validation, seed, kind)
            shape = input_shape_of(arrays[0], None)
            n_outputs = count_outputs(arrays[1], kind)
            candidates = read_candidates(self.designs, shape, n_outputs, template.outputs_are)
            self._race(folder, candidates, template, arrays, seed, start)
        return self

    def _race(
        self, folder: Path, candidates: list[Candidate], template: NeuralNet, arrays: Arrays, seed: int, start: float
    ) -> None:
        workers = joblib.effective_n_jobs(self.n_jobs)
        threads = count_threads(self.n_threads, workers)
        study = Study.open(folder, self._describe(candidates, template, threads, seed), arrays)
        progress = RaceProgress(int(self.verbose))
        if study.about["versions"] != _versions():
            progress.note(f"begun with other versions, {study.about['versions']}: scores may differ in their last bits")
        deadline = float("inf")
        if self.minutes is not None:
            deadline = start + 60 * self.minutes - _spent(study) / workers
        race = Race(
            study=study,
            candidates=candidates,
            plan=Plan(tuple(map(int, self.rungs)), float(self.keep), int(self.n_seeds)),
            template=template,
            seed=seed,
            threads=threads,
            workers=workers,
            pool=Pool(study, self.n_jobs, deadline),
            progress=progress,
        )
        try:
            with study.alone():
                standings, plan = race.run()
        except KeyboardInterrupt:
            progress.interrupted(self.study or "no folder, for lack of study=")
            raise
        except FileError as problem:
            raise StudyError(f"{problem} What is done is kept; the same command goes on when there is room.") from None
        self._keep_best(study, standings, plan)
        progress.end(standings, plan)

    def _keep_best(self, study: Study, standings: Sequence[Standing], plan: Plan) -> None:
        """Take over what came out."""
        best = min(standings, key=lambda own: own.rank)
        if best.status == FAILED:
            first = standings[0]
            raise TrainingError(
                f"none of the {len(standings)} designs could be trained. The first, {first.candidate.name}: "
                f"{first.error}"
            )
        if best.score is None:
            raise TrainingError("the time was over before a network was trained. Give more minutes.")
        seed = max(best.seeds, key=lambda seed: best.judged[best.rung, seed].score)
        net = load(study.network(Job(best.place, seed, best.rung)))
        # What a file cannot hold: functions, callbacks, the device.
        own = self.template.get_params(deep=False)
        self.best_estimator_ = net.set_params(**{name: own[name] for name in own if name not in OF_THE_JOB})
        self.best_layers_ = list(best.candidate.layers)
        self.best_index_, self.best_score_ = best.place, best.score
        self.cv_results_ = write_cv_results(standings, plan.rungs, plan.n_seeds)
        self.rungs_, self.n_seeds_ = plan.rungs, plan.n_seeds
        self.study_ = None if self.study is None else study.folder
        self.n_features_in_ = net.n_features_in_
        self._standings = list(standings)

    def table(self) -> Table:
        """The designs, best first, with their scores after every rung."""
        check_is_fitted(self)
        return table(self._standings, self.rungs_)

    def to_dict(self) -> list[dict[str, Any]]:
        """The designs as values that JSON can hold, in their order."""
        check_is_fitted(self)
        return [own.to_dict() for own in self._standings]

    def predict(self, X: Any) -> NDArray[Any]:
        """Predictions of ``best_estimator_``."""
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of ``best_estimator_``, one column a class."""
        check_is_fitted(self)
        probabilities: NDArray[np.float64] = self.best_estimator_.predict_proba(X)
        return probabilities

    def score(self, X: Any, y: Any) -> float:
        """Accuracy, or R2, of ``best_estimator_``."""
        check_is_fitted(self)
        return float(self.best_estimator_.score(X, y))

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of the probabilities."""
        check_is_fitted(self)
        return self.best_estimator_.classes_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; ``deep`` adds those of the estimator, but for its layers, which designs replace."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and self.estimator is not None:
            own = self.estimator.get_params(deep=False)
            params |= {f"estimator__{name}": value for name, value in own.items()}
        return params

    @property
    def template(self) -> NeuralNet:
        """Estimator with the parameters of all networks."""
        return NeuralNetClassifier([]) if self.estimator is None else self.estimator

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        if self.study is not None:
            yield Path(self.study)
            return
        with tempfile.TemporaryDirectory(prefix="depthwise-study-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def _seed(self, folder: Path) -> int:
        """Seed of the study; where any will do, the one it was begun with."""
        if self.random_state is None and Study.exists(folder):
            return int(Study(folder).about["race"]["seed"])
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _describe(
        self, candidates: Sequence[Candidate], template: NeuralNet, threads: int, seed: int
    ) -> dict[str, Any]:
        """What a study is identified by, but for its data."""
        return {
            "designs": [{"name": each.name, "layers": each.toml} for each in candidates],
            "estimator": {"estimator": type(template).__name__, **describe_parameters(template)},
            "race": {
                "rungs": [int(rung) for rung in self.rungs],
                "keep": float(self.keep),
                "n_seeds": int(self.n_seeds),
                "seed": seed,
            },
            "threads": threads,
            "versions": _versions(),
        }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        own = self.template.__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = own.estimator_type, own.classifier_tags
        tags.regressor_tags, tags.input_tags, tags.target_tags = own.regressor_tags, own.input_tags, own.target_tags
        return tags


def _versions() -> dict[str, str]:
    return {
        "depthwise": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def _spent(study: Study) -> float:
    """Seconds of training that a study holds."""
    furthest = {(job.design, job.seed): result.get("seconds", 0.0) for job, result in sorted(study.results(), key=_job)}
    return sum(furthest.values())


def _job(entry: tuple[Job, Any]) -> Job:
    return entry[0]
