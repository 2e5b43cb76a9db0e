"""IoU, MCC and NMM on the Combination sets during training, as Fig. 6."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import LOCALIZATION, headline_metrics
from cisdl_bench.report import published
from cisdl_bench.report.drawing import STYLES, colour, limits, new_figure, plain, styled
from cisdl_bench.report.figure import Figure
from cisdl_bench.training.log import read_log
from cisdl_bench.training.record import EVALUATION

#: Colours of the difficulties, told apart by the colour-blind.
COLOURS = {"difficult": colour(1), "normal": colour(0), "easy": colour(2)}

#: Of the families of sets, such as Combination and Raw.
MARKERS = (".", "^", "s", "x")


@styled()
def draw_growth(runs: Sequence[Path], published_methods: Sequence[str] = ()) -> Any:
    """Return a matplotlib figure: the headline metrics against pairs seen, a curve a set and run.

    Args:
        runs: Folders that `cisdl-bench train` wrote; a line style each.
        published_methods: Methods of Table I whose published scores are drawn as thin level lines,
            a line style each.

    Raises:
        RunError: A run was not evaluated.
    """
    metrics = headline_metrics()
    figure, grid = new_figure(1 + 3 * len(metrics), 3.4, 1, len(metrics))
    axes = grid[0]
    for run, style in zip(runs, STYLES * len(runs), strict=False):
        sets = _read_sets(run)
        families = list(dict.fromkeys(name.rpartition("-")[0] for name in sets))
        for name, lines in sets.items():
            family, _, difficulty = name.rpartition("-")
            marker = MARKERS[families.index(family) % len(MARKERS)]
            label = plain(f"{run.absolute().name}, {name}" if len(runs) > 1 else name)
            ink = COLOURS.get(difficulty)
            for axis, metric in zip(axes, metrics, strict=True):
                if metric not in lines[0]:  # the run is older than the metric
                    continue
                x = [float(line["pairs"]) for line in lines]
                y = [float(line[metric]) for line in lines]
                axis.plot(
                    x, y, linestyle=style, color=ink, label=label, marker=marker, linewidth=1.5
                )
    for method, style in zip(published_methods, STYLES * len(published_methods), strict=False):
        _draw_published(axes, method, style)
    for axis, metric in zip(axes, metrics, strict=True):
        axis.set(title=LOCALIZATION[metric].title, xlabel="pairs seen")
        axis.grid()
        axis.set_ylim(limits(metric))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=3, loc="outside lower center")
    return figure


def _read_sets(run: Path) -> dict[str, list[dict[str, str]]]:
    lines = read_log(run / EVALUATION, ("pairs",), optional=headline_metrics())
    if not lines:
        raise RunError(
            f"{run / EVALUATION}: the run was not evaluated. Train with --evaluate-on SET and a "
            "small --evaluate-every."
        )
    if not set(headline_metrics()) & set(lines[0]):
        raise RunError.expected(
            run / EVALUATION,
            f"a column out of {', '.join(headline_metrics())}",
            "none",
            "Give the folder that `cisdl-bench train` wrote",
        )
    sets: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        sets.setdefault(line.get("set") or "unnamed", []).append(line)
    return sets


def _draw_published(axes: Any, method: str, style: str) -> None:
    rows = [row for row in published.rows("paper-1") if row["method"] == method]
    if not rows:
        known = ", ".join(dict.fromkeys(row["method"] for row in published.rows("paper-1")))
        raise RunError.expected(
            "--published", f"a method of Table I: {known}", repr(method), "Name one"
        )
    for row in rows[: len(COLOURS)]:
        for axis, metric in zip(axes, headline_metrics(), strict=True):
            if metric not in row:  # the paper has none
                continue
            ink = COLOURS[row["difficulty"]]
            label = plain(f"{method} (published), {row['difficulty']}")
            axis.axhline(float(row[metric]), color=ink, linestyle=style, linewidth=0.6, label=label)


FIGURE = Figure(
    lambda runs, options, _: draw_growth(runs, options.published),
    "Growth during training",
    place=7,
    note="Each evaluation of a training run against the pairs it had seen.",
    of_training=True,
)
