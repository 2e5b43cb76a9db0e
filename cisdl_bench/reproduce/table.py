"""The last step: the table beside the published one, and a verdict for each of its numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cisdl_bench.metrics.registry import find_metric
from cisdl_bench.report.tables import MEASURED, Table, TableOptions, collect_notes, make_table
from cisdl_bench.report.write_table import FORMATS
from cisdl_bench.reproduce.plan import Plan
from cisdl_bench.reproduce.verdicts import Comparison, compare_row
from cisdl_bench.results.result import Result, find_results
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.training.record import RECORD, read_record

_ENDINGS = {".csv": "csv", ".md": "markdown", ".tex": "latex"}
_DIGITS = 4
_DEFINITION = (
    "intervals: 95% bootstrap over pairs; within: the published number lies in ours; below, above: "
    "our whole interval does"
)


def find_row_results(plan: Plan) -> dict[str, list[Result]]:
    """Return the finished results of each row, by its name; none where it is not measured.

    Raises:
        RunError: A result cannot be read.
    """
    folders = {name: plan.scores(subject) for name, subject in plan.subjects.items()}
    by_folder = {
        folder: [result for result in find_results(folder) if result.set in plan.sets]
        for folder in set(folders.values())
        if folder.is_dir()
    }
    return {
        name: by_folder.get(folder, []) if plan.subjects[name].available else []
        for name, folder in folders.items()
    }


def compare(plan: Plan) -> list[Comparison]:
    """Return each number of the chosen rows beside the published one, in the table's order.

    Raises:
        RunError: A result cannot be read, or its rows are not those that were scored.
    """
    comparisons = []
    for name, results in find_row_results(plan).items():
        experiment = plan.subjects[name].experiment
        parameters = experiment.table_parameters if experiment else {}
        comparisons += compare_row(plan.target, name, parameters, plan.sets, results)
    return comparisons


def describe_departures(plan: Plan) -> list[str]:
    """Return how the run departed from the paper's protocol, and what of it was not measured."""
    words = list(plan.departures)
    for step in plan.trainings:
        if (step.folder / RECORD).exists():
            made = int(read_record(step.folder / RECORD).get("step", 0))
            if made < 0.99 * step.steps:
                words.append(
                    f"{step.experiment.name} made {made:,} steps instead of {step.steps:,}"
                )
    lines = [f"NOT THE PAPER'S PROTOCOL: {', '.join(words)}"] if words else []
    for name, subject in plan.subjects.items():
        if not subject.available:
            lines.append(
                f"{name} is not reproduced: give its checkpoint by --model {subject.name}=FILE"
            )
    return lines


def make_verdict_table(plan: Plan, comparisons: Sequence[Comparison]) -> Table:
    """Return a table with a line for each published number: ours, the difference, the verdict."""
    lines = []
    for one in comparisons:
        metric = find_metric(one.metric)
        lines.append(
            {
                "source": MEASURED,
                "method": one.method,
                "set": one.set,
                "metric": metric.title if metric else one.metric,
                "ours": one.ours,
                "ours_low": one.interval.low,
                "ours_high": one.interval.high,
                "published": one.published,
                "difference": one.difference,
                "undefined": str(one.undefined),
                "verdict": one.verdict,
            }
        )
    columns = ["ours", "published", "difference", "verdict"]
    if any(one.undefined for one in comparisons):
        columns.insert(3, "undefined")
    results = [result for some in find_row_results(plan).values() for result in some]
    notes = [*describe_departures(plan), _DEFINITION, *collect_notes(results)]
    return Table(
        plan.target.title,
        ("method", "set", "metric"),
        tuple((column,) for column in columns),
        pd.DataFrame(lines),
        "; ".join(notes),
    )


def make_paper_table(plan: Plan) -> Table | None:
    """Return the table in the paper's layout, the published rows first; None without results."""
    runs = [
        plan.scores(plan.subjects[name])
        for name, results in find_row_results(plan).items()
        if results
    ]
    if not runs:
        return None
    options = TableOptions(plan.target.layout, published=True, intervals=True)
    table = make_table(list(dict.fromkeys(runs)), options)
    return replace(table, note="; ".join([*describe_departures(plan), table.note]))


def write_tables(folder: Path, name: str, table: Table) -> None:
    """Write a table as CSV, Markdown and LaTeX; files that hold it already are left alone."""
    for ending, form in _ENDINGS.items():
        text = FORMATS[form](table, _DIGITS, form == "latex")
        data, path = text.encode("utf-8", "backslashreplace"), folder / f"{name}{ending}"
        if not path.exists() or path.read_bytes() != data:
            write_whole(path, data)
