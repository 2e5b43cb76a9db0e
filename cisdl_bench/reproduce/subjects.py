"""What the rows of a table are measured on: checkpoints to be trained, methods, files given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.errors import ModelError, SpecError
from cisdl_bench.models.classical.registry import PAIR_DETECTORS
from cisdl_bench.models.find import SHIPPED
from cisdl_bench.reproduce.targets import Row, Target
from cisdl_bench.training.experiments import Experiment, experiments, load_experiment
from cisdl_bench.validation import refuse_unknown


@dataclass(frozen=True)
class Subject:
    """What one or several rows are measured on.

    Attributes:
        name: Name that its scores are filed under.
        experiment: Experiment that is trained, or whose parameters a file given has; None: none.
        detector: Method without training, or checkpoint of the package's; empty: none.
        file: File that a user gave to be scored; None: none.
    """

    name: str
    experiment: Experiment | None = None
    detector: str = ""
    file: Path | None = None

    @property
    def trained(self) -> Experiment | None:
        """The experiment that is trained for it; None where nothing is."""
        return None if self.file else self.experiment

    @property
    def available(self) -> bool:
        """Whether it can be scored: it is trained, given, or needs neither."""
        return bool(self.file or self.detector or self.experiment)


def other_names() -> dict[str, str]:
    """Return the experiments that come with the package by their other names.

    >>> other_names()["dmac-adv"]
    'adv-bce-0.01-0.01-1e-5'
    """
    return {name: one.name for one in experiments().values() for name in one.also}


def find_subjects(
    target: Target, rows: Mapping[str, Row], models: Mapping[str, Path]
) -> dict[str, Subject]:
    """Return what each row is measured on, by the row's name.

    Args:
        target: Table that the rows are of.
        rows: Chosen rows by name.
        models: Files that a user gave, by the name of an experiment, a method or a model.

    Raises:
        SpecError: A row names an experiment or a method that there is not.
        ModelError: A file is not there.
    """
    subjects = {}
    for name, row in rows.items():
        experiment = load_experiment(row.experiment) if row.experiment else None
        if row.detector:
            where = f"{target.name}: rows.{name}: detector"
            refuse_unknown({row.detector: None}, dict.fromkeys((*PAIR_DETECTORS, *SHIPPED)), where)
        filed = experiment.name if experiment else row.detector or row.model
        file = models.get(filed)
        if file is not None and not file.is_file():
            raise ModelError.expected(
                f"--model {filed}={file}", "a checkpoint", "no such file", "Check the path"
            )
        subjects[name] = Subject(filed, experiment, row.detector, file)
    return subjects


def order_experiments(
    subjects: Mapping[str, Subject], models: Mapping[str, Path]
) -> list[Experiment]:
    """Return the experiments to be trained, each after the one that it builds on.

    Args:
        subjects: Experiment, detector or checkpoint that each row is measured on, by row.
        models: Files that a user gave: what builds on one of these is trained from it.

    Raises:
        SpecError: An experiment builds on one that there is not, or on itself; or a file is given
            for what no row needs.

    >>> dmac_adv = load_experiment("dmac-adv")
    >>> subjects = {"dmac-adv": Subject(dmac_adv.name, dmac_adv)}
    >>> [one.name for one in order_experiments(subjects, {})]
    ['dmac', 'adv-bce-0.01-0.01-1e-5']
    >>> [one.name for one in order_experiments(subjects, {"dmac": Path("dmac.pt")})]
    ['adv-bce-0.01-0.01-1e-5']
    """
    own = {one.experiment.name: one.experiment for one in subjects.values() if one.experiment}
    needed = dict.fromkeys(one.name for one in subjects.values())
    ordered: dict[str, Experiment] = {}

    def add(experiment: Experiment, trail: tuple[str, ...]) -> None:
        needed.setdefault(experiment.name)
        if experiment.name in models:
            return
        if experiment.name in trail:
            raise SpecError(f"{experiment.name}: the experiment builds on itself. Correct `start`.")
        if experiment.start:
            start = find_start(experiment)
            add(own.get(start) or load_experiment(start), (*trail, experiment.name))
        ordered.setdefault(experiment.name, experiment)

    for experiment in own.values():
        add(experiment, ())
    refuse_unknown(models, needed, "--model")
    return list(ordered.values())


def find_start(experiment: Experiment) -> str:
    """Return the name of the experiment that one builds on; empty where it builds on none."""
    return other_names().get(experiment.start, experiment.start)
