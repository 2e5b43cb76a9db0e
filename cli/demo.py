"""``cisdl-bench demo``."""

import os
import time
from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli.progress import Bars


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("cisdl-demo"),
    show_default=True,
    metavar="DIR",
    help="Where everything goes.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    help="Processes. Default: all cores.",
)
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
        "cisdl-bench score DMAC-adv.pth",
        "cisdl-bench table cisdl-scores/DMAC-adv --layout paper-2 --published -o table2.tex",
        "cisdl-bench report cisdl-scores/DMAC-adv -o report.html",
    ):
        click.echo(f"  {line}")
