"""A metric for each method and set as points with their intervals, a panel a difficulty."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.report.drawing import (
    MARKERS,
    colour,
    describe_counts,
    legend,
    limits,
    new_figure,
    plain,
)
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gather_defined, order_sets, split_set
from cisdl_bench.report.palette import LINE
from cisdl_bench.results.result import Result

_OTHER = "other sets"


def draw_glance(runs: Sequence[Path], metric: str) -> Any:
    """Return a matplotlib figure: sets by family down, the metric across, a point a method.

    Bars are the 95% bootstrap intervals over pairs. Perturbed results are left out where there are
    others: ``robustness`` shows them.

    Args:
        runs: Folders of results.
        metric: One of ``LOCALIZATION``, such as ``iou``.

    Raises:
        RunError: Nothing was localized, or the metric is undefined on all masks.
    """
    defined, names = gather_defined(runs, metric)
    shown = [result for result in defined if not result.perturbation] or defined
    panels: dict[str, list[Result]] = {}
    for name in order_sets(shown):
        panel = split_set(name)[1] or _OTHER
        panels.setdefault(panel, []).extend(result for result in shown if result.set == name)
    order = [name for name in (*DIFFICULTIES, _OTHER) if name in panels]
    rows = {name: _row_names(panels[name]) for name in order}
    longest = max(map(len, rows.values()))
    lane = 0.2 + 0.09 * len(names)  # inches of a row
    figure, axes = new_figure(1.3 + 2.6 * len(order), 1.3 + lane * longest, 1, len(order))
    for axis, name in zip(axes[0], order, strict=True):
        _draw_panel(axis, panels[name], rows[name], metric, names)
        counts = [result.record["summary"]["positive_pairs"] for result in panels[name]]
        axis.set_title(f"{name.capitalize()}, {describe_counts(counts)}")
        axis.set_xlabel(f"mean {LOCALIZATION[metric].title}")
        axis.set_ylim(longest - 0.5, -0.5)
        if rows[name] == rows[order[0]] and name != order[0]:
            axis.set_yticklabels([])
    legend(figure, axes)
    return figure


def _row_names(results: Sequence[Result]) -> list[str]:
    """Return what each row of a panel is called: the family, or the set that has none."""
    return list(dict.fromkeys(split_set(result.set)[0] for result in results))


def _draw_panel(
    axis: Any, results: Sequence[Result], rows: list[str], metric: str, names: Mapping[Path, str]
) -> None:
    step = 0.7 / max(1, len(names))
    for number, (run, method) in enumerate(names.items()):
        own = [result for result in results if result.path.parent == run]
        summaries = [result.record["summary"] for result in own]
        shift = (number - (len(names) - 1) / 2) * step
        y = [rows.index(split_set(result.set)[0]) + shift for result in own]
        x = [summary[metric] for summary in summaries]
        low = [summary[metric] - summary[f"{metric}_low"] for summary in summaries]
        high = [summary[f"{metric}_high"] - summary[metric] for summary in summaries]
        ends = [[max(0.0, end) for end in side] for side in (low, high)]
        marker = MARKERS[number % len(MARKERS)]
        axis.errorbar(
            x,
            y,
            xerr=ends,
            fmt=marker,
            color=colour(number),
            label=plain(method),
            markersize=4.5,
            elinewidth=1.1,
        )
    for line in range(1, len(rows)):
        axis.axhline(line - 0.5, color=LINE, linewidth=0.6)
    axis.set_yticks(range(len(rows)), [plain(row) for row in rows])
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(limits(metric))
    axis.grid(axis="x")


FIGURE = Figure(
    lambda runs, options, _: draw_glance(runs, options.metric),
    "At a glance: mean IoU by set",
    place=1,
    note="A point a method, with its 95% bootstrap interval over pairs. Right is better.",
)
