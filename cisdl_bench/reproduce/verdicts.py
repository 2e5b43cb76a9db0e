"""Our numbers beside the published ones: difference, interval, and a verdict for each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cisdl_bench.metrics import checked
from cisdl_bench.metrics.intervals import Interval, bootstrap_statistic
from cisdl_bench.metrics.registry import DETECTION, RULES
from cisdl_bench.records import UNLABELLED
from cisdl_bench.report import published
from cisdl_bench.reproduce.targets import Row, Target
from cisdl_bench.results.result import Result

WITHIN, BELOW, ABOVE = "within", "below", "above"
UNDEFINED, NOT_REPRODUCED = "undefined", "not reproduced"
VERDICTS = (WITHIN, BELOW, ABOVE, UNDEFINED, NOT_REPRODUCED)
_NOTHING = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class Comparison:
    """One of our numbers beside the published one.

    Attributes:
        row: Name of the row.
        method: Published method, with the parameters that tell it from others of its name.
        set: Set or list that was scored, such as ``combination-easy``.
        metric: Metric, such as ``iou``.
        published: Published number as it is printed.
        ours: Our number; NaN where it is undefined or was not measured.
        interval: 95% bootstrap interval of our number over pairs.
        undefined: Number of masks that our mean leaves out because the metric is undefined there.
        measured: Whether the row was measured.
    """

    row: str
    method: str
    set: str
    metric: str
    published: str
    ours: float = float("nan")
    interval: Interval = _NOTHING
    undefined: int = 0
    measured: bool = False

    @property
    def difference(self) -> float:
        """Our number minus the published one; NaN where ours is."""
        return self.ours - float(self.published)

    @property
    def verdict(self) -> str:
        """One of ``VERDICTS``; see ``judge``."""
        if not self.measured:
            return NOT_REPRODUCED
        return judge(self.ours, self.interval, float(self.published))


def judge(ours: float, interval: Interval, reference: float) -> str:
    """Return where our number lies by its interval: within, below or above the published number.

    ``within``: the published number lies in our interval, its ends included. ``below``: the whole
    interval is smaller; ``above``: the whole interval is greater. This speaks of numbers: an EER
    that is below is a better one. ``undefined``: our number or an end of its interval is NaN.

    Args:
        ours: Our number.
        interval: Bootstrap interval of our number.
        reference: Published number, taken as exact.

    >>> judge(0.5, Interval(0.4, 0.6), 0.6), judge(0.5, Interval(0.4, 0.6), 0.61)
    ('within', 'below')
    """
    if any(map(math.isnan, (ours, *interval))):
        return UNDEFINED
    if interval.high < reference:
        return BELOW
    return ABOVE if interval.low > reference else WITHIN


def compare_row(
    target: Target,
    name: str,
    parameters: Mapping[str, str],
    sets: Sequence[str],
    results: Sequence[Result],
) -> list[Comparison]:
    """Return a row's numbers beside the published ones.

    Args:
        target: Table that the row is of.
        name: Name of the row.
        parameters: Columns that tell published rows of one method apart, as the paper prints them.
        sets: Names of the sets, or of the list, that the table is measured on.
        results: Results of what the row is measured on; none where it was not measured.

    Raises:
        RunError: The rows of a result are not those that were scored.
    """
    row: Row = target.rows[name]
    by_set = {result.set: result for result in results if not result.perturbation}
    shown = ", ".join(value for value in parameters.values() if value)
    method = f"{row.method} ({shown})" if shown else row.method
    comparisons = []
    for line in _find_published(target, row, parameters):
        for scored in [scored for scored in sets if _is_of(line, scored)]:
            for metric in target.table["metrics"]:
                comparison = Comparison(name, method, scored, metric, line[metric])
                if scored in by_set:
                    comparison = _measure(comparison, target, row.rule, by_set[scored])
                comparisons.append(comparison)
    return comparisons


def _find_published(
    target: Target, row: Row, parameters: Mapping[str, str]
) -> list[dict[str, str]]:
    names = target.table.get("parameters", ())
    wanted = {"method": row.method, **{name: parameters.get(name, "") for name in names}}
    return [line for line in published.rows(target.layout) if wanted.items() <= line.items()]


def _is_of(line: Mapping[str, str], scored: str) -> bool:
    """Return whether a published line is of a set; detection has one line for any set."""
    if "transformation" not in line:
        return True
    return scored == f"{line['transformation']}-{line['difficulty']}"


def _measure(comparison: Comparison, target: Target, rule: str, result: Result) -> Comparison:
    """Return a comparison with our number, its interval and the count of undefined masks."""
    metric, summary = comparison.metric, result.record["summary"]
    if target.table["kind"] == "localization":
        result.rows()  # refused where they are not those that were scored
        interval = Interval(summary[f"{metric}_low"], summary[f"{metric}_high"])
        undefined = summary[f"{metric}_undefined"]
        ours = summary[metric]
    else:
        undefined, ours = 0, summary.get(f"{rule}_{metric}", float("nan"))
        interval = _find_interval(metric, rule, result)
    return replace(comparison, ours=ours, interval=interval, undefined=undefined, measured=True)


def _find_interval(metric: str, rule: str, result: Result) -> Interval:
    """Return the interval of a detection metric: the summary's where it has one."""
    summary = result.record["summary"]
    if f"{rule}_{metric}" not in summary:  # the detector has no such score
        return _NOTHING
    if DETECTION[metric].interval:
        return Interval(summary[f"{rule}_{metric}_low"], summary[f"{rule}_{metric}_high"])
    rows = result.rows()
    rows = rows.where(rows["label"] != UNLABELLED)
    threshold = RULES[rule].threshold
    return bootstrap_statistic(
        lambda labels, scores: checked.detect(metric, labels, scores, threshold),
        rows["label"],
        rows.pair_scores(rule),
    )
