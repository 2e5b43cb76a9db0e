"""A metric for each set and method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.report.drawing import limits, new_figure, plain
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gathered, name_method, undefined_error
from cisdl_bench.specs import spec_names


def draw_heatmap(runs: Sequence[Path], metric: str) -> Any:
    """Return a matplotlib figure: a row a set, a column a method, the mean written in each cell.

    Args:
        runs: Folders of results.
        metric: One of ``LOCALIZATION``, such as ``iou``.

    Raises:
        RunError: Nothing was localized, or the metric is undefined on all masks.
    """
    results, names = gathered(runs)
    values = {
        (result.set, name_method(result, names)): result.record["summary"][metric]
        for result in results
    }
    values = {key: value for key, value in values.items() if value == value}
    if not values:
        raise undefined_error(runs, results, metric)
    sets = sorted(dict.fromkeys(name for name, _ in values), key=_order)
    methods = list(dict.fromkeys(name for _, name in values))
    method_labels, set_labels = list(map(plain, methods)), list(map(plain, sets))
    table = np.array([[values.get((s, m), np.nan) for m in methods] for s in sets])
    # Labels of more than 16 characters need room.
    extra_methods = max(0, max(map(len, method_labels)) - 16)
    extra_sets = max(0, max(map(len, set_labels)) - 16)
    figure, axes = new_figure(
        2.2 + 0.9 * len(methods) + 0.07 * extra_sets + 0.05 * extra_methods,
        1.4 + 0.27 * len(sets) + 0.04 * extra_methods,
    )
    axis, shown = axes[0, 0], LOCALIZATION[metric]
    image = axis.pcolormesh(
        table, cmap="viridis", vmin=shown.low, vmax=shown.high
    )  # no raster, for PGF
    axis.invert_yaxis()
    axis.set_xticks(
        np.arange(len(methods)) + 0.5, method_labels, rotation=30, ha="right", fontsize=8
    )
    axis.set_yticks(np.arange(len(sets)) + 0.5, set_labels, fontsize=8)
    middle = (shown.low + limits(metric)[1]) / 2
    for (row, column), value in np.ndenumerate(table):
        text = "-" if np.isnan(value) else f"{value:.3f}"
        ink = "black" if value > middle else "white"
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=ink)
    figure.colorbar(image, ax=axis, label=LOCALIZATION[metric].title).solids.set_rasterized(False)
    return figure


def _order(name: str) -> tuple[int, int, str]:
    transformation, _, difficulty = name.rpartition("-")
    sets = spec_names()
    if transformation not in sets or difficulty not in DIFFICULTIES:
        return len(sets), 0, name
    return sets.index(transformation), DIFFICULTIES.index(difficulty), name


FIGURE = Figure(
    lambda runs, options, _: draw_heatmap(runs, options.metric), "Mean IoU by set", place=1
)
