"""Training one experiment, as one step; what is done is recognised by its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.networks.registry import find_spec
from cisdl_bench.progress import Progress
from cisdl_bench.reproduce.generate_step import is_made, job_pairs
from cisdl_bench.reproduce.rates import Rates, measure_training, name_training
from cisdl_bench.reproduce.settings import HE, Choices
from cisdl_bench.reproduce.step import REMOVE, Cost
from cisdl_bench.reproduce.targets import EvaluationSpec
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.quick import quick_scores
from cisdl_bench.store.sets import read_manifest
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.record import RECORD, read_record
from cisdl_bench.training.run import train

_SAVE_EVERY = {"cpu": 100, "cuda": 1000}  # steps


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
        network = find_spec(self.experiment.network)
        return not self.experiment.start and network.vgg_blocks and self.experiment.width == 1

    def done(self) -> bool:
        """Return whether the run is complete, of this experiment, data and start."""
        record = self._read()
        return bool(record.get("complete")) and self.checkpoint.is_file() and not self._differing()

    def check(self) -> None:
        """Refuse a folder that holds another run.

        Raises:
            RunError: It does; what differs is named.
        """
        if key := self._differing():
            raise RunError(f"{self.folder} holds another run, its {key} differs. {REMOVE}")

    def _read(self) -> dict[str, Any]:
        """Return the record of the run; empty where it has not begun."""
        path = self.folder / RECORD
        return read_record(path) if path.exists() else {}

    def _differing(self) -> str:
        """Return what tells the run in the folder from the one that is wanted; empty: nothing."""
        record = self._read()
        wanted: dict[str, Any] = {
            "experiment_sha256": self.experiment.sha256,
            "seed": self.choices.seed,
            "precision": self.choices.precision,
        }
        if is_made(self.set_job, self.data):
            wanted["data"] = [read_manifest(self.data / self.set_job.folder)["fingerprint"]]
        if self.start is not None and self.start.exists():
            wanted["begins_with"] = f"checkpoint {hash_file(self.start)}"
        request = record.get("request", wanted)
        return next((key for key, value in wanted.items() if request.get(key) != value), "")

    def cost(self, rates: Rates) -> Cost:
        """Return what the steps that are left take."""
        side = self.set_job.spec.size
        options = self._options()
        work = name_training(self.experiment, options, side)
        rate = rates.find(
            options.device, work, lambda: measure_training(self.experiment, options, side)
        )
        left = max(0, self.steps - int(self._read().get("step", 0))) * self.experiment.batch
        size = rate["bytes"] + rate["pair_bytes"] * job_pairs(self.set_job)
        return Cost(left / rate["pairs_per_second"], round(size))

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
            maps=self.out / "maps",
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
