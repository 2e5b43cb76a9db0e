"""Tables as the paper prints them, from the rows of scoring runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.localization import Convention
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, RULES, find_metric
from cisdl_bench.metrics.summary import summarise
from cisdl_bench.records import DIFFICULTIES, set_names
from cisdl_bench.report import published
from cisdl_bench.report.methods import gathered, list_sets, name_method
from cisdl_bench.results.result import Result
from cisdl_bench.specs import spec_names

LAYOUTS = ("paper-1", "paper-2", "paper-3", "paper-4", "wide")
MEASURED, PUBLISHED = "measured", "published"


@dataclass(frozen=True)
class TableOptions:
    """How a table is made.

    Attributes:
        layout: Layout of the table, one of ``LAYOUTS``.
        published: Whether the paper's rows stand beside the measured ones.
        intervals: Whether each value carries its 95% bootstrap interval.
        rules: Detection scores, of ``registry.RULES``; none given: ``mask``, and ``own`` where the
            detector has one.
        convention: Definition that holds where NIST and the DMAC release differ.
        sets: Names of sets, or how they begin; none given: all.
    """

    layout: str
    published: bool = False
    intervals: bool = False
    rules: tuple[str, ...] = ()
    convention: Convention = "nist"
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table before it is written.

    Attributes:
        title: Title of the table.
        labels: Columns that name a line, such as method and transformation.
        values: Columns of numbers, each a path of headings, such as (difficult, iou).
        frame: Lines of the table: the labels, ``source``, and the values as float or text; with
            intervals also ``<column>_low`` and ``<column>_high`` under the same path.
        note: Origin of the published rows, and what a reader must know of the data.
        caption: Caption in the title's place, for LaTeX and HTML; empty: the title.
        label: Label for references in LaTeX; empty: none.
    """

    title: str
    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    frame: pd.DataFrame
    note: str = ""
    caption: str = ""
    label: str = ""

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


def make_table(runs: Sequence[Path], options: TableOptions) -> Table:
    """Return the table of runs in a layout.

    Raises:
        RunError: A folder holds no results, or none of the sets that the layout shows.
    """
    results, names = gathered(runs)
    results = choose_sets(runs, results, options.sets)
    notes = collect_notes(results)
    if options.layout == "wide":
        return _wide(results, names, options, notes)
    spec = published.tables()[options.layout]
    localized = spec["kind"] == "localization"
    frame = (_localization if localized else _detection)(results, names, spec, options)
    if frame.empty:
        wanted = ", ".join(spec.get("transformations", ["sets with positive and negative pairs"]))
        raise RunError.expected(
            ", ".join(map(str, runs)),
            f"results of {wanted}",
            list_sets(results),
            "Score those sets, or choose --layout wide",
        )
    frame["source"] = MEASURED
    if options.published:
        theirs = _published(options.layout, spec).assign(source=PUBLISHED)
        frame = pd.concat([theirs, frame], ignore_index=True)
        origin = f"{spec['origin']} of {published.tables()['source']}"
        notes.insert(0, f"published: {origin}, on other pairs")
    labels, columns = _layout_columns(spec)
    if "transformation" in labels:
        shown = set(frame.loc[frame["source"] == MEASURED, "transformation"])
        frame = frame[frame["transformation"].isin(shown)]
        frame = frame.sort_values("transformation", key=_place_transformations, kind="stable")
    for column in map("/".join, columns):
        if column not in frame:
            frame[column] = None
    return Table(spec["title"], labels, columns, frame.reset_index(drop=True), "; ".join(notes))


def choose_sets(
    runs: Sequence[Path], results: Sequence[Result], sets: Sequence[str]
) -> list[Result]:
    """Return the results of sets of which the name is given, or begins so.

    Args:
        runs: Folders of the results.
        results: Results of all sets.
        sets: Names of sets, or how they begin; none given: all.

    Raises:
        RunError: There is none for one of the names.
    """
    for name in sets:
        if not any(result.set.startswith(set_names([name])) for result in results):
            where = f"{', '.join(map(str, runs))}: --set {name}"
            raise RunError.expected(where, "a set that was scored", list_sets(results), "Name one")
    return [result for result in results if not sets or result.set.startswith(set_names(sets))]


