"""What all figures share: colours, lines, titles."""

from typing import Any

from cisdl_bench.metrics.registry import LOCALIZATION

#: Okabe and Ito's colours, told apart by the colour-blind; one for each method, in order.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999")
STYLES = ("-", "--", "-.", ":")


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


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """Return a matplotlib figure, in inches, and its axes, an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def legend(figure: Any, axes: Any) -> None:
    """Put one legend of all axes below a figure, in as many columns as its width takes."""
    handles: dict[str, Any] = {}
    for axis in axes.ravel():
        own_handles, labels = axis.get_legend_handles_labels()
        handles.update(zip(labels, own_handles, strict=True))
    if handles:
        width = 0.6 + 0.06 * max(map(len, handles))  # inches of a column, about
        columns = max(1, min(3, int(figure.get_figwidth() / width)))
        place = "outside lower center"
        figure.legend(list(handles.values()), list(handles), fontsize=7, ncols=columns, loc=place)


def limits(metric: str) -> tuple[float, float]:
    """Return the ends of a metric's axis, a little beyond its range."""
    return LOCALIZATION[metric].low - 0.02, LOCALIZATION[metric].high + 0.02
