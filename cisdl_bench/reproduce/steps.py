"""The steps of a reproduction; what is done is recognised by what each step wrote itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from cisdl_bench.generate.estimate import estimate
from cisdl_bench.generate.jobs import SetJob
from cisdl_bench.generate.run import make_sets
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.classical.registry import PAIR_DETECTORS, make_method
from cisdl_bench.models.detectors import Detector, NetworkDetector
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.registry import NETWORKS
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import count_pairs
from cisdl_bench.reproduce.rates import Rates, measure_scoring, measure_training, name_training
from cisdl_bench.reproduce.settings import HE, Choices
from cisdl_bench.reproduce.targets import EvaluationSpec
from cisdl_bench.results.describe import describe_result
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions, make_options
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.quick import quick_scores
from cisdl_bench.scoring.record import RESULT, read_result
from cisdl_bench.scoring.run import run_jobs
from cisdl_bench.scoring.scorers import DetectorScorer
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.layout import MANIFEST
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.pictures import intact
from cisdl_bench.store.sets import read_manifest
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.initial_weights import make_networks
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.record import RECORD, read_record
from cisdl_bench.training.run import train

_ROW_BYTES = 400  # a pair's line of ``pairs.csv``
_SAVE_EVERY = {"cpu": 100, "cuda": 1000}  # steps


@dataclass(frozen=True)
class Cost:
    """What is left of a step.

    Attributes:
        seconds: Time that it takes.
        bytes: Room that it takes on disk.
    """

    seconds: float = 0.0
    bytes: int = 0


class Step(Protocol):
    """One step of a reproduction."""

    @property
    def title(self) -> str:
        """What it does, one line."""
        ...

    def done(self) -> bool:
        """Return whether nothing is left to do, by what it wrote."""
        ...

    def cost(self, rates: Rates) -> Cost:
        """Return what is left of it, from measured rates."""
        ...

    def run(self, progress: Progress) -> None:
        """Do what is left of it."""
        ...


@dataclass(frozen=True)
class GenerateStep:
    """Making sets; not needed where all that reads them is done.

    Attributes:
        set_jobs: Sets to be made.
        data: Folder of the data sets.
        jobs: Number of worker processes.
        readers: Steps that read the sets.
    """

    set_jobs: Sequence[SetJob]
    data: Path
    jobs: int
    readers: Sequence[Step]

    @property
    def title(self) -> str:
        """The sets, and how many pairs they have."""
        pairs = sum(job_pairs(job) for job in self.set_jobs)
        names = list(dict.fromkeys(job.spec.full_name for job in self.set_jobs))
        sets = "1 set" if len(self.set_jobs) == 1 else f"{len(self.set_jobs)} sets"
        return f"generate {', '.join(names)}: {sets}, {pairs:,} pairs"

    def done(self) -> bool:
        """Return whether all sets are there, or nothing reads them any more."""
        made = all(is_made(job, self.data) for job in self.set_jobs)
        return made or all(reader.done() for reader in self.readers)

    def cost(self, rates: Rates) -> Cost:
        """Return the estimate for the sets that are missing."""
        total = estimate([job for job in self.set_jobs if not is_made(job, self.data)], self.jobs)
        return Cost(total.seconds, total.bytes)

    def run(self, progress: Progress) -> None:
        """Make the sets."""
        make_sets(self.set_jobs, DataFolder(self.data), progress, jobs=self.jobs)


def job_pairs(job: SetJob) -> int:
    """Return the number of pairs that a set is to have."""
    return count_pairs(job.composites, job.spec.kinds)


def is_made(job: SetJob, data: Path) -> bool:
    """Return whether a set is there, whole and of the right request."""
    folder = data / job.folder
    if not (folder / MANIFEST).exists():
        return False
    manifest = read_manifest(folder, finished=False)
    shards = [entry for entry in manifest["shards"] if entry["rows"]]
    return (
        manifest["complete"]
        and all(manifest["request"].get(key) == job.request[key] for key in job.request)
        and all(intact(folder / entry["name"], entry, thorough=False) for entry in shards)
    )


@dataclass(frozen=True)
class TrainStep:
    """Training one experiment.

    Attributes:
        experiment: Experiment that is trained.
        out: Folder of all training runs.
        set_job: Set that it learns from.
        data: Folder of the data sets.
        start: Checkpoint of the experiment that it builds on; None where it builds on none.
        given_vgg: File of VGG-16's weights that the user gave; None: there is none.
        evaluation: Evaluation while it learns; None: there is none.
        evaluation_sets: Folders of the sets that it is evaluated on.
        choices: Device, precision, seed and so on.
    """

    experiment: Experiment
    out: Path
    set_job: SetJob
    data: Path
    start: Path | None
    given_vgg: Path | None
    evaluation: EvaluationSpec | None
    evaluation_sets: Sequence[Path]
    choices: Choices

    @property
    def vgg(self) -> Path | None:
        """File of VGG-16's weights that it begins with; None where it begins with others."""
        return self.given_vgg if self.takes_vgg else None

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.out / self.experiment.name

    @property
    def checkpoint(self) -> Path:
        """The network that it trains."""
        return self.folder / f"{self.experiment.name}.pt"

    @property
    def steps(self) -> int:
        """Number of steps, if the source gives as many pairs as are wanted."""
        pairs = self.experiment.epochs * job_pairs(self.set_job)
        return max(1, -(-pairs // self.experiment.batch))

    @property
    def title(self) -> str:
        """The experiment, what it begins with, and how many steps it makes."""
        name, batch = self.experiment.name, self.experiment.batch
        if self.start is not None:
            origin = self.start.name
        elif self.takes_vgg and self.choices.init != HE:
            origin = f"VGG-16's weights {self.vgg or ''}".rstrip()
        else:
            origin = "He initialisation"
        return f"train {name} from {origin}: about {self.steps:,} steps of {batch} pairs"

    @property
    def takes_vgg(self) -> bool:
        """Whether the experiment begins with VGG-16's weights in the paper."""
        network = NETWORKS[self.experiment.network]
        return not self.experiment.start and network.vgg_blocks and self.experiment.width == 1

    def done(self) -> bool:
        """Return whether the run is complete, of this experiment, data and start."""
        if not (self.folder / RECORD).exists():
            return False
        record = read_record(self.folder / RECORD)
        wanted = {
            "experiment_sha256": self.experiment.sha256,
            "seed": self.choices.seed,
            "precision": self.choices.precision,
        }
        if is_made(self.set_job, self.data):
            wanted["data"] = [read_manifest(self.data / self.set_job.folder)["fingerprint"]]
        if self.start is not None and self.start.exists():
            wanted["begins_with"] = f"checkpoint {hash_file(self.start)}"
        is_same = all(record["request"].get(key) == value for key, value in wanted.items())
        return bool(record["complete"] and is_same and self.checkpoint.is_file())

    def cost(self, rates: Rates) -> Cost:
        """Return what the steps that are left take, from the run's own speed where it has begun."""
        side = self.set_job.spec.size
        options = self._options()
        work = name_training(self.experiment, options, side)
        rate = rates.find(
            options.device, work, lambda: measure_training(self.experiment, options, side)
        )
        made, speed = 0, rate["pairs_per_second"]
        if (self.folder / RECORD).exists():
            record = read_record(self.folder / RECORD)
            made = int(record.get("step", 0))
        left = max(0, self.steps - made) * self.experiment.batch
        return Cost(left / speed, rate["bytes"])

    def run(self, progress: Progress) -> None:
        """Train, from where the run stopped."""
        evaluate = None
        if self.evaluation is not None:
            scored = ScoreOptions(device=self.choices.device, precision=self.choices.precision)
            evaluate = partial(
                quick_scores,
                sets=self.evaluation_sets,
                pairs=self.evaluation.pairs,
                options=scored,
            )
        train(
            self.experiment,
            [self.data / self.set_job.folder],
            self.folder,
            self._options(),
            progress,
            vgg=self.vgg,
            start=self.start,
            evaluate=evaluate,
        )

    def _options(self) -> TrainOptions:
        choices, times = self.choices, self.evaluation.times if self.evaluation else 1
        kind = choices.device.partition(":")[0]
        return TrainOptions(
            seed=choices.seed,
            device=choices.device,
            precision=choices.precision,
            compile=choices.compile,
            save_every=_SAVE_EVERY[kind],
            evaluate_every=max(1, min(1000, self.steps // times)),
        )


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
        if self.model in PAIR_DETECTORS:
            identity = make_method(self.model).identity
        elif Path(self.model).is_file():
            identity = hash_file(Path(self.model))
        else:
            return False
        return all(self._is_scored(name, identity) for name in self.sets)

    def _is_scored(self, name: str, identity: str) -> bool:
        path = self.folder / name / RESULT
        if not path.exists():
            return False
        record = read_result(path)
        request = record["request"]
        fingerprint = self._fingerprint(name)
        is_same = request["identity"] == identity and request["set"] == name
        return bool(record["complete"] and is_same) and fingerprint in (
            None,
            request["fingerprint"],
        )

    def _fingerprint(self, name: str) -> str | None:
        """Return the fingerprint of a set or list; None where the set is not there any more."""
        for pairs in self.lists:
            if pairs.name == name:
                return pairs.fingerprint
        if not (self.data / name / MANIFEST).exists():
            return None
        manifest = read_manifest(self.data / name, finished=False)
        return str(manifest["fingerprint"]) if manifest["complete"] else ""

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
