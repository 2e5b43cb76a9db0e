"""How scores fall with the strength of a perturbation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import intervals
from cisdl_bench.report.drawing import TITLES, colour, legend, limits, new_figure
from cisdl_bench.report.methods import gathered
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.results import Result
from cisdl_bench.scoring.summary import LOCALIZATION, mask_values

_LABELS = {
    "jpeg": "JPEG quality",
    "blur": "Gaussian blur, px",
    "noise": "noise, grey levels",
    "resize": "resizing and back, factor",
}


def robustness_figure(runs: Sequence[Path], metric: str) -> Any:
    """Return a matplotlib figure: a metric against strength, a panel a perturbation, a line a run.

    Each point is the mean over all masks of the sets that were perturbed so, with its 95%
    bootstrap interval; the level line is the same sets unperturbed. Chained perturbations are
    left out.

    Args:
        runs: Folders of results, scored with ``--perturb``.
        metric: ``iou``, ``mcc``, ``nmm`` or ``f1``.

    Raises:
        RunError: Nothing was perturbed.
    """
    results, names = gathered(runs)
    points: dict[str, dict[Path, dict[float, list[Result]]]] = {}
    plain = {(r.path.parent, r.set): r for r in results if not r.perturbation}
    for result in results:
        steps = Perturbation.named(result.perturbation).steps
        if len(steps) == 1:
            step, strength = steps[0]
            lines = points.setdefault(step, {}).setdefault(result.path.parent, {})
            lines.setdefault(strength, []).append(result)
    if not points:
        raise RunError.expected(
            ", ".join(map(str, runs)),
            "results under perturbations",
            "none",
            "Score with --perturb none,jpeg:90,jpeg:70,jpeg:50",
        )
    figure, axes = new_figure(4.2 * len(points), 3.6, 1, len(points))
    numbers = {run: k for k, run in enumerate(names)}
    for axis, (step, by_run) in zip(axes[0], points.items(), strict=True):
        for run, found in by_run.items():
            ink = colour(numbers[run])
            strengths = sorted(found)
            spans = [_mean(found[strength], metric) for strength in strengths]
            mean, low, high = (np.array(each) for each in zip(*spans, strict=True))
            axis.errorbar(
                strengths,
                mean,
                (np.maximum(mean - low, 0), np.maximum(high - mean, 0)),
                fmt=".-",
                color=ink,
                capsize=2,
                label=names[run],
            )
            sets = {result.set for part in found.values() for result in part}
            untouched = [plain[run, name] for name in sorted(sets) if (run, name) in plain]
            if untouched:
                label = f"{names[run]}, unperturbed"
                level = _mean(untouched, metric)[0]
                axis.axhline(level, color=ink, linestyle=":", linewidth=1, label=label)
        axis.set(xlabel=_LABELS[step], ylabel=TITLES[metric], ylim=limits(metric))
        if step == "jpeg":
            axis.invert_xaxis()
        axis.grid(alpha=0.3)
    legend(figure, axes)
    return figure


def _mean(results: Sequence[Result], metric: str) -> tuple[float, float, float]:
    values = []
    for result in results:
        rows = result.rows()
        rows = rows.where(rows["label"] == 1)
        values.append(mask_values(rows)[:, LOCALIZATION.index(metric)])
    every = np.concatenate(values)
    span = intervals.of_means(every[:, None, :], resamples=500)[0]
    return intervals.mean_of(every), span.low, span.high
