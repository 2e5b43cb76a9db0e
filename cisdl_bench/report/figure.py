"""What a figure is, and finding figures by name."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from cisdl_bench.progress import Progress
from cisdl_bench.report import figures


@dataclass(frozen=True)
class FigureOptions:
    """What a user chooses about a figure; each figure uses what concerns it.

    Attributes:
        sets: Names of sets, or how they begin.
        metric: Metric of localization, such as ``iou``.
        by: Parameters that the metric is drawn against.
        rules: Detection scores, of ``summary.RULES``.
        choose: Rule by which pairs are chosen, of ``choice.CHOICES``.
        count: Number of pairs that are shown.
        seed: Seed of a random choice of pairs.
        ids: Numbers of the pairs that are shown, instead of a choice.
        data: Path of the pairs; None is where they were scored.
        published: Methods of the paper's Table I that are drawn beside the runs.
        columns: Largest number of panels beside each other; 0 leaves it to the figure.
    """

    sets: tuple[str, ...] = ()
    metric: str = "iou"
    by: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    choose: str = "spread"
    count: int = 6
    seed: int = 0
    ids: tuple[int, ...] = ()
    data: Path | None = None
    published: tuple[str, ...] = ()
    columns: int = 0


@dataclass(frozen=True)
class Figure:
    """One kind of figure.

    Attributes:
        draw: Function of the runs' folders, the options and the progress that returns a matplotlib
            figure; it raises ``RunError`` where the runs lack what the figure shows.
        heading: Heading in the report.
        place: Place among the figures of the report; 0 leaves the figure out of it.
        note: Caption in the report: what is drawn, and how it is to be read.
        half: Whether the report shows it beside another one that is half as wide as the page.
        of_training: Whether it is drawn of training runs, not of scoring runs.
    """

    draw: Callable[[Sequence[Path], FigureOptions, Progress], Any]
    heading: str = ""
    place: int = 0
    note: str = ""
    half: bool = False
    of_training: bool = False


def figure_names() -> list[str]:
    """Return the names of all figures without importing them.

    >>> "heatmap" in figure_names()
    True
    """
    return sorted(module.name for module in iter_modules(figures.__path__))


def describe_figures() -> dict[str, str]:
    """Return the first line of each figure's docstring, by name, without importing it.

    >>> describe_figures()["heatmap"]
    'A metric for each set and method.'
    """
    lines = {}
    for name in figure_names():
        spec = find_spec(f"{figures.__name__}.{name}")
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text("utf-8"))
        lines[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return lines


def load_figure(name: str) -> Figure:
    """Return the figure of a name."""
    figure: Figure = import_module(f"{figures.__name__}.{name}").FIGURE
    return figure


def report_figures() -> dict[str, Figure]:
    """Return the report's figures by name, in order."""
    known = {name: load_figure(name) for name in figure_names()}
    ordered = sorted(known, key=lambda name: known[name].place)
    return {name: known[name] for name in ordered if known[name].place}
