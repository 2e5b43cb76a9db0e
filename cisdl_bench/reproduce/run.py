"""A reproduction: its plan shown with what it takes, its steps in order, its verdicts."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.devices import device_name
from cisdl_bench.progress import Progress
from cisdl_bench.report.draw import save_figure
from cisdl_bench.report.figures.growth import draw_growth
from cisdl_bench.report.write_table import FORMATS
from cisdl_bench.reproduce.plan import Plan
from cisdl_bench.reproduce.rates import RATES, Rates
from cisdl_bench.reproduce.settings import Choices, keep_settings
from cisdl_bench.reproduce.step import Cost, Step
from cisdl_bench.reproduce.table import (
    compare,
    make_paper_table,
    make_verdict_table,
    write_tables,
)
from cisdl_bench.reproduce.verdicts import VERDICTS
from cisdl_bench.store.atomic import locked
from cisdl_bench.training.record import EVALUATION

_FIGURES = (".png", ".pdf")
_GB = 1e9


@dataclass(frozen=True)
class Stage:
    """One step of a plan as it stands.

    Attributes:
        step: The step.
        done: Whether nothing is left of it.
        cost: Seconds and bytes that the rest of the step takes.
    """

    step: Step
    done: bool
    cost: Cost


def find_stages(plan: Plan) -> list[Stage]:
    """Return the steps of a plan with what is left of each; speeds are measured where needed."""
    rates, stages = Rates(plan.out / RATES), []
    for step in plan.steps:
        done = step.done()
        stages.append(Stage(step, done, Cost() if done else step.cost(rates)))
    return stages


def show_plan(plan: Plan, choices: Choices, stages: list[Stage]) -> Iterator[str]:
    """Yield lines that say what a reproduction will do, and what it takes.

    Args:
        plan: Reproduction.
        choices: Options of the command, such as pairs, device and initial weights.
        stages: Steps as they stand.
    """
    of_all = f"{len(plan.rows)} of {len(plan.target.rows)} rows"
    yield f"{plan.target.title}; {of_all}, in {plan.out}"
    width = max((len(stage.step.title) for stage in stages), default=0)
    for stage in stages:
        if stage.done:
            yield f"  done   {stage.step.title}"
            continue
        time, size = show_time(stage.cost.seconds), f"{stage.cost.bytes / _GB:.2f} GB"
        yield f"  to do  {stage.step.title:{width}}  {time:>9}  {size:>9}"
    for name, subject in plan.subjects.items():
        if not subject.available:
            yield f"  lacks  {name}: a checkpoint, --model {subject.name}=FILE; left out"
    left = [stage.cost for stage in stages if not stage.done]
    if left:
        time = show_time(sum(cost.seconds for cost in left))
        total = sum(cost.bytes for cost in left) / _GB
        parent = next(path for path in (plan.out, *plan.out.absolute().parents) if path.exists())
        free = shutil.disk_usage(parent).free / _GB
        yield f"in all about {time} and {total:.2f} GB ({free:.1f} GB free)"
        yield (
            f"speeds measured here: sets on a few of their composites with {choices.jobs} workers, "
            f"training and scoring on noise on {device_name(choices.device)}"
        )
    for line in plan.departures:
        yield f"not the paper's protocol: {line}"


def show_time(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> show_time(42.0), show_time(600.0), show_time(9000.0)
    ('42 s', '10 min', '2.5 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def reproduce(plan: Plan, progress: Progress) -> Iterator[str]:
    """Do what is left of a reproduction; yield the table of verdicts and what was written.

    Args:
        plan: Reproduction.
        progress: Receives progress updates and messages.

    Raises:
        RunError: Something is lacking that must be given first.
        StoreError: Another run is writing to the folder.
        KeyboardInterrupt: The run was asked to stop; the same command goes on.
    """
    plan.require_all()
    with locked(plan.out):
        keep_settings(plan.out, plan.settings)
        for number, step in enumerate(plan.steps, start=1):
            if not step.done():
                progress.say(f"[{number}/{len(plan.steps)}] {step.title}")
                step.run(progress)
        yield from _finish(plan)


def _finish(plan: Plan) -> Iterator[str]:
    """Write tables and figure; yield the table of verdicts and the names of what was written."""
    folder = plan.out / plan.target.name
    comparisons = compare(plan)
    verdicts = make_verdict_table(plan, comparisons)
    write_tables(folder, "verdicts", verdicts)
    written = [folder / "verdicts.csv"]
    table = make_paper_table(plan)
    if table is not None:
        write_tables(folder, "table", table)
        written.append(folder / "table.csv")
    if plan.target.growth is not None and plan.trainings:
        runs = [step.folder for step in plan.trainings]
        newest = max((run / EVALUATION).stat().st_mtime for run in runs)
        figures = [folder / f"growth{ending}" for ending in _FIGURES]
        for path in figures:
            if not path.exists() or path.stat().st_mtime < newest:
                save_figure(draw_growth(runs, plan.target.growth.published), path)
        written.append(figures[0])
    yield FORMATS["markdown"](verdicts, 4, False).rstrip("\n")
    counts = Counter(one.verdict for one in comparisons)
    yield ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    for path in written:
        yield f"{path}: also as {_other_endings(path)}"


def _other_endings(path: Path) -> str:
    return ".pdf" if path.suffix == ".png" else ".md and .tex"
