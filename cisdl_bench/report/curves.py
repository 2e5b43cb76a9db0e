"""ROC and DET curves of detection, AUC and EER marked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import detection
from cisdl_bench.metrics.registry import RULES
from cisdl_bench.records import UNLABELLED
from cisdl_bench.report.drawing import colour, new_figure, plain
from cisdl_bench.report.methods import gathered, list_sets, name_method
from cisdl_bench.results.result import Result

Floats = npt.NDArray[np.float64]
_STEPS = 33  # points of a slanted piece of a DET curve, twice
_AGAIN = "Score it again with --overwrite"
_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999)


def draw_curves(kind: str, runs: Sequence[Path], sets: Sequence[str], rules: Sequence[str]) -> Any:
    """Return a matplotlib figure, a panel a set and a curve a method.

    Args:
        kind: ``roc``: TPR against FPR; ``det``: FNR against FPR, both as normal deviates.
        runs: Folders of results.
        sets: Beginnings of the names of sets; none given: all with positive and negative pairs.
        rules: Detection scores, of ``registry.RULES``; none given: ``mask``, and ``own`` where the
            detector has one.

    Raises:
        RunError: No set has positive and negative pairs.
    """
    results, names = gathered(runs)
    panels: dict[str, list[Result]] = {}
    for result in results:
        if result.has_both_labels and _is_chosen(result.set, sets):
            panels.setdefault(result.set, []).append(result)
    if not panels:
        raise RunError.expected(
            ", ".join(map(str, runs)),
            "results on sets with positive and negative pairs",
            list_sets(results),
            "Score paired CASIA, NIST's task, or a set of all three kinds",
        )
    figure, axes = new_figure(4.6 * len(panels), 4.8, 1, len(panels))
    for axis, (name, group) in zip(axes[0], panels.items(), strict=True):
        asked = rules or ("mask", "own")
        lines = [(r, k) for r in group for k in asked if f"{k}_auc" in r.record["summary"]]
        for number, (result, rule) in enumerate(lines):
            label = plain(f"{name_method(result, names)}{RULES[rule].ending}")
            _draw_curve(axis, kind, result, rule, label, colour(number))
        _finish_axis(axis, kind, name)
    return figure


def _is_chosen(name: str, sets: Sequence[str]) -> bool:
    return not sets or name.startswith(tuple(sets))


def _draw_curve(axis: Any, kind: str, result: Result, rule: str, label: str, ink: str) -> None:
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
    axis.plot(x, y, color=ink, label=f"{label}: AUC {auc:.4f}, EER {eer:.4f}", linewidth=1.4)
    axis.plot(*marked, "o", color=ink, markersize=4)


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
    axis.set_title(plain(title))
    axis.set_xlabel("false positive rate")
    axis.set_ylabel("true positive rate" if kind == "roc" else "false negative rate")
    if kind == "roc":
        axis.plot([0, 1], [1, 0], color="0.7", linewidth=0.6)
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    else:
        places = _deviate(np.array(_TICKS))
        words = [f"{100 * tick:g}%" for tick in _TICKS]
        axis.set_xticks(places, words, rotation=60, fontsize=7)
        axis.set_yticks(places, words, fontsize=7)
        axis.plot(places[[0, -1]], places[[0, -1]], color="0.7", linewidth=0.6)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower right" if kind == "roc" else "upper right")
