"""Figures by their kind, and writing them."""

import io
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisdl_bench.errors import CisdlError
from cisdl_bench.progress import Progress
from cisdl_bench.report.breakdown import breakdown_figure
from cisdl_bench.report.curves import curve_figure
from cisdl_bench.report.growth import growth_figure
from cisdl_bench.report.heatmap import heatmap_figure
from cisdl_bench.report.pair_sheet import Choice, pair_figure
from cisdl_bench.report.robustness import robustness_figure
from cisdl_bench.store.atomic import write_whole

ENDINGS = (".png", ".pdf", ".svg", ".pgf")
_DPI = 150
_LATEX = ("xelatex", "lualatex", "pdflatex")


@dataclass(frozen=True)
class Wish:
    """What a user wants of a figure; each kind takes what concerns it.

    Attributes:
        sets: Names of sets, or how they begin.
        metric: Of localization.
        by: Parameters.
        rules: Detection scores.
        choose: Which pairs.
        count: How many.
        seed: Which random ones.
        ids: Their numbers instead.
        data: Where pairs are.
        published: A method of Table I.
    """

    sets: tuple[str, ...] = ()
    metric: str = "iou"
    by: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    choose: str = "worst"
    count: int = 6
    seed: int = 0
    ids: tuple[int, ...] = ()
    data: Path | None = None
    published: str | None = None


def _pairs(runs: Sequence[Path], wish: Wish, progress: Progress) -> Any:
    name = wish.sets[0] if wish.sets else None
    choice = Choice(wish.choose, wish.count, wish.ids, wish.seed, name, wish.data)
    return pair_figure(runs, choice, progress)


Drawer = Callable[[Sequence[Path], Wish, Progress], Any]
#: Name to what draws it; a new kind is a line here.
FIGURES: dict[str, Drawer] = {
    "pairs": _pairs,
    "roc": lambda runs, wish, _: curve_figure("roc", runs, wish.sets, wish.rules),
    "det": lambda runs, wish, _: curve_figure("det", runs, wish.sets, wish.rules),
    "parameters": lambda runs, wish, _: breakdown_figure(runs, wish.metric, wish.by),
    "robustness": lambda runs, wish, _: robustness_figure(runs, wish.metric),
    "heatmap": lambda runs, wish, _: heatmap_figure(runs, wish.metric),
    "growth": lambda runs, wish, _: growth_figure(runs, wish.published),
}


def draw(kind: str, runs: Sequence[Path], wish: Wish, progress: Progress) -> Any:
    """Return a matplotlib figure.

    Args:
        kind: One of ``FIGURES``.
        runs: Folders of results; of training for ``growth``.
        wish: What a user wants of it.
        progress: Hears how files are looked at.

    Raises:
        RunError: The runs have not what the figure shows.
    """
    return FIGURES[kind](runs, wish, progress)


def rendered(figure: Any, form: str) -> bytes:
    """Return a figure as a file's content, ``png``, ``pdf``, ``svg`` or ``pgf``.

    Raises:
        CisdlError: PGF is asked for where there is no LaTeX that works, which measures its texts,
            or of a figure with pictures, which it cannot hold.
    """
    from matplotlib import rc_context

    settings: Any = {}
    if form == "pgf":
        system = next((name for name in _LATEX if shutil.which(name)), None)
        if system is None:
            wanted = f"one of {', '.join(_LATEX)}"
            then = "Install LaTeX, or write .pdf"
            raise CisdlError.expected("a .pgf figure", wanted, "none", then)
        settings["pgf.texsystem"] = system
    drawn = io.BytesIO()
    try:
        # Letters that no font has, and labels too long for their axes, are drawn as well as can be.
        with rc_context(settings), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(drawn, format=form, dpi=_DPI)
    except Exception as error:
        if form != "pgf":
            raise
        # LaTeX fails in many ways: a package or a font that is missing, a text it cannot take.
        got = "pictures" if isinstance(error, ValueError) else _said_by_latex(error)
        raise CisdlError.expected(
            "a .pgf figure",
            "lines and text alone" if got == "pictures" else f"{settings['pgf.texsystem']} to work",
            got,
            "Write .pdf",
        ) from error
    return drawn.getvalue()


def _said_by_latex(error: Exception) -> str:
    """Return the line in which LaTeX says what is wrong."""
    text = f"{error}\n{getattr(error, 'latex_output', '')}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line.lstrip("! ") for line in lines if line.startswith("!")]
    return f"'{(wrong or lines or [type(error).__name__])[0][:120].rstrip('.')}'"


def check_ending(target: Path) -> None:
    """Refuse a file whose ending is of no format.

    Raises:
        CisdlError: It is none of ``ENDINGS``.
    """
    if target.suffix not in ENDINGS:
        raise CisdlError.expected(
            target, f"an ending out of {', '.join(ENDINGS)}", target.suffix or "none", "Rename it"
        )


def save_figure(figure: Any, target: Path) -> None:
    """Write a figure; the file's ending says the format.

    Raises:
        CisdlError: The ending is of no format, or the file cannot be written.
    """
    check_ending(target)
    write_whole(target, rendered(figure, target.suffix[1:]))
