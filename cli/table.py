"""``cisdl-bench table``."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli import options as shared

_CAPTIONED, _LABELLED = ("latex", "html"), ("latex",)


def _check_label(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return a label that LaTeX takes as it is."""
    if value and not re.fullmatch(r"[A-Za-z0-9:._-]+", value):
        raise click.BadParameter(f"expected letters, digits and :._-, got {value!r}.")
    return value


@click.command()
@shared.runs
@click.option(
    "--layout",
    type=click.Choice(["paper-1", "paper-2", "paper-3", "paper-4", "wide"]),
    default="wide",
    show_default=True,
    help="paper-1: Combination sets; paper-2: by transformation; paper-3, paper-4: detection; "
    "wide: everything, one line a set.",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["csv", "latex", "markdown", "html"]),
    help="Default: by the ending of -o, else markdown.",
)
@shared.sets("Only sets of which the name is this or begins so, such as `rotation`.")
@shared.out("FILE", "Where to write it: .csv, .tex, .md or .html. Default: print it.")
@click.option("--published", is_flag=True, help="With the paper's own rows, marked.")
@click.option("--intervals", is_flag=True, help="With 95% bootstrap intervals over pairs.")
@click.option("--digits", type=click.IntRange(1, 12), default=4, show_default=True)
@click.option("--standalone", is_flag=True, help="LaTeX: a document that compiles alone.")
@click.option("--caption", default="", help="LaTeX, HTML: the caption, in the title's place.")
@click.option(
    "--label",
    default="",
    callback=_check_label,
    metavar="WORD",
    help=r"LaTeX: the label that \ref names, such as tab:localization.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice(["mask", "share", "own"]),
    help="Detection score: the paper's from masks, DMVN-loc's share of pixels, the detector's "
    "own. May be repeated. Default: mask, and own where there is one.",
)
@click.option(
    "--convention",
    type=click.Choice(["nist", "release"]),
    default="nist",
    show_default=True,
    help="NMM of an empty reference: undefined (NIST), or 0 as in the DMAC release.",
)
@click.pass_obj
def table(
    settings: dict[str, Any],
    /,
    runs: tuple[Path, ...],
    form: str | None,
    out: Path | None,
    digits: int,
    standalone: bool,
    caption: str,
    label: str,
    **choices: Any,
) -> None:
    """Write a table of scoring results; no network is run.

    \b
    Examples:
      cisdl-bench table cisdl-scores/sift-ransac --layout paper-2 --published
      cisdl-bench table cisdl-scores/* --layout paper-1 -o table1.tex --standalone
      cisdl-bench table cisdl-scores/* --set raw --set shift --intervals -o table.tex --label tab:us
    """
    from cisdl_bench.errors import CisdlError
    from cisdl_bench.report.tables import TableOptions, make_table
    from cisdl_bench.report.write_table import FORMATS
    from cisdl_bench.store.atomic import write_whole

    endings = {".csv": "csv", ".tex": "latex", ".md": "markdown", ".html": "html"}
    if out and not form and out.suffix not in endings:
        raise CisdlError.expected(
            out,
            f"an ending out of {', '.join(endings)}",
            out.suffix or "none",
            "Rename it, or say the format by -f",
        )
    chosen = form or (endings[out.suffix] if out else "markdown")
    for option, value, forms in (("--caption", caption, _CAPTIONED), ("--label", label, _LABELLED)):
        if value and chosen not in forms:
            raise click.UsageError(f"{option} is for {' and '.join(forms)}, not for {chosen}.")
    made = replace(make_table(runs, TableOptions(**choices)), caption=caption, label=label)
    text = FORMATS[chosen](made, digits, standalone)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text.encode("utf-8", "backslashreplace"))
        click.echo(f"{out}: {len(made.frame)} rows")
