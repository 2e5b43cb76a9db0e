"""Two detectors on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.csv_text import plain_cell
from cisdl_bench.errors import RunError
from cisdl_bench.metrics import detection, intervals
from cisdl_bench.metrics.intervals import PairedTest
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.records import UNLABELLED, set_names
from cisdl_bench.results.result import Result, find_results
from cisdl_bench.scoring.rows import Rows
from cisdl_bench.store.atomic import write_csv

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """One metric on one set, b minus a.

    Attributes:
        set: Name of the set, with its perturbation.
        metric: Localization metric, such as ``iou``; or ``auc`` (from masks) or ``own_auc``.
        a: Value of the first detector.
        b: Value of the second detector.
        test: Difference, its interval, p-value and number of pairs.
        wins: Number of pairs on which b is better; None for AUC, which no single pair has.
        losses: Number of pairs on which a is better; None for AUC.
    """

    set: str
    metric: str
    a: float
    b: float
    test: PairedTest
    wins: int | None
    losses: int | None


@dataclass(frozen=True)
class Change:
    """One pair that the two answered differently.

    Attributes:
        set: Name of the set.
        index: Number of the pair.
        what: Kind, difficulty or names of the pair.
        a: Mean of the metric over the pair's masks, first detector.
        b: Mean of the metric over the pair's masks, second detector.
    """

    set: str
    index: int
    what: str
    a: float
    b: float


def compare(
    a: Path, b: Path, metric: str, sets: Sequence[str] = ()
) -> tuple[list[Comparison], list[Change]]:
    """Return the comparisons of two runs, and the pairs that changed most, those first.

    Localization is compared by each positive pair's mean over its masks; pairs on which a metric
    is not defined for both are left out. Intervals are bootstrapped over pairs.

    Args:
        a: Folder of the first detector's results.
        b: Folder of the second detector's results.
        metric: Localization metric by which changes are ordered.
        sets: Beginnings of the names of sets to compare; none given: all that both have.

    Raises:
        RunError: They share no set, or a set of one name is another's content.
    """
    first, second = _find_by_key(a, sets), _find_by_key(b, sets)
    common = [key for key in first if key in second]
    if not common:
        of_a, of_b = (", ".join(sorted({name for name, _ in keys})[:6]) for keys in (first, second))
        raise RunError.expected(
            f"{a} and {b}", "a set that both were scored on", f"{of_a} and {of_b}", "Score one"
        )
    comparisons: list[Comparison] = []
    changes: list[Change] = []
    for key in common:
        _check_same_pairs(first[key], second[key])
        name = "@".join(filter(None, key))
        rows = _align(name, first[key].rows(), second[key].rows())
        comparisons += _compare_localization(name, rows)
        comparisons += _compare_detection(name, rows)
        changes += _find_changes(name, rows, metric)
    return comparisons, sorted(changes, key=lambda change: -abs(change.b - change.a))


def _find_by_key(run: Path, sets: Sequence[str]) -> dict[Key, Result]:
    results = {(result.set, result.perturbation): result for result in find_results(run)}
    for name in sets:
        if not any(known.startswith(set_names([name])) for known, _ in results):
            where, scored = f"{run}: --set {name}", sorted({known for known, _ in results})
            raise RunError.expected(where, "a set that was scored", ", ".join(scored), "Name one")
    return {key: r for key, r in results.items() if not sets or key[0].startswith(set_names(sets))}


def _check_same_pairs(a: Result, b: Result) -> None:
    """Refuse results of different pairs, or of pixels counted in different ways."""
    if a.counting != b.counting:
        raise RunError.expected(
            b.path,
            f"pixels counted as in {a.path} ({a.counting or 'all of the canvas'})",
            b.counting or "all of the canvas",
            "Score both with the same --convention and --zones",
        )
    for what in ("fingerprint", "perturb_donor", "size"):
        of_a, of_b = (result.record["request"].get(what) for result in (a, b))
        if of_a != of_b:
            raise RunError.expected(
                b.path,
                f"the pairs of {a.path} ({what} {str(of_a)[:12]})",
                f"others ({str(of_b)[:12]})",
                "Score both on the same data",
            )


def _align(name: str, a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Return the rows of the pairs that both have: one run may have left some out.

    Rows rise by their number in both, see ``rows.read_rows``.

    Raises:
        RunError: They have no pair in common, or say of one that it is two different pairs.
    """
    first = a.where(np.isin(a["index"], b["index"]))
    second = b.where(np.isin(b["index"], a["index"]))
    if not len(first):
        raise RunError.expected(name, "pairs that both scored", "none", "Score the same pairs")
    for column in ("kind", "label"):
        differing = np.flatnonzero(first[column] != second[column])
        if len(differing):
            place = differing[0]
            raise RunError.expected(
                f"{name}: pair {first['index'][place]}",
                f"one {column} in both runs",
                f"{first[column][place]} and {second[column][place]}",
                "Score both on the same data",
            )
    return first, second


