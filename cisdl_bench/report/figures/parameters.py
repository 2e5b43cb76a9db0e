"""A metric against pasted area, scale, angle, shift: where a method breaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import intervals
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.report.drawing import colour, legend, limits, new_figure, plain, style
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gathered, list_sets, undefined_error
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.rows import Rows
from cisdl_bench.transforms.registry import all_parameters

Floats = npt.NDArray[np.float64]

BINS = 10
_LEAST = 5  # pairs of a bin that is shown
_HALF = 0.5  # of the best bin: where a method is said to break

_MEASURED = {
    "area": "pasted area, share of the probe",
    "shift": "displacement of the region's centroid, px",
}
#: Columns of parameters by the word that stands for them, without their unit.
_COLUMNS = {
    name.removesuffix("_deg").removesuffix("_factor"): name
    for name, parameter in all_parameters().items()
    if parameter.title
}
#: What a panel can be against, and its label.
PARAMETERS: dict[str, str] = {
    **_MEASURED,
    **{word: all_parameters()[name].title for word, name in _COLUMNS.items()},
}


def read_parameter(rows: Rows, name: str, size: int) -> Floats:
    """Return a parameter of each row, float64 (n,); NaN where the pair has none.

    Args:
        rows: Rows of a set.
        name: Name of the parameter, one of ``PARAMETERS``.
        size: Side of the canvas in px.
    """
    if name == "area":
        return np.asarray(rows["probe_area_px"] / size**2)
    if name == "shift":
        # Not the drawn shift: scale and rotation about the canvas' centre move a region too.
        return np.asarray(rows["moved_px"])
    column = _COLUMNS[name]
    if column not in rows.columns:  # a transformation that this set does not have
        return np.full(len(rows), all_parameters()[column].neutral)
    return np.asarray(rows[column], dtype=np.float64)


@dataclass(frozen=True)
class Break:
    """A range of a parameter in which a method breaks.

    Attributes:
        low: Lower end of the range.
        high: Upper end of the range.
        pairs: Number of pairs.
        mean: Mean of the metric over their masks.
        interval: Its 95% bootstrap interval over pairs.
    """

    low: float
    high: float
    pairs: int
    mean: float
    interval: intervals.Interval


@dataclass(frozen=True)
class Binned:
    """A metric's mean in bins of a parameter.

    Attributes:
        edges: Edges of the n bins, float64, (n + 1,).
        points: Positions of the bins on the axis, float64, (n,).
        mean: Means of the metric, float64, (n,), NaN where too few pairs are.
        low: Lower ends of the 95% bootstrap intervals over pairs, float64, (n,).
        high: Upper ends of the 95% bootstrap intervals over pairs, float64, (n,).
        pairs: Numbers of pairs, int64, (n,).
        breaks: Ranges below half of the best bin's mean, with their whole interval.
    """

    edges: Floats
    points: Floats
    mean: Floats
    low: Floats
    high: Floats
    pairs: npt.NDArray[np.int64]
    breaks: tuple[Break, ...] = ()

    def broken(self) -> list[tuple[float, float]]:
        """Return the ranges where the mean is below half of the best bin's, joined."""
        if np.isnan(self.mean).all() or np.nanmax(self.mean) <= 0:
            return []
        bad = self.mean < _HALF * np.nanmax(self.mean)
        ranges: list[tuple[float, float]] = []
        for k in np.flatnonzero(bad):
            low, high = float(self.edges[k]), float(self.edges[k + 1])
            if ranges and ranges[-1][1] == low:
                ranges[-1] = (ranges[-1][0], high)
            else:
                ranges.append((low, high))
        return ranges


def make_bins(x: Floats) -> tuple[Floats, Floats]:
    """Return the edges of bins, and where they are drawn.

    Where there are ``BINS`` distinct values at most, each is a bin of its own and drawn where it
    is; else bins are of one width and drawn at their middles.

    Args:
        x: Values of a parameter, float64, (n,), two of them distinct.

    >>> [ends.tolist() for ends in make_bins(np.array([30.0, 90.0, 30.0, 60.0]))]
    [[30.0, 45.0, 75.0, 90.0], [30.0, 60.0, 90.0]]
    """
    values = np.unique(x)
    if len(values) <= BINS:
        between = (values[1:] + values[:-1]) / 2
        return np.concatenate([values[:1], between, values[-1:]]), values
    edges = np.linspace(values[0], values[-1], BINS + 1)
    return edges, (edges[1:] + edges[:-1]) / 2