def _layout_columns(
    spec: Mapping[str, Any],
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the columns that name a line of a layout, and those of its values."""
    if spec["kind"] == "detection":
        return ("method", "set"), tuple((metric,) for metric in spec["metrics"])
    several = len(spec["transformations"]) > 1
    blocks = ((difficulty, metric) for difficulty in DIFFICULTIES for metric in spec["metrics"])
    parameters = ((name,) for name in spec.get("parameters", ()))
    return ("method", "transformation") if several else ("method",), (*blocks, *parameters)


def _place_transformations(names: "pd.Series[str]") -> "pd.Series[int]":
    return names.map({name: place for place, name in enumerate(spec_names())})


def collect_notes(results: Sequence[Result]) -> list[str]:
    """Return what a reader must know of the results' data, each note once, sources first."""
    sources = [f"photographs: {result.source}" for result in results if result.source]
    return list(dict.fromkeys([*sources, *(note for result in results for note in result.notes)]))


def _numbers(result: Result, options: TableOptions) -> dict[str, Any]:
    rows = result.rows()  # refused where they are not those that were scored
    if options.convention == "nist":
        summary = result.record["summary"]  # of these rows, with 2,000 resamples
        ends = () if options.intervals else ("_low", "_high")
        return {name: value for name, value in summary.items() if not name.endswith(ends)}
    numbers = summarise(
        rows.scored_pairs(),
        convention=options.convention,
        resamples=2000 if options.intervals else 0,
    )
    summary = result.record["summary"]
    return {**numbers, **{name: summary[name] for name in POOLED if name in summary}}


def _localization(
    results: Sequence[Result],
    names: Mapping[Path, str],
    spec: Mapping[str, Any],
    options: TableOptions,
) -> pd.DataFrame:
    """Return a line for each method and transformation, with a block of columns a difficulty."""
    parameters = spec.get("parameters", ())
    endings = ("", "_low", "_high") if options.intervals else ("",)
    values = [f"{metric}{ending}" for metric in spec["metrics"] for ending in endings]
    rows = []
    for result in results:
        transformation, _, difficulty = result.set.rpartition("-")
        if transformation not in spec["transformations"] or difficulty not in DIFFICULTIES:
            continue
        numbers, training = _numbers(result, options), result.record["about"].get("training", {})
        rows.append(
            {
                "method": name_method(result, names),
                "transformation": transformation,
                "difficulty": difficulty,
                **{name: training.get(name) for name in parameters},
                **{name: numbers[name] for name in values},
            }
        )
    frame = _pivot(pd.DataFrame(rows), spec, values)
    for name in parameters:  # empty is what the paper prints; here it is not known
        frame[name] = frame[name].replace("", None) if name in frame else None
    return frame


def _pivot(long: pd.DataFrame, spec: Mapping[str, Any], values: Sequence[str]) -> pd.DataFrame:
    """Return the lines of a table from one row for each method, transformation and difficulty."""
    if long.empty:
        return long
    keys = ["method", "transformation", *spec.get("parameters", ())]
    long = long.reindex(columns=[*keys, "difficulty", *values]).fillna(dict.fromkeys(keys, ""))
    long = long.drop_duplicates([*keys, "difficulty"], keep="last")
    wide = long.set_index([*keys, "difficulty"]).unstack("difficulty", sort=False)
    wide.columns = [f"{difficulty}/{value}" for value, difficulty in wide.columns]
    return wide.reset_index()


def _detection(
    results: Sequence[Result],
    names: Mapping[Path, str],
    spec: Mapping[str, Any],
    options: TableOptions,
) -> pd.DataFrame:
    """Return a line for each method, rule and set with positive and negative pairs."""
    rows = []
    for result in results:
        if not result.has_both_labels:
            continue
        numbers = _numbers(result, options)
        for rule in options.rules or ("mask", "own"):
            if f"{rule}_auc" not in numbers:
                continue
            row = {"method": name_method(result, names) + RULES[rule].ending, "set": result.set}
            for metric in spec["metrics"]:
                row[metric] = numbers[f"{rule}_{metric}"]
                if options.intervals and DETECTION[metric].interval:
                    row[f"{metric}_low"] = numbers[f"{rule}_{metric}_low"]
                    row[f"{metric}_high"] = numbers[f"{rule}_{metric}_high"]
            rows.append(row)
    return pd.DataFrame(rows)


def _published(layout: str, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return the paper's lines of a layout, as it prints them."""
    long = pd.DataFrame(published.rows(layout))
    if spec["kind"] == "localization":
        return _pivot(long, spec, spec["metrics"])
    return long.assign(set=re.sub(r".*\((.*)\)", r"\1", spec["origin"]))


def _wide(
    results: Sequence[Result],
    names: Mapping[Path, str],
    options: TableOptions,
    notes: Sequence[str],
) -> Table:
    rules = options.rules or tuple(RULES)
    lines, columns = [], dict.fromkeys(["pairs", *LOCALIZATION])
    for result in results:
        numbers = _numbers(result, options)
        columns |= dict.fromkeys(name for name in POOLED if name in numbers)
        line = {
            "source": MEASURED,
            "method": name_method(result, names),
            "set": result.set,
            **numbers,
        }
        for rule in rules:
            for metric in DETECTION:
                value = numbers.get(f"{rule}_{metric}")
                if value is not None and result.has_both_labels:
                    columns[f"{rule}_{metric}"] = None
        lines.append(line)
    values = tuple((column,) for column in columns)
    frame = pd.DataFrame(lines)
    return Table("All results", ("method", "set"), values, frame, "; ".join(notes))
