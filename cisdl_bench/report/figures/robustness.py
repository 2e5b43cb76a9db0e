"""A metric against the strength of perturbations (score --perturb)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import intervals
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.report.drawing import MARKERS, colour, legend, limits, new_figure, plain, style
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gathered, undefined_error
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.perturb import Perturbation

_LABELS = {
    "jpeg": "JPEG quality",
    "blur": "Gaussian blur, px",
    "noise": "noise, grey levels",
    "resize": "resizing and back, factor",
}


def draw_robustness(runs: Sequence[Path], metric: str) -> Any:
    """Return a matplotlib figure: a metric against strength, a panel a perturbation, a line a run.

    Each point is the mean over all masks of the panel's sets, with its 95% bootstrap interval; the
    level line is the same sets unperturbed, where all of them were scored so. A panel shows the
    sets that were scored at every one of its strengths by every run, and names them. Chained
    perturbations are left out.

    Args:
        runs: Folders of results, scored with ``--perturb``.
        metric: One of ``LOCALIZATION``, such as ``iou``.

    Raises:
        RunError: Nothing was perturbed, the metric is undefined on all masks, or no set was scored
            at every strength.
    """
    results, names = gathered(runs)
    points: dict[str, dict[Path, dict[float, list[Result]]]] = {}
    unperturbed = {(r.path.parent, r.set): r for r in results if not r.perturbation}
    for result in results:
        steps = Perturbation.named(result.perturbation).steps
        if len(steps) == 1:
            step, strength = steps[0]
            lines = points.setdefault(step, {}).setdefault(result.path.parent, {})
            lines.setdefault(strength, []).append(result)
    if not points:
        where, then = ", ".join(map(str, runs)), "Score with --perturb none,jpeg:90,jpeg:70,jpeg:50"
        raise RunError(f"{where}: no result is of perturbed pictures. {then}.")
    if all(np.isnan(result.record["summary"][metric]) for result in results):
        raise undefined_error(runs, results, metric)
    figure, axes = new_figure(4.2 * len(points), 3.6, 1, len(points))
    numbers = {run: k for k, run in enumerate(names)}
    for axis, (step, by_run) in zip(axes[0], points.items(), strict=True):
        sets = find_common_sets(step, by_run, names)
        for run, by_strength in by_run.items():
            ink = colour(numbers[run])
            strengths = sorted(by_strength)
            parts = [[r for r in by_strength[strength] if r.set in sets] for strength in strengths]
            spans = np.array([_mean(part, metric) for part in parts])
            mean, low, high = spans.T
            axis.errorbar(
                strengths,
                mean,
                (np.maximum(mean - low, 0), np.maximum(high - mean, 0)),
                marker=MARKERS[numbers[run] % len(MARKERS)],
                markersize=4.5,
                **style(numbers[run]),
                capsize=2,
                label=plain(names[run]),
            )
            untouched = [unperturbed[run, name] for name in sets if (run, name) in unperturbed]
            if len(untouched) == len(sets):
                label = f"{plain(names[run])}, unperturbed"
                level = _mean(untouched, metric)[0]
                axis.axhline(level, color=ink, linestyle=":", linewidth=1, label=label)
        axis.set(xlabel=_LABELS[step], ylabel=LOCALIZATION[metric].title, ylim=limits(metric))
        axis.set_title(plain(list_names(sets)), fontsize=8)
        if step == "jpeg":
            axis.invert_xaxis()
        axis.grid()
    legend(figure, axes)
    return figure


def find_common_sets(
    step: str, by_run: Mapping[Path, Mapping[float, Sequence[Result]]], names: Mapping[Path, str]
) -> list[str]:
    """Return the sets that every run was scored on at each of its strengths.

    Args:
        step: Name of the perturbation.
        by_run: Results of each run by strength.
        names: Names of the runs.

    Raises:
        RunError: There is none; says which sets were scored at which strength.
    """
    groups = {
        (names[run], strength): {result.set for result in results}
        for run, by_strength in by_run.items()
        for strength, results in by_strength.items()
    }
    common = set.intersection(*groups.values())
    if not common:
        got = "; ".join(
            f"{name} at {strength:g}: {list_names(sorted(sets))}"
            for (name, strength), sets in list(groups.items())[:6]
        )
        raise RunError.expected(
            f"--perturb {step}",
            "a set that was scored at every strength",
            got,
            "Score the same sets at all of them, or plot runs apart",
        )
    return sorted(common)


def list_names(names: Sequence[str]) -> str:
    """Return names for a title: three of them, and how many more.

    >>> list_names(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _mean(results: Sequence[Result], metric: str) -> tuple[float, float, float]:
    values = []
    for result in results:
        rows = result.rows()
        rows = rows.where(rows["label"] == 1)
        values.append(rows.mask_values(metric))
    every = np.concatenate(values)
    span = intervals.bootstrap_means(every[:, None, :], resamples=500)[0]
    return intervals.mean_defined(every), span.low, span.high


FIGURE = Figure(
    lambda runs, options, _: draw_robustness(runs, options.metric),
    "Robustness",
    place=4,
    note="Mean IoU against the strength of what was done to the pictures, with 95% bootstrap "
    "intervals over pairs. Dotted: the same sets unperturbed.",
)
