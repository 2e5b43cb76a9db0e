"""From a target and a user's choices to the steps, in order, and what is lacking for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cisdl_bench.adapters.find import find_format, find_lists
from cisdl_bench.adapters.formats import list_formats
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import ModelError, RunError, SourceError
from cisdl_bench.generation.jobs import SetJob, make_set_jobs
from cisdl_bench.models.checkpoints.vgg_weights import Convolutions, read_convolutions
from cisdl_bench.models.find import find_detector
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.reproduce.generate_step import GenerateStep
from cisdl_bench.reproduce.score_step import ScoreStep
from cisdl_bench.reproduce.settings import HE, Choices, Settings, check_settings
from cisdl_bench.reproduce.step import Step
from cisdl_bench.reproduce.subjects import Subject, find_start, find_subjects, order_experiments
from cisdl_bench.reproduce.targets import Row, Target
from cisdl_bench.reproduce.train_step import TrainStep
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.sources.find import find_source
from cisdl_bench.specs import load_spec
from cisdl_bench.training.experiments import Experiment

#: Kind of the weights that the paper begins with, of ``vgg_weights.KINDS``.
PAPER_WEIGHTS = "VGG-16"


@dataclass(frozen=True)
class Plan:
    """What a reproduction does.

    Attributes:
        target: Table or figure.
        rows: Chosen rows by name.
        subjects: Experiment, detector or checkpoint that each row is measured on, by row.
        sets: Names of the sets, or of the list, that rows are measured on.
        out: Folder that everything goes to.
        settings: Pairs, seed, photographs and initial weights, which decide the numbers.
        steps: Steps in order, the table left out.
        lacking: Sentences, one for each file or option that must be given before the steps run.
        departures: Sentences for captions, one for each departure from the paper's protocol.
    """

    target: Target
    rows: dict[str, Row]
    subjects: dict[str, Subject]
    sets: tuple[str, ...]
    out: Path
    settings: Settings
    steps: tuple[Step, ...]
    lacking: tuple[str, ...]
    departures: tuple[str, ...]

    def scores(self, subject: Subject) -> Path:
        """Return the folder of a subject's results."""
        return self.out / "scores" / subject.name

    @property
    def trainings(self) -> list[TrainStep]:
        """The training runs among the steps."""
        return [step for step in self.steps if isinstance(step, TrainStep)]

    def require_all(self) -> None:
        """Refuse to begin where something is lacking.

        Raises:
            RunError: It is so.
        """
        if self.lacking:
            raise RunError(f"{self.target.name}: {self.lacking[0]}")


def make_plan(
    target: Target, rows: dict[str, Row], out: Path, choices: Choices, progress: Progress
) -> Plan:
    """Return the steps of a reproduction, after a look at all that is given.

    Args:
        target: Table or figure.
        rows: Chosen rows by name.
        out: Folder that everything goes to.
        choices: Options of the command, such as pairs, device and initial weights.
        progress: Receives progress updates and messages.

    Raises:
        CisdlError: Something that is given cannot be used, or the folder holds a reproduction of
            other settings.
    """
    data = out / "data"
    open_split = _sources(choices.coco, data, progress)
    subjects = find_subjects(target, rows, choices.models)
    experiments = order_experiments(subjects, choices.models)
    initial = _read_initial(choices)
    settings = Settings(
        choices.pairs,
        _training_pairs(target, choices),
        choices.seed,
        open_split("val").key if target.sets or experiments else None,
        choices.precision,
        initial.identity if initial else choices.init,
    )
    check_settings(out, settings)
    for subject in subjects.values():
        if subject.file:
            find_detector(str(subject.file))  # refused now, not after hours

    def set_jobs(names: Sequence[str], pairs: int | None) -> list[SetJob]:
        return make_set_jobs(names, [], open_split, seed=choices.seed, pairs=pairs)

    evaluated = target.evaluation.sets if target.evaluation and experiments else ()
    scored_jobs, evaluation_jobs = (
        set_jobs(names, choices.pairs) for names in (target.sets, evaluated)
    )
    learnt_jobs = set_jobs([target.training], settings.training_pairs) if experiments else []
    lists, lacking = _open_lists(target, choices, progress)
    trainings: list[TrainStep] = []
    for experiment in experiments:
        trainings.append(
            TrainStep(
                experiment,
                out / "training",
                learnt_jobs[0],
                data,
                _find_start(experiment, trainings, choices.models),
                Path(str(choices.init)) if initial else None,
                target.evaluation,
                [data / job.folder for job in evaluation_jobs],
                choices,
            )
        )
    scorings = []
    for subject in {one.name: one for one in subjects.values() if one.available}.values():
        model = _find_model(subject, trainings)
        scores = out / "scores"
        scorings.append(
            ScoreStep(
                subject.name, model, subject.trained, scores, scored_jobs, data, lists, choices
            )
        )
    later: list[Step] = [*trainings, *(scorings if scored_jobs or lists else [])]
    for step in later:
        step.check()
    steps: list[Step] = []
    tested = list({job.folder: job for job in (*scored_jobs, *evaluation_jobs)}.values())
    if tested:
        steps.append(GenerateStep(tested, data, choices.jobs, later))
    if trainings:
        steps.append(GenerateStep(learnt_jobs, data, choices.jobs, trainings))
    lacking += _require_initial(trainings, choices)
    if not any(subject.available for subject in subjects.values()):
        lacking.append("none of the rows can be measured. Give a checkpoint by --model NAME=FILE.")
    sets = [job.folder for job in scored_jobs] + [pairs.name for pairs in lists]
    return Plan(
        target,
        rows,
        subjects,
        tuple(sets or [target.list_format]),
        out,
        settings,
        (*steps, *later),
        tuple(lacking),
        tuple(_departures(target, settings, trainings, initial, [*tested, *learnt_jobs])),
    )