def pair_values(rows: Rows, metric: str) -> Floats:
    """Return the mean of a metric over both masks of each pair, float64 (n,); NaN where undefined.

    Only positive pairs have values.
    """
    values = rows.mask_values(metric)
    defined = ~np.isnan(values)
    n = defined.sum(axis=1)
    mean = np.where(defined, values, 0).sum(axis=1) / np.maximum(n, 1)
    return np.where((n > 0) & (rows["label"] == 1), mean, np.nan)


def _compare_localization(name: str, rows: tuple[Rows, Rows]) -> list[Comparison]:
    comparisons = []
    for metric, spec in LOCALIZATION.items():
        a, b = pair_values(rows[0], metric), pair_values(rows[1], metric)
        test = intervals.paired_test(a, b)
        if not test.n:
            continue
        both = ~np.isnan(b - a)
        gain = b[both] - a[both] if spec.higher_is_better else a[both] - b[both]
        wins, losses = int(np.sum(gain > 0)), int(np.sum(gain < 0))
        means = float(a[both].mean()), float(b[both].mean())
        comparisons.append(Comparison(name, metric, *means, test, wins, losses))
    return comparisons


def _compare_detection(name: str, rows: tuple[Rows, Rows]) -> list[Comparison]:
    comparisons = []
    first, second = (run.where(run["label"] != UNLABELLED) for run in rows)
    labels = first["label"]
    for rule, metric in (("mask", "auc"), ("own", "own_auc")):
        a, b = first.pair_scores(rule), second.pair_scores(rule)
        if np.isnan(a).any() or np.isnan(b).any():
            continue
        test = intervals.paired_auc(labels, a, b)
        if not test.n:
            continue  # one class alone
        auc_a, auc_b = detection.auc(labels, a), detection.auc(labels, b)
        comparisons.append(Comparison(name, metric, auc_a, auc_b, test, None, None))
    return comparisons


def _find_changes(name: str, rows: tuple[Rows, Rows], metric: str) -> list[Change]:
    a, b = pair_values(rows[0], metric), pair_values(rows[1], metric)
    changes = []
    for k in np.flatnonzero(~np.isnan(b - a) & (a != b)).tolist():
        words = [str(rows[0][column][k]) for column in ("kind", "difficulty", "probe", "donor")]
        what = " ".join(word for word in words if word)
        changes.append(Change(name, int(rows[0]["index"][k]), what, float(a[k]), float(b[k])))
    return changes


def write_comparisons(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Write comparisons as a CSV, one a line."""
    lines = [as_dict(comparison) for comparison in comparisons]
    shown = [{**line, "set": plain_cell(line["set"])} for line in lines]
    write_csv(path, shown, () if shown else ("set",))


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's numbers by name, as a line of a CSV has them."""
    test = comparison.test
    return {
        "set": comparison.set,
        "metric": comparison.metric,
        "a": comparison.a,
        "b": comparison.b,
        "difference": test.difference,
        "low": test.interval.low,
        "high": test.interval.high,
        "p_value": test.p_value,
        "pairs": test.n,
        "wins": comparison.wins,
        "losses": comparison.losses,
    }
