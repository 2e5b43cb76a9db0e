"""A metric for each set and method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.report.drawing import describe_counts, new_figure, plain
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gather_defined, name_method, order_sets, split_set
from cisdl_bench.report.palette import INK, PAPER


def draw_heatmap(runs: Sequence[Path], metric: str) -> Any:
    """Return a matplotlib figure: a row a set, a column a method, the mean written in each cell.

    Families of sets are ruled off; each set's name has its number of positive pairs.

    Args:
        runs: Folders of results.
        metric: One of ``LOCALIZATION``, such as ``iou``.

    Raises:
        RunError: Nothing was localized, or the metric is undefined on all masks.
    """
    shown, names = gather_defined(runs, metric)
    values = {(r.set, name_method(r, names)): r.record["summary"][metric] for r in shown}
    sets = order_sets(shown)
    methods = list(dict.fromkeys(name for _, name in values))
    counts = {
        name: [r.record["summary"]["positive_pairs"] for r in shown if r.set == name]
        for name in sets
    }
    method_labels = list(map(plain, methods))
    set_labels = [f"{plain(name)} ({describe_counts(counts[name])})" for name in sets]
    table = np.array([[values.get((s, m), np.nan) for m in methods] for s in sets])
    # Labels of more than 16 characters need room.
    extra_methods = max(0, max(map(len, method_labels)) - 16)
    extra_sets = max(0, max(map(len, set_labels)) - 16)
    figure, axes = new_figure(
        2.4 + 0.9 * len(methods) + 0.06 * extra_sets + 0.05 * extra_methods,
        1.4 + 0.25 * len(sets) + 0.04 * extra_methods,
    )
    axis, metric_spec = axes[0, 0], LOCALIZATION[metric]
    low, high = metric_spec.low, metric_spec.high
    # Squares, no raster: for PGF. Edges of their own colour: SVG viewers leave seams else.
    shape = {"cmap": "viridis", "vmin": low, "vmax": high, "edgecolors": "face", "linewidth": 0.2}
    image = axis.pcolormesh(table, **shape)
    axis.set_xticks(np.arange(len(methods)) + 0.5, method_labels, rotation=30, ha="right")
    axis.set_yticks(np.arange(len(sets)) + 0.5, set_labels)
    axis.set(xlim=(0, len(methods)), ylim=(len(sets), 0))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(table):
        text = "-" if np.isnan(value) else f"{value:.3f}"
        # White on the dark half of viridis, black on the light one; nothing is drawn under a dash.
        ink = INK if np.isnan(value) else "#000000" if value > (low + high) / 2 else "#ffffff"
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=ink)
    families = [split_set(name)[0] for name in sets]
    for row in range(1, len(sets)):
        if families[row] != families[row - 1]:
            axis.axhline(row, color=PAPER, linewidth=2.5)
    _draw_scale(figure, axis, image, metric_spec.title, (low, high))
    return figure


def _draw_scale(figure: Any, axis: Any, image: Any, title: str, ends: tuple[float, float]) -> None:
    """Draw the colour bar: from the metric's smallest value to its largest, without seams."""
    bar = figure.colorbar(image, ax=axis, label=f"mean {title}", aspect=30, pad=0.02)
    bar.solids.set(rasterized=False, edgecolor="face", linewidth=1.5)
    bar.outline.set_visible(False)
    bar.ax.set_ylim(ends)


FIGURE = Figure(
    lambda runs, options, _: draw_heatmap(runs, options.metric),
    "Heat map",
    place=2,
    note="Mean IoU over both masks of all positive pairs of a set; n is their number.",
)
