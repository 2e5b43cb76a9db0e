"""``cisdl-bench demo``."""

import shlex
import time
from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared

AUTHORS = "https://github.com/yaqiliu-cs/CISDL-DMAC"


@click.command()
@shared.out("DIR", "Where everything goes.", default=Path("cisdl-demo"))
@shared.jobs
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Of each of the 21 test sets.",
)
@click.pass_obj
def demo(settings: dict[str, Any], out: Path, jobs: int, pairs: int) -> None:
    """Make small sets, score four methods, and write tables, figures and the report.

    Needs nothing: no download, no weights, no GPU. The pictures are built in, so the numbers are
    not the paper's.

    \b
    Example:
      cisdl-bench demo
    """
    from cisdl_bench.demo import Size
    from cisdl_bench.demo import demo as steps

    begun = time.perf_counter()
    for line in steps(out, Bars(settings["quiet"]), jobs, Size(pairs, 6 * pairs)):
        click.echo(line)
    click.echo(f"{time.perf_counter() - begun:.0f} s. The real thing:")
    for line in (
        "cisdl-bench fetch coco2014",
        "cisdl-bench generate --set all --coco coco2014",
        "cisdl-bench score sift-ransac",
        "cisdl-bench table cisdl-scores/sift-ransac --layout paper-2 --published -o table2.tex",
        f"cisdl-bench report {shlex.quote(str(out / 'scores' / 'sift-ransac'))} -o report.html",
    ):
        click.echo(f"  {line}")
    click.echo(f"Weights of DMAC-adv and DMVN-BN come from their authors, {AUTHORS}; then:")
    click.echo("  cisdl-bench score DMAC-adv.pth")
