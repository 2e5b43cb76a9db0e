"""The figures of the report, and the ranges in which a method breaks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.progress import Progress
from cisdl_bench.report.draw import draw
from cisdl_bench.report.figure import FigureOptions, report_figures
from cisdl_bench.report.figures.parameters import PARAMETERS, breakdowns
from cisdl_bench.report.inline_svg import inline_svg
from cisdl_bench.report.page_tables import Cell
from cisdl_bench.results.result import Result

#: Figures of one row of the page.
Group = list[dict[str, Any]]


def draw_page_figures(
    scored: Sequence[Path], trained: Sequence[Path], progress: Progress
) -> tuple[list[Group], list[Group]]:
    """Return the figure that says it at a glance, and the others, by rows of the page.

    Args:
        scored: Folders of results.
        trained: Folders of training runs.
        progress: Receives progress updates and messages.
    """
    before: list[Group] = []
    after: list[Group] = []
    for name, figure in report_figures().items():
        runs = trained if figure.of_training else scored
        if not runs:
            continue
        try:
            drawn = draw(name, runs, FigureOptions(columns=1 if figure.half else 0), progress)
        except RunError:
            if figure.of_training:
                raise  # a training run is named for its growth alone
            continue  # the results lack what this figure shows
        svg = inline_svg(drawn, name, f"{figure.heading}. {figure.note}".strip())
        drawing: dict[str, Any] = {"name": name, "key": f"figure-{name}", "heading": figure.heading}
        drawing |= {"note": figure.note, "half": figure.half, "svg": svg}
        rows = before if figure.place == 1 else after
        if figure.half and rows and rows[-1][-1]["half"] and len(rows[-1]) < 2:
            rows[-1].append(drawing)
        else:
            rows.append([drawing])
    return before, after


def find_breaks(results: Sequence[Result], names: Mapping[Path, str]) -> list[list[Cell]]:
    """Return the ranges in which a method breaks, with the number of pairs and the interval."""
    rows: list[list[Cell]] = []
    for name, label in PARAMETERS.items():
        for run, means in breakdowns(results, name, "iou").items():
            for part in means.breaks:
                rows.append(
                    [
                        ("text", names[run]),
                        ("text", label),
                        ("text", f"{part.low:.3g} to {part.high:.3g}"),
                        ("n", f"{part.pairs:,}"),
                        ("n", f"{part.mean:.3f}"),
                        ("n", f"[{part.interval.low:.3f}, {part.interval.high:.3f}]"),
                    ]
                )
    return rows
