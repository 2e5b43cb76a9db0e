"""Scoring one detector, as one step; what is done is recognised by its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.detectors import Detector, NetworkDetector
from cisdl_bench.models.find import find_detector
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.reproduce.generate_step import job_pairs
from cisdl_bench.reproduce.rates import Rates, measure_scoring
from cisdl_bench.reproduce.settings import Choices
from cisdl_bench.reproduce.step import REMOVE, Cost
from cisdl_bench.results.describe import describe_result
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions, make_options
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.record import RESULT, read_result
from cisdl_bench.scoring.run import run_jobs
from cisdl_bench.scoring.scorers import DetectorScorer
from cisdl_bench.store.layout import MANIFEST
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.sets import read_manifest
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.initial_weights import make_networks

_ROW_BYTES = 400  # a pair's line of ``pairs.csv``


@dataclass(frozen=True)
class ScoreStep:
    """Scoring one detector on the sets, or on lists of pairs.

    Attributes:
        name: Name that results are filed under.
        model: Checkpoint, or name of a method without training.
        experiment: Experiment whose checkpoint it is; None: a file that the user gave, or a method.
        out: Folder of all results.
        set_jobs: Generated sets.
        data: Folder of the data sets.
        lists: Opened lists of pairs.
        choices: Device, precision and so on.
    """

    name: str
    model: str
    experiment: Experiment | None
    out: Path
    set_jobs: Sequence[SetJob]
    data: Path
    lists: Sequence[Pairs]
    choices: Choices

    @property
    def folder(self) -> Path:
        """Folder of its results."""
        return self.out / self.name

    @property
    def sets(self) -> list[str]:
        """Names of the sets and lists."""
        return [*(job.folder for job in self.set_jobs), *(pairs.name for pairs in self.lists)]

    @property
    def pairs(self) -> int:
        """Number of pairs of all sets and lists."""
        return sum(map(job_pairs, self.set_jobs)) + sum(map(len, self.lists))

    @property
    def title(self) -> str:
        """The detector, and how many pairs it looks at."""
        sets = "1 set" if len(self.sets) == 1 else f"{len(self.sets)} sets"
        return f"score {self.name} on {sets}, {self.pairs:,} pairs"

    def done(self) -> bool:
        """Return whether every set has a finished result of this detector and of these pairs."""
        results = self._results()
        complete = {name for name, record in results.items() if record["complete"]}
        return complete == set(self.sets) and not self._stale(results)

    def check(self) -> None:
        """Refuse a folder that holds results of another detector or of other pairs.

        Raises:
            RunError: It does; the first of them is named.
        """
        if name := self._stale(self._results()):
            raise RunError(
                f"{self.folder / name} holds scores of another checkpoint or set. {REMOVE}"
            )

    def _results(self) -> dict[str, dict[str, Any]]:
        """Return the records of results, finished or not, by the set's name."""
        paths = {name: self.folder / name / RESULT for name in self.sets}
        return {name: read_result(path) for name, path in paths.items() if path.exists()}

    def _stale(self, results: Mapping[str, dict[str, Any]]) -> str:
        """Return a set whose result is of another detector or of other pairs; empty: none."""
        identity = self._identity() if results else ""
        for name, record in results.items():
            request, fingerprint = record["request"], self._fingerprint(name)
            if request["identity"] != identity:
                return name
            if fingerprint not in (None, request["fingerprint"]):
                return name
        return ""

    def _identity(self) -> str:
        """Return the identity of what is scored; empty where it is not there yet."""
        if Path(self.model).is_file():
            return hash_file(Path(self.model))
        if self.experiment is not None:
            return ""
        return find_detector(self.model).identity

    def _fingerprint(self, name: str) -> str | None:
        """Return the fingerprint of a set or list; None where the set is not there any more."""
        for pairs in self.lists:
            if pairs.name == name:
                return pairs.fingerprint
        if not (self.data / name / MANIFEST).exists():
            return None
        manifest = read_manifest(self.data / name, finished=False)
        return str(manifest["fingerprint"]) if manifest["complete"] else None

    def cost(self, rates: Rates) -> Cost:
        """Return what the pairs take."""
        side = self.set_jobs[0].spec.size if self.set_jobs else self.lists[0].size
        options = ScoreOptions(
            device=self.choices.device,
            precision=self.choices.precision,
            batch_size=64 if self.choices.device.startswith("cuda") else 8,
            workers=self.choices.jobs,
        )
        if self.experiment is not None:
            work = f"{self.experiment.network} width {self.experiment.width:g}"
        else:
            work = self.model
        rate = rates.find(
            options.device,
            f"score {work} {options.precision} {side} px {options.workers} workers",
            lambda: measure_scoring(self._untrained(), options, side),
        )
        return Cost(self.pairs / rate["pairs_per_second"], self.pairs * _ROW_BYTES)

    def _untrained(self) -> Detector:
        """Return a detector that is as fast as the one to be scored."""
        if self.experiment is None:
            return find_detector(self.model)
        network = make_networks(self.experiment, 0, None, None).networks["network"]
        return NetworkDetector(self.name, "", network.eval())

    def run(self, progress: Progress) -> None:
        """Score what is not scored yet."""
        detector = find_detector(self.model)
        scorer = DetectorScorer(detector)
        choices = self.choices
        options = make_options(
            scorer,
            choices.device,
            progress,
            precision=choices.precision,
            compile=choices.compile,
            workers=None if detector.needs_device else choices.jobs,
        )
        sets = [open_pairs(self.data / job.folder) for job in self.set_jobs]
        jobs = [ScoreJob(pairs, Perturbation()) for pairs in (*sets, *self.lists)]
        results = run_jobs(scorer, jobs, self.folder, options, progress)
        write_summary(self.folder)
        for result in results:
            progress.say(f"{self.folder / describe_result(result)}")