def _sources(coco: Path | None, data: Path, progress: Progress) -> Callable[[str], CocoSource]:
    said: set[str] = set()

    @lru_cache(maxsize=2)
    def open_split(split: str) -> CocoSource:
        source = find_source(coco, split, data)
        for note in source.notes:
            if note not in said:
                progress.say(f"note: {note}")
            said.add(note)
        return source

    return open_split


def _training_pairs(target: Target, choices: Choices) -> int | None:
    """Return the number of training pairs: scaled as the test sets are; None: the spec's."""
    if choices.training_pairs or choices.pairs is None:
        return choices.training_pairs
    tested = load_spec(target.sets[0] if target.sets else "combination").pairs
    return max(1, round(load_spec(target.training).pairs * choices.pairs / tested))


def _read_initial(choices: Choices) -> Convolutions | None:
    """Return the weights that training begins with; None where none are given, or He's asked for.

    Raises:
        ModelError: They are missing or cannot be used; known now, not after hours.
    """
    if choices.init in (None, HE):
        return None
    path = Path(str(choices.init))
    if not path.exists():
        then = "Give vgg16-397923af.pth, see `cisdl-bench fetch vgg16`, or --init he"
        raise ModelError.expected(f"--init {path}", "a file of weights", "no such file", then)
    return read_convolutions(path)


def _find_start(
    experiment: Experiment, trainings: list[TrainStep], models: Mapping[str, Path]
) -> Path | None:
    if not experiment.start:
        return None
    start = find_start(experiment)
    trained = {step.experiment.name: step.checkpoint for step in trainings}
    return models.get(start) or trained[start]


def _find_model(subject: Subject, trainings: list[TrainStep]) -> str:
    """Return what is scored for a subject: a checkpoint's path, or a method's name."""
    if subject.file is not None:
        return str(subject.file)
    trained = {step.experiment.name: step.checkpoint for step in trainings}
    return str(trained[subject.name]) if subject.experiment else subject.detector


def _open_lists(
    target: Target, choices: Choices, progress: Progress
) -> tuple[list[Pairs], list[str]]:
    """Return the lists of pairs that a target is measured on, and what is lacking for that.

    Raises:
        SourceError: A list cannot be used, or there is none of the target's format.
        RunError: A list is given and the target takes none.
    """
    form = target.list_format
    if not form:
        if choices.data is not None:
            raise RunError(
                f"--data {choices.data}: {target.name} generates its sets. Leave it out."
            )
        return [], []
    columns = next((",".join(one.columns) for one in list_formats() if one.name == form), form)
    if choices.data is None:
        return [], [
            f"it is measured on pairs that cannot be generated. Give their list ({columns}) by "
            "--data, and the folder of their pictures by --images."
        ]
    paths = [
        path
        for path in find_lists(choices.data)
        if (found := find_format(path)) and found.name == form
    ]
    if not paths:
        what, then = f"a list with the columns {columns}", "Give the list, or its folder"
        raise SourceError.expected(f"--data {choices.data}", what, "none", then)
    options = ListOptions(images=choices.images)
    return [open_list(path, options, progress) for path in paths], []


def _require_initial(trainings: list[TrainStep], choices: Choices) -> list[str]:
    """Return what is lacking to begin training."""
    first = [step for step in trainings if step.takes_vgg and not step.done()]
    if not first or choices.init is not None:
        return []
    name = first[0].experiment.name
    return [
        f"{name} begins with VGG-16's weights. Run `cisdl-bench fetch vgg16` and give "
        f"--init vgg16/vgg16-397923af.pth, or begin without them by --init {HE}."
    ]


def _departures(
    target: Target,
    settings: Settings,
    trainings: list[TrainStep],
    initial: Convolutions | None,
    set_jobs: list[SetJob],
) -> list[str]:
    """Return how settings and photographs depart from the paper's protocol."""
    words = []
    if settings.pairs is not None and target.sets:
        paper = load_spec(target.sets[0]).pairs
        if settings.pairs != paper:
            words.append(f"{settings.pairs:,} pairs in each test set instead of {paper:,}")
    if trainings:
        paper = load_spec(target.training).pairs
        if settings.training_pairs not in (None, paper):
            words.append(f"{settings.training_pairs:,} training pairs instead of {paper:,}")
        if any(step.takes_vgg for step in trainings):
            other = "He initialisation" if settings.init == HE else ""
            if initial is not None and initial.kind != PAPER_WEIGHTS:
                other = initial.origin
            words += [f"{other} instead of VGG-16's published weights"] if other else []
        narrow = [step.experiment for step in trainings if step.experiment.width != 1]
        words += [f"{one.name} has {one.width:g} of the channels" for one in narrow]
    sources = {job.spec.split: job.plan.source for job in set_jobs}
    for split, source in sources.items():
        paper, got = target.photographs.get(split, 0), len(source.index)
        if got < paper / 2:  # COCO has pictures without annotations: the numbers differ a little
            words.append(f"{got:,} photographs for {split} instead of {paper:,}")
    return words
