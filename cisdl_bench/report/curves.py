"""ROC and DET curves of detection, AUC and EER marked."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import detection
from cisdl_bench.metrics.registry import RULES
from cisdl_bench.records import UNLABELLED, set_names
from cisdl_bench.report.drawing import colour, describe_counts, new_figure, plain, style
from cisdl_bench.report.figure import FigureOptions
from cisdl_bench.report.methods import gathered, list_sets, name_method
from cisdl_bench.report.palette import PAPER, SOFT
from cisdl_bench.results.result import Result

Floats = npt.NDArray[np.float64]
_STEPS = 33  # points of a slanted piece of a DET curve, twice
_AGAIN = "Score it again with --overwrite"
#: What a reader asks of the dots.
EER_NOTE = (
    "The dot is the EER as NIST defines it: of the thresholds that occur, the one where FPR and "
    "FNR are nearest to each other; where scores are tied it lies off the dotted line."
)
_BELOW = {"roc": 0.5, "det": 0.7}  # inches from an axis to its legend
_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999)


class Line(NamedTuple):
    """How a curve is told apart from others.

    Attributes:
        label: Method and rule.
        number: Place of the method, which decides the colour.
        variant: Place of the curve among those of the method, which decides the dashes.
    """

    label: str
    number: int
    variant: int


def draw_curves(kind: str, runs: Sequence[Path], options: FigureOptions) -> Any:
    """Return a matplotlib figure, a panel a set and a curve a method.

    Args:
        kind: ``roc``: TPR against FPR; ``det``: FNR against FPR, both as normal deviates.
        runs: Folders of results.
        options: Sets (none given: all with positive and negative pairs), detection scores (none
            given: ``mask``, and ``own`` where the detector has one), panels in a row.

    Raises:
        RunError: No set has positive and negative pairs.
    """
    results, names = gathered(runs)
    panels: dict[str, list[Result]] = {}
    for result in results:
        if result.has_both_labels and _is_chosen(result.set, options.sets):
            panels.setdefault(result.set, []).append(result)
    if not panels:
        raise RunError.expected(
            ", ".join(map(str, runs)),
            "results on sets with positive and negative pairs",
            list_sets(results),
            "Score paired CASIA, NIST's task, or a set of all three kinds",
        )
    numbers = {run: k for k, run in enumerate(names)}
    rules = options.rules or ("mask", "own")
    lines = {
        name: [(r, k) for r in group for k in rules if f"{k}_auc" in r.record["summary"]]
        for name, group in panels.items()
    }
    columns = min(options.columns or len(panels), len(panels))
    rows = -(-len(panels) // columns)
    height = 4.6 + _BELOW[kind] + 0.17 * (2 + max(map(len, lines.values())))
    figure, axes = new_figure(4.6 * columns, height * rows, rows, columns)
    for axis, (name, curves) in zip(axes.ravel(), lines.items(), strict=False):
        earlier: dict[str, detection.Roc] = {}
        drawn: Counter[Path] = Counter()
        for result, rule in curves:
            run = result.path.parent
            line = Line(
                f"{name_method(result, names)}{RULES[rule].ending}", numbers[run], drawn[run]
            )
            drawn[run] += 1
            _draw_curve(axis, kind, result, rule, line, earlier)
        _finish_axis(axis, kind, f"{name}, {_describe_pairs(panels[name])}")
    for axis in axes.ravel()[len(panels) :]:
        axis.set_axis_off()
    return figure


def _is_chosen(name: str, sets: Sequence[str]) -> bool:
    return not sets or name.startswith(set_names(sets))


def _describe_pairs(results: Sequence[Result]) -> str:
    summaries = [result.record["summary"] for result in results]
    numbers = [summary["positive_pairs"] + summary["negative_pairs"] for summary in summaries]
    return describe_counts(numbers)


def _draw_curve(
    axis: Any,
    kind: str,
    result: Result,
    rule: str,
    line: Line,
    earlier: dict[str, detection.Roc],
) -> None:
    """Draw one curve; its label says where it is the same as an earlier one."""
    rows = result.rows()
    rows = rows.where(rows["label"] != UNLABELLED)
    scores, labels = rows.pair_scores(rule), rows["label"]
    if np.isnan(scores).any():
        raise RunError.expected(
            result.path, f"a score of every pair by the rule {rule}", "none for some", _AGAIN
        )
    roc = detection.roc(labels, scores)
    auc, eer = detection.auc(labels, scores), detection.eer(labels, scores)
    at = int(np.argmin(np.abs(roc.fpr - (1 - roc.tpr))))
    x, y = roc.fpr, roc.tpr
    marked: Any = (x[at], y[at])
    if kind == "det":
        x, y = det_line(roc)
        marked = _deviate(roc.fpr[at]), _deviate(1 - roc.tpr[at])
    twins = [name for name, other in earlier.items() if _are_equal(roc, other)]
    earlier[line.label] = roc
    same = f" (same curve as {twins[0]})" if twins else ""
    shown = f"{plain(line.label)}: AUC {auc:.3f}, EER {eer:.3f}{plain(same)}"
    axis.plot(x, y, label=shown, **style(line.number, line.variant))
    axis.plot(*marked, "o", color=colour(line.number), markersize=5, markeredgecolor=PAPER)


def _are_equal(one: detection.Roc, other: detection.Roc) -> bool:
    return np.array_equal(one.fpr, other.fpr) and np.array_equal(one.tpr, other.tpr)


def det_line(roc: detection.Roc) -> tuple[Floats, Floats]:
    """Return a DET curve's normal deviates of FPR and FNR, float64 (n,).

    Between two vertices the *rates* lie on a straight line, as on the ROC; as deviates they do not,
    and a straight line there would flatter methods with tied scores.
    """
    fpr, fnr = [roc.fpr[:1]], [1 - roc.tpr[:1]]
    for k in range(len(roc.fpr) - 1):
        ends = [(rate[k], rate[k + 1]) for rate in (roc.fpr, 1 - roc.tpr)]
        shares = [np.linspace(0, 1, _STEPS)[1:]]
        for first, last in ends:  # points at equal distances as deviates, too
            if first != last:
                rates = _rates(np.linspace(_deviate(first), _deviate(last), _STEPS))
                shares.append((rates - first) / (last - first))
        along = np.unique(np.clip(np.concatenate(shares), 0, 1))
        along = along if len(shares) > 2 else np.ones(1)  # parallel to an axis: straight
        fpr.append(ends[0][0] + along * (ends[0][1] - ends[0][0]))
        fnr.append(ends[1][0] + along * (ends[1][1] - ends[1][0]))
    return _deviate(np.concatenate(fpr)), _deviate(np.concatenate(fnr))


def _rates(deviates: Any) -> Any:
    from scipy.special import ndtr

    return ndtr(deviates)


def _deviate(rates: Any) -> Any:
    from scipy.special import ndtri

    return ndtri(np.clip(rates, 5e-4, 1 - 5e-4))


def _finish_axis(axis: Any, kind: str, title: str) -> None:
    """Draw the lines that curves are read against, the labels, and the legend below them."""
    from matplotlib.transforms import ScaledTranslation

    axis.set_title(plain(title))
    axis.set_xlabel("false positive rate")
    axis.set_ylabel("true positive rate" if kind == "roc" else "false negative rate")
    chance = {"color": SOFT, "linestyle": "--", "linewidth": 0.9, "zorder": 1, "label": "chance"}
    equal = {**chance, "linestyle": ":", "label": "FPR = FNR"}
    if kind == "roc":
        axis.plot([0, 1], [0, 1], **chance)
        axis.plot([0, 1], [1, 0], **equal)
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    else:
        places = _deviate(np.array(_TICKS))
        words = [f"{100 * tick:g}%" for tick in _TICKS]
        axis.set_xticks(places, words, rotation=60, fontsize=7)
        axis.set_yticks(places, words, fontsize=7)
        ends = places[[0, -1]]
        axis.plot(ends, ends[::-1], **chance)
        axis.plot(ends, ends, **equal)
        margin = 0.1
        axis.set(xlim=(ends[0] - margin, ends[1] + margin), aspect="equal")
        axis.set_ylim(axis.get_xlim())
    axis.grid()
    # Below the labels by a length: as a share of the axis it would depend on the axis' height.
    below = axis.transAxes + ScaledTranslation(0, -_BELOW[kind], axis.figure.dpi_scale_trans)
    place: Any = {"bbox_to_anchor": (0, 0), "bbox_transform": below, "borderaxespad": 0}
    axis.legend(loc="upper left", **place)
