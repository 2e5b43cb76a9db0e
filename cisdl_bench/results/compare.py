"""Two detectors on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import detection, intervals
from cisdl_bench.metrics.intervals import PairedTest
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.records import UNLABELLED
from cisdl_bench.results.results import Result, find_results
from cisdl_bench.scoring.rows import Rows

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """One metric on one set, b minus a.

    Attributes:
        set: The set's name, with its perturbation.
        metric: ``iou``, ``mcc``, ``nmm``, ``f1``, ``auc`` (from masks) or ``own_auc``.
        a: The first detector's value.
        b: The second's.
        test: Difference, interval, p-value and number of pairs.
        wins: Pairs on which b is better; None for AUC, which has no value of a pair.
        losses: Pairs on which a is.
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
        set: The set's name.
        index: The pair's number.
        what: The pair's kind, difficulty or names.
        a: Mean of the metric over its masks by the first detector.
        b: By the second.
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
        b: Of the second's.
        metric: Of localization, by which changes are ordered.
        sets: Only sets whose name begins so; none given: all that both have.

    Raises:
        RunError: They share no set, or a set of one name is another's content.
    """
    first, second = (_by_key(run, sets) for run in (a, b))
    common = [key for key in first if key in second]
    if not common:
        mine, theirs = (", ".join(sorted({name for name, _ in x})[:6]) for x in (first, second))
        raise RunError.expected(
            f"{a} and {b}", "a set that both were scored on", f"{mine} and {theirs}", "Score one"
        )
    found: list[Comparison] = []
    changes: list[Change] = []
    for key in common:
        pair = first[key], second[key]
        _check(pair)
        name = "@".join(filter(None, key))
        rows = _aligned(name, pair[0].rows(), pair[1].rows())
        found += _localization(name, rows)
        found += _detection(name, rows)
        changes += _changes(name, rows, metric)
    return found, sorted(changes, key=lambda change: -abs(change.b - change.a))


def _by_key(run: Path, sets: Sequence[str]) -> dict[Key, Result]:
    found = {(result.set, result.perturbation): result for result in find_results(run)}
    return {k: r for k, r in found.items() if not sets or k[0].startswith(tuple(sets))}


def _check(pair: tuple[Result, Result]) -> None:
    """Refuse results of different pairs."""
    for what in ("fingerprint", "perturb_donor", "size"):
        mine, theirs = (result.record["request"].get(what) for result in pair)
        if mine != theirs:
            raise RunError.expected(
                pair[1].path,
                f"the pairs of {pair[0].path} ({what} {str(mine)[:12]})",
                f"others ({str(theirs)[:12]})",
                "Score both on the same data",
            )


def _aligned(name: str, a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Return the rows of the pairs that both have: one run may have left some out.

    Rows rise by their number in both, see ``rows.read_rows``.

    Raises:
        RunError: They have no pair in common, or say of one that it is two different pairs.
    """
    first, second = (np.isin(x["index"], y["index"]) for x, y in ((a, b), (b, a)))
    mine, theirs = a.where(first), b.where(second)
    if not len(mine):
        raise RunError.expected(name, "pairs that both scored", "none", "Score the same pairs")
    for column in ("kind", "label"):
        differing = np.flatnonzero(mine[column] != theirs[column])
        if len(differing):
            raise RunError.expected(
                f"{name}: pair {mine['index'][differing[0]]}",
                f"one {column} in both runs",
                f"{mine[column][differing[0]]} and {theirs[column][differing[0]]}",
                "Score both on the same data",
            )
    return mine, theirs


def pair_values(rows: Rows, metric: str) -> Floats:
    """Return the mean of a metric over both masks of each pair, float64 (n,); NaN where undefined.

    Only positive pairs have values.
    """
    values = rows.mask_values(metric)
    there = ~np.isnan(values)
    n = there.sum(axis=1)
    mean = np.where(there, values, 0).sum(axis=1) / np.maximum(n, 1)
    return np.where((n > 0) & (rows["label"] == 1), mean, np.nan)


def _localization(name: str, rows: tuple[Rows, Rows]) -> list[Comparison]:
    found = []
    for metric in LOCALIZATION:
        a, b = (pair_values(each, metric) for each in rows)
        test = intervals.paired_test(a, b)
        if not test.n:
            continue
        both = ~np.isnan(b - a)
        wins, losses = int(np.sum(b[both] > a[both])), int(np.sum(b[both] < a[both]))
        means = float(a[both].mean()), float(b[both].mean())
        found.append(Comparison(name, metric, *means, test, wins, losses))
    return found


def _detection(name: str, rows: tuple[Rows, Rows]) -> list[Comparison]:
    found = []
    first, second = (each.where(each["label"] != UNLABELLED) for each in rows)
    labels = first["label"]
    for rule, metric in (("mask", "auc"), ("own", "own_auc")):
        a, b = first.pair_scores(rule), second.pair_scores(rule)
        if np.isnan(a).any() or np.isnan(b).any():
            continue
        test = intervals.paired_auc(labels, a, b)
        if not test.n:
            continue  # one class alone
        before, after = (detection.auc(labels, scores) for scores in (a, b))
        found.append(Comparison(name, metric, before, after, test, None, None))
    return found


def _changes(name: str, rows: tuple[Rows, Rows], metric: str) -> list[Change]:
    a, b = (pair_values(each, metric) for each in rows)
    found = []
    for k in np.flatnonzero(~np.isnan(b - a) & (a != b)).tolist():
        row = rows[0]
        words = [str(row[column][k]) for column in ("kind", "difficulty", "probe", "donor")]
        what = " ".join(word for word in words if word)
        found.append(Change(name, int(row["index"][k]), what, float(a[k]), float(b[k])))
    return found


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
