"""Drawing figures by name, and writing them."""

import io
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import CisdlError
from cisdl_bench.progress import Progress
from cisdl_bench.report.drawing import styled
from cisdl_bench.report.figure import FigureOptions, load_figure
from cisdl_bench.store.atomic import write_whole

ENDINGS = (".png", ".pdf", ".svg", ".pgf")
_DPI = 150
_LATEX = ("xelatex", "lualatex", "pdflatex")


def draw(name: str, runs: Sequence[Path], options: FigureOptions, progress: Progress) -> Any:
    """Return a matplotlib figure.

    Args:
        name: Name of the figure, of ``figure.figure_names``.
        runs: Folders of results, or of training runs for ``growth``.
        options: Choices of the user about the figure.
        progress: Receives progress updates and messages.

    Raises:
        RunError: The runs lack what the figure shows.
    """
    with styled():
        return load_figure(name).draw(runs, options, progress)


def render(figure: Any, form: str) -> bytes:
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
    buffer = io.BytesIO()
    try:
        # Letters that no font has, and labels too long for their axes, are drawn as well as can be.
        with styled(), rc_context(settings), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            figure.savefig(buffer, format=form, dpi=_DPI)
    except Exception as error:
        if form != "pgf":
            raise
        # LaTeX fails in many ways: a package or a font that is missing, a text it cannot take.
        got = "pictures" if isinstance(error, ValueError) else _quote_latex(error)
        raise CisdlError.expected(
            "a .pgf figure",
            "lines and text alone" if got == "pictures" else f"{settings['pgf.texsystem']} to work",
            got,
            "Write .pdf",
        ) from error
    return buffer.getvalue()


def _quote_latex(error: Exception) -> str:
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
    write_whole(target, render(figure, target.suffix[1:]))