def bin_means(values: Floats, x: Floats, edges: Floats, points: Floats) -> Binned:
    """Return a metric's means in bins.

    Args:
        values: Values of both masks of each pair, float64, (n, 2); NaN is left out.
        x: Values of the parameter, float64, (n,).
        edges: Edges of the n bins, float64, (n + 1,), rising.
        points: Positions of the bins on the axis, float64, (n,).
    """
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    rows: list[tuple[float, float, float, int]] = []
    for k in range(len(edges) - 1):
        part = values[place == k]
        if len(part) < _LEAST:
            rows.append((np.nan, np.nan, np.nan, len(part)))
            continue
        span = intervals.bootstrap_means(part[:, None, :], resamples=500)[0]
        rows.append((intervals.mean_defined(part), span.low, span.high, len(part)))
    mean, low, high, pairs = (np.array(column) for column in zip(*rows, strict=True))
    binned = Binned(edges, points, mean, low, high, pairs)
    breaks = []
    for first, last in binned.broken():
        chosen = (edges[place] >= first) & (edges[place + 1] <= last)
        part = values[chosen]
        span = intervals.bootstrap_means(part[:, None, :], resamples=500)[0]
        if span.high < _HALF * np.nanmax(mean):
            share = intervals.mean_defined(part)
            breaks.append(Break(first, last, len(part), share, span))
    return replace(binned, breaks=tuple(breaks))


def breakdowns(results: Sequence[Result], name: str, metric: str) -> dict[Path, Binned]:
    """Return each run's binned means of a parameter over all of its sets in which that varies.

    Perturbed results are left out. Bins are the same for all runs.
    """
    columns: dict[Path, list[tuple[Floats, Floats]]] = {}
    for result in results:
        if result.perturbation:
            continue
        rows = result.rows()
        rows = rows.where(rows["label"] == 1)
        x = read_parameter(rows, name, int(result.record["request"]["size"]))
        if not len(x) or np.isnan(x).any() or np.ptp(x) == 0:
            continue
        values = rows.mask_values(metric)
        columns.setdefault(result.path.parent, []).append((values, x))
    if not columns:
        return {}
    every = np.concatenate([x for parts in columns.values() for _, x in parts])
    edges, points = make_bins(every)
    means = {}
    for run, parts in columns.items():
        values = np.concatenate([part_values for part_values, _ in parts])
        x = np.concatenate([part_x for _, part_x in parts])
        means[run] = bin_means(values, x, edges, points)
    return means


def draw_breakdown(runs: Sequence[Path], metric: str, names: Sequence[str]) -> Any:
    """Return a matplotlib figure: a metric against parameters, a panel each, a line a run.

    Bands are 95% bootstrap intervals over pairs; bins of fewer than five pairs are left out, and a
    panel where nothing is left says why.

    Args:
        runs: Folders of results.
        metric: One of ``LOCALIZATION``, such as ``iou``.
        names: Names of parameters, of ``PARAMETERS``; none given: all that vary.

    Raises:
        RunError: No parameter varies in any of the results, or the metric is undefined on all
            masks.
    """
    results, methods = gathered(runs)
    panels = {name: breakdowns(results, name, metric) for name in names or PARAMETERS}
    panels = {name: means for name, means in panels.items() if means}
    if not panels:
        raise RunError.expected(
            ", ".join(map(str, runs)),
            "results on generated sets whose parameters vary",
            list_sets(results),
            "Score such a set, for instance combination",
        )
    if all(np.isnan(result.record["summary"][metric]) for result in results):
        raise undefined_error(runs, results, metric)
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = new_figure(4 * columns, 3 * rows + 0.6, rows, columns)
    numbers = {run: k for k, run in enumerate(methods)}
    for axis, (name, means) in zip(axes.ravel(), panels.items(), strict=False):
        _draw_panel(axis, name, metric, means, methods, numbers)
    for axis in axes.ravel()[len(panels) :]:
        axis.set_axis_off()
    legend(figure, axes)
    return figure


def _draw_panel(
    axis: Any,
    name: str,
    metric: str,
    by_run: Mapping[Path, Binned],
    methods: Mapping[Path, str],
    numbers: Mapping[Path, int],
) -> None:
    for run, means in by_run.items():
        number = numbers[run]
        axis.plot(means.points, means.mean, marker=".", label=plain(methods[run]), **style(number))
        band = {"color": colour(number), "alpha": 0.13, "linewidth": 0}
        axis.fill_between(means.points, means.low, means.high, **band)
    if all(np.isnan(means.mean).all() for means in by_run.values()):
        enough = any((means.pairs >= _LEAST).any() for means in by_run.values())
        why = "undefined" if enough else f"fewer than {_LEAST} pairs a bin"
        axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes)
    axis.set(xlabel=PARAMETERS[name], ylabel=LOCALIZATION[metric].title, ylim=limits(metric))
    axis.grid()


FIGURE = Figure(
    lambda runs, options, _: draw_breakdown(runs, options.metric, options.by),
    "Where each method breaks",
    place=3,
    note="Mean IoU against what was done to the pasted region. Bands: 95% bootstrap intervals over "
    f"pairs; bins of fewer than {_LEAST} pairs are left out.",
)
