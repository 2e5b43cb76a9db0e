"""What all figures share: type, colours, lines, titles."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.report.palette import COLOURS, FONTS, INK, LINE, SOFT

#: Line styles, one for each method, in order: equal curves and grey print need more than a colour.
STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.5)), (0, (3, 1, 1, 1)))

#: Markers, one for each method, in order.
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

_LONGEST = 60  # characters of a label


def plain(text: str) -> str:
    r"""Return a user's text so that matplotlib prints it as it is, cut where it is very long.

    Two dollar signs would begin and end mathematics.

    >>> print(plain("a $b$"))
    a \$b\$
    """
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)
    return shown.replace("$", r"\$")


def colour(number: int) -> str:
    """Return the colour of a method by its number."""
    return COLOURS[number % len(COLOURS)]


def style(number: int, variant: int = 0) -> dict[str, Any]:
    """Return the colour, dashes and width of a method's line; later lines are thinner.

    Where two curves are equal, the earlier one shows on both sides of the later one.

    Args:
        number: Place of the method.
        variant: Place of the line among those of the method.
    """
    width = max(1.1, 2.3 - 0.3 * (number + variant))
    dashes = STYLES[(number + variant) % len(STYLES)]
    return {"color": colour(number), "linestyle": dashes, "linewidth": width}


@cache
def _installed_fonts() -> tuple[str, ...]:
    from matplotlib import font_manager

    names = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FONTS if name in names)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the type and colours of the page."""
    from matplotlib import rc_context

    settings: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": [*_installed_fonts(), "DejaVu Sans"],
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": SOFT,
        "axes.linewidth": 0.8,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": LINE,
        "grid.linewidth": 0.6,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "legend.handlelength": 3,
        "pdf.fonttype": 42,  # text that can be searched and edited
        "svg.hashsalt": "cisdl-bench",  # the same figure is the same file
    }
    with rc_context(settings):
        yield


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """Return a matplotlib figure, in inches, and its axes, an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def legend(figure: Any, axes: Any) -> None:
    """Put one legend of all axes below a figure, in as many columns as its width takes."""
    handles: dict[str, Any] = {}
    for axis in np.ravel(axes):
        own_handles, labels = axis.get_legend_handles_labels()
        handles.update(zip(labels, own_handles, strict=True))
    if handles:
        width = 0.6 + 0.07 * max(map(len, handles))  # inches of a column, about
        columns = max(1, min(len(handles), int(figure.get_figwidth() / width)))
        place = "outside lower left"
        figure.legend(list(handles.values()), list(handles), ncols=columns, loc=place)


def limits(metric: str) -> tuple[float, float]:
    """Return the ends of a metric's axis, a little beyond its range."""
    return LOCALIZATION[metric].low - 0.02, LOCALIZATION[metric].high + 0.02


def describe_counts(counts: Sequence[int]) -> str:
    """Return the number of pairs as a label has it, a range where sets differ.

    >>> describe_counts([40, 40]), describe_counts([3000, 120])
    ('n = 40', 'n = 120 to 3,000')
    """
    low, high = min(counts), max(counts)
    return f"n = {low:,}" if low == high else f"n = {low:,} to {high:,}"
