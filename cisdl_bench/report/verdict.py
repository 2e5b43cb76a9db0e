"""Which method is best on each set, and whether its lead is more than chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.metrics import intervals
from cisdl_bench.metrics.intervals import PairedTest
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, headline_metrics
from cisdl_bench.records import UNLABELLED
from cisdl_bench.report.methods import name_method, order_sets
from cisdl_bench.results.compare import pair_values
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.rows import Rows

_RESAMPLES = 1000
_LEVEL = 0.05  # p-values below it are called clear


@dataclass(frozen=True)
class Entry:
    """One method's number on a set.

    Attributes:
        method: Name of the method.
        number: Place of the method, which decides its colour.
        value: Value of the metric.
        low: Lower end of its 95% bootstrap interval.
        high: Upper end of its 95% bootstrap interval.
    """

    method: str
    number: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """The methods on one set by one metric, the best first.

    Attributes:
        set: Name of the set, with its perturbation.
        metric: Title of the metric, such as ``IoU``.
        detection: Whether it is a metric of detection.
        pairs: Number of pairs that the metric is over.
        entries: Numbers of the methods, the best first.
        lead: Comparison of the best with the second, over the same pairs; None of a single method.
    """

    set: str
    metric: str
    detection: bool
    pairs: int
    entries: tuple[Entry, ...]
    lead: PairedTest | None

    @property
    def clear(self) -> bool:
        """Return whether the lead's 95% interval leaves out 0, and its test has p < 0.05.

        Of a few pairs bootstrap intervals are too narrow, and the test is hardly ever significant.
        """
        if self.lead is None:
            return False
        low, high = self.lead.interval
        return bool((low > 0 or high < 0) and self.lead.p_value < _LEVEL)


@dataclass(frozen=True)
class Place:
    """One method in the order of all.

    Attributes:
        method: Name of the method.
        number: Place of the method, which decides its colour.
        means: Mean of each headline metric over the sets that all methods were scored on, by title.
        auc: Mean AUC over the sets with positive and negative pairs; NaN where there are none.
        wins: Number of sets on which it is the best.
        clear: Number of those where its lead is clear.
    """

    method: str
    number: int
    means: dict[str, float]
    auc: float
    wins: int
    clear: int


def rank_by_set(results: Sequence[Result], names: Mapping[Path, str]) -> list[Standing]:
    """Return a standing for each set by the first headline metric, and for detection by the AUC.

    Sets of one name with other pairs stand apart. Perturbed results are left out where there are
    others.

    Args:
        results: Results of all methods.
        names: Names of the runs.
    """
    shown = [result for result in results if not result.perturbation] or list(results)
    order = order_sets(shown)
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in sorted(shown, key=lambda result: order.index(result.set)):
        fingerprint = str(result.record["request"]["fingerprint"])
        title = f"{result.set} ({result.counting})" if result.counting else result.set
        groups.setdefault((title, result.perturbation, fingerprint), []).append(result)
    titles = Counter((name, perturbation) for name, perturbation, _ in groups)
    standings = []
    for (name, perturbation, fingerprint), group in groups.items():
        title = f"{name} @ {perturbation}" if perturbation else name
        if titles[name, perturbation] > 1:
            title += f" ({fingerprint[:12]})"
        standings += [
            *_rank_localization(title, group, names),
            *_rank_detection(title, group, names),
        ]
    return standings


def _rank_localization(
    title: str, group: Sequence[Result], names: Mapping[Path, str]
) -> list[Standing]:
    metric = headline_metrics()[0]
    known = [result for result in group if _is_number(result.record["summary"].get(metric))]
    if not known:
        return []
    better = LOCALIZATION[metric].higher_is_better
    known.sort(key=lambda result: result.record["summary"][metric], reverse=better)
    lead = None
    if len(known) > 1:
        best, second = (result.rows() for result in known[:2])
        best, second = _keep_common(best, second)
        values = [pair_values(rows, metric) for rows in (second, best)]
        lead = intervals.paired_test(*values, resamples=_RESAMPLES)
    entries = tuple(_make_entry(result, metric, names) for result in known)
    pairs = max(result.record["summary"]["positive_pairs"] for result in known)
    return [Standing(title, LOCALIZATION[metric].title, False, pairs, entries, lead)]


def _rank_detection(
    title: str, group: Sequence[Result], names: Mapping[Path, str]
) -> list[Standing]:
    known = [result for result in group if result.has_both_labels and _detection_rule(result)]
    if not known:
        return []
    known.sort(key=_detection_auc, reverse=True)
    lead = None
    if len(known) > 1:
        best, second = _keep_common(known[0].rows(), known[1].rows())
        labelled = best["label"] != UNLABELLED
        scores = [
            rows.where(labelled).pair_scores(_detection_rule(result))
            for rows, result in ((second, known[1]), (best, known[0]))
        ]
        labels = best.where(labelled)["label"]
        lead = intervals.paired_auc(labels, *scores, resamples=_RESAMPLES)
    entries = tuple(_make_entry(r, f"{_detection_rule(r)}_auc", names) for r in known)
    summaries = [result.record["summary"] for result in known]
    pairs = max(summary["positive_pairs"] + summary["negative_pairs"] for summary in summaries)
    return [Standing(title, DETECTION["auc"].title, True, pairs, entries, lead)]


def _detection_rule(result: Result) -> str:
    """Return the rule of a result's detection score: its own where it has one, else the masks'."""
    summary = result.record["summary"]
    rules = [rule for rule in ("own", "mask") if _is_number(summary.get(f"{rule}_auc"))]
    return rules[0] if rules else ""


def _detection_auc(result: Result) -> float:
    return float(result.record["summary"][f"{_detection_rule(result)}_auc"])


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def _keep_common(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    """Return the rows of the pairs that both have."""
    return (
        one.where(np.isin(one["index"], other["index"])),
        other.where(np.isin(other["index"], one["index"])),
    )


def _make_entry(result: Result, name: str, names: Mapping[Path, str]) -> Entry:
    summary = result.record["summary"]
    value, low, high = (float(summary.get(f"{name}{end}", np.nan)) for end in ("", "_low", "_high"))
    number = list(names).index(result.path.parent)
    return Entry(name_method(result, names), number, value, low, high)


def rank_methods(
    results: Sequence[Result], names: Mapping[Path, str], standings: Sequence[Standing]
) -> tuple[list[Place], int]:
    """Return the methods in order of their first headline metric, and the number of common sets.

    Args:
        results: Results of all methods.
        names: Names of the runs.
        standings: Standings of the same results on each set, from ``rank_by_set``.
    """
    shown = [result for result in results if not result.perturbation]
    metrics = headline_metrics()
    groups: dict[Path, dict[tuple[str, str, str], dict[str, Any]]] = {run: {} for run in names}
    for result in shown:
        summary = result.record["summary"]
        if _is_number(summary[metrics[0]]):
            key = (result.set, result.counting, str(result.record["request"]["fingerprint"]))
            groups[result.path.parent][key] = summary
    common = set.intersection(*(set(sets) for sets in groups.values())) if groups else set()
    firsts = [(s.entries[0].number, s.clear) for s in standings if not s.detection]
    places = []
    for number, run in enumerate(names):
        summaries = [groups[run][key] for key in sorted(common)]
        means = {
            LOCALIZATION[name].title: intervals.mean_defined([s[name] for s in summaries])
            for name in metrics
        }
        aucs = [
            _detection_auc(result)
            for result in shown
            if result.path.parent == run and result.has_both_labels and _detection_rule(result)
        ]
        wins = [clear for first, clear in firsts if first == number]
        auc = intervals.mean_defined(aucs) if aucs else float("nan")
        places.append(Place(names[run], number, means, auc, len(wins), sum(wins)))
    first = LOCALIZATION[metrics[0]]
    sign = -1 if first.higher_is_better else 1
    places.sort(key=lambda p: (np.nan_to_num(sign * p.means[first.title], nan=np.inf), -p.auc))
    return places, len(common)
