"""Tables as the paper prints them, from the rows of scoring runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.localization import Convention
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, RULES, find_metric
from cisdl_bench.metrics.summary import summarise
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.report import published
from cisdl_bench.report.methods import gathered, name_of, sets_of
from cisdl_bench.results.results import Result
from cisdl_bench.specs import spec_names

LAYOUTS = ("paper-1", "paper-2", "paper-3", "paper-4", "wide")
MEASURED, PUBLISHED = "measured", "published"


@dataclass(frozen=True)
class Choices:
    """How a table is made.

    Attributes:
        layout: One of ``LAYOUTS``.
        published: Whether the paper's rows stand beside the measured ones.
        intervals: Whether each value carries its 95% bootstrap interval.
        rules: Which detection scores, of ``RULES``; none given: ``mask``, and ``own``
            where the detector has one.
        convention: For what NIST and the DMAC release define differently.
    """

    layout: str
    published: bool = False
    intervals: bool = False
    rules: tuple[str, ...] = ()
    convention: Convention = "nist"


@dataclass(frozen=True)
class Table:
    """A table before it is written.

    Attributes:
        title: What it shows.
        labels: Columns that name a row, such as method and transformation.
        values: Columns of numbers, each a path of headings, such as (difficult, iou).
        frame: One row a line: the labels, ``source``, and the values as float or text; with
            intervals also ``<column>_low`` and ``<column>_high`` under the same path.
        note: What the published rows are, and what is to be known of the data.
    """

    title: str
    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    frame: pd.DataFrame
    note: str = ""

    def best(self) -> set[tuple[int, tuple[str, ...]]]:
        """Return the (line, column) of each best measured value, where they differ.

        Lines compare with those of the same labels but the first, the method. Published rows
        were measured on other pairs and do not take part.
        """
        chosen = set()
        measured = self.frame[self.frame["source"] == MEASURED]
        others = list(self.labels[1:])
        groups = measured.groupby(others, sort=False) if others else [((), measured)]
        for _, group in groups:
            for column in self.values:
                key = "/".join(column)
                numbers = pd.to_numeric(group[key], errors="coerce").dropna()
                metric = find_metric(column[-1])
                if numbers.nunique() < 2 or metric is None:
                    continue
                top = numbers.max() if metric.higher_is_better else numbers.min()
                chosen |= {(int(line), column) for line in numbers.index[numbers == top]}
        return chosen


def make_table(runs: Sequence[Path], choices: Choices) -> Table:
    """Return the table of runs in a layout.

    Raises:
        RunError: A folder holds no results, or none of the sets that the layout shows.
    """
    results, names = gathered(runs)
    notes = notes_of(results)
    if choices.layout == "wide":
        return _wide(results, names, choices, notes)
    spec = published.tables()[choices.layout]
    kind = _localization if spec["kind"] == "localization" else _detection
    labels, columns, lines = kind(results, names, spec, choices)
    if not lines:
        wanted = ", ".join(spec.get("transformations", ["sets with positive and negative pairs"]))
        raise RunError.expected(
            ", ".join(map(str, runs)),
            f"results of {wanted}",
            sets_of(results),
            "Score those sets, or choose --layout wide",
        )
    if choices.published:
        lines = _with_published(lines, labels, choices.layout, spec)
        origin = f"{spec['origin']} of {published.tables()['source']}"
        notes.insert(0, f"published: {origin}, on other pairs")
    frame = pd.DataFrame(lines)
    for column in ("source", *labels, *map("/".join, columns)):
        if column not in frame:
            frame[column] = None
    return Table(spec["title"], labels, columns, frame.reset_index(drop=True), "; ".join(notes))


def notes_of(results: Sequence[Result]) -> list[str]:
    """Return what a reader must know of the results' data, each note once, sources first."""
    sources = [f"photographs: {result.source}" for result in results if result.source]
    return list(dict.fromkeys([*sources, *(note for each in results for note in each.notes)]))


def _numbers(result: Result, choices: Choices) -> dict[str, Any]:
    rows = result.rows()  # refused where they are not those that were scored
    if choices.convention == "nist":
        found = result.record["summary"]  # of these rows, with 2,000 resamples
        ends = () if choices.intervals else ("_low", "_high")
        return {name: value for name, value in found.items() if not name.endswith(ends)}
    return summarise(
        rows.scored_pairs(),
        convention=choices.convention,
        resamples=2000 if choices.intervals else 0,
    )


