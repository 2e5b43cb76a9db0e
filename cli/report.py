"""``cisdl-bench report``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared


@click.command()
@shared.runs
@shared.out("FILE", "The page to write.", default=Path("report.html"))
@click.option("--title", default="cisdl-bench report", show_default=True)
@click.option(
    "--worst",
    type=click.IntRange(0, 500),
    default=24,
    show_default=True,
    metavar="N",
    help="How many of the worst answers of each method are shown.",
)
@shared.data("Where the pairs are. Default: where they were scored.")
@click.pass_obj
def report(
    settings: dict[str, Any],
    /,
    runs: tuple[Path, ...],
    out: Path,
    title: str,
    worst: int,
    data: Path | None,
) -> None:
    """Write one self-contained page about scoring runs.

    The best method on each set, by which commands, versions and hashes; figures and sortable tables
    with intervals and the paper's rows; in which ranges a method breaks; its worst answers with
    both masks. A RUN that `train` wrote adds its growth curves. The page needs no network.

    \b
    Examples:
      cisdl-bench report cisdl-scores/sift-ransac cisdl-scores/model -o report.html
      cisdl-bench report cisdl-scores/dmac cisdl-training/dmac -o dmac.html
    """
    from cisdl_bench.report.page import page
    from cisdl_bench.store.atomic import write_whole

    text = page(runs, out, Bars(settings["quiet"]), title=title, worst=worst, data=data)
    write_whole(out, text.encode("utf-8", "backslashreplace"))
    click.echo(f"{out}: {len(text) / 1e6:.1f} MB")