def _localization(
    results: Sequence[Result], names: Mapping[Path, str], spec: Mapping[str, Any], choices: Choices
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], list[dict[str, Any]]]:
    parameters = tuple(spec.get("parameters", ()))
    several = len(spec["transformations"]) > 1
    labels = ("method", "transformation") if several else ("method",)
    columns = (
        *((difficulty, metric) for difficulty in DIFFICULTIES for metric in spec["metrics"]),
        *((name,) for name in parameters),
    )
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for result in results:
        transformation, _, difficulty = result.set.rpartition("-")
        if transformation not in spec["transformations"] or difficulty not in DIFFICULTIES:
            continue
        name = name_of(result, names)
        line = lines.setdefault(
            (transformation, name),
            {"source": MEASURED, "method": name, "transformation": transformation},
        )
        training = result.record["about"].get("training", {})
        line.update({key: training.get(key) for key in parameters})
        numbers = _numbers(result, choices)
        for metric in spec["metrics"]:
            for ending in ("", "_low", "_high") if choices.intervals else ("",):
                line[f"{difficulty}/{metric}{ending}"] = numbers[f"{metric}{ending}"]
    order = {name: k for k, name in enumerate(spec_names())}
    found = sorted(lines, key=lambda key: order[key[0]])
    return labels, columns, [lines[key] for key in found]


def _detection(
    results: Sequence[Result], names: Mapping[Path, str], spec: Mapping[str, Any], choices: Choices
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], list[dict[str, Any]]]:
    lines = []
    for result in results:
        if not result.has_both_labels:
            continue
        numbers = _numbers(result, choices)
        for rule in choices.rules or ("mask", "own"):
            if f"{rule}_auc" not in numbers:
                continue
            line = {
                "source": MEASURED,
                "method": name_of(result, names) + RULES[rule].ending,
                "set": result.set,
            }
            for metric in spec["metrics"]:
                line[metric] = numbers[f"{rule}_{metric}"]
                if choices.intervals and DETECTION[metric].interval:
                    for end in ("low", "high"):
                        line[f"{metric}_{end}"] = numbers[f"{rule}_{metric}_{end}"]
            lines.append(line)
    return ("method", "set"), tuple((metric,) for metric in spec["metrics"]), lines


def _with_published(
    lines: list[dict[str, Any]], labels: tuple[str, ...], layout: str, spec: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the paper's lines before the measured ones, within each transformation."""
    theirs: dict[tuple[str, ...], dict[str, Any]] = {}
    keys = ("method", "transformation", *spec.get("parameters", ()))
    for row in published.rows(layout):
        if spec["kind"] == "detection":
            set_name = re.sub(r".*\((.*)\)", r"\1", spec["origin"])
            theirs[(row["method"],)] = {**row, "set": set_name, "source": PUBLISHED}
            continue
        key = tuple(row.get(name, "") for name in keys)
        line = theirs.setdefault(key, {"source": PUBLISHED, **{n: row.get(n) for n in keys}})
        line.update({f"{row['difficulty']}/{metric}": row[metric] for metric in spec["metrics"]})
    both = [*theirs.values(), *lines]
    if "transformation" not in labels:
        return both
    shown = {line["transformation"] for line in lines}
    order = {name: k for k, name in enumerate(spec_names())}
    both = [line for line in both if line["transformation"] in shown]
    return sorted(both, key=lambda line: order[line["transformation"]])


def _wide(
    results: Sequence[Result], names: Mapping[Path, str], choices: Choices, notes: Sequence[str]
) -> Table:
    rules = choices.rules or tuple(RULES)
    lines, columns = [], dict.fromkeys(["pairs", *LOCALIZATION])
    for result in results:
        numbers = _numbers(result, choices)
        line = {"source": MEASURED, "method": name_of(result, names), "set": result.set, **numbers}
        for rule in rules:
            for metric in DETECTION:
                value = numbers.get(f"{rule}_{metric}")
                if value is not None and result.has_both_labels:
                    columns[f"{rule}_{metric}"] = None
        lines.append(line)
    values = tuple((column,) for column in columns)
    frame = pd.DataFrame(lines)
    return Table("All results", ("method", "set"), values, frame, "; ".join(notes))
