"""``cisdl-bench preview``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared


@click.command()
@shared.folder("DATA")
@shared.out("FILE", "The picture to write.", default=Path("sheet.png"))
@click.option(
    "--count", type=click.IntRange(1, 400), default=24, show_default=True, help="How many pairs."
)
@click.option(
    "--columns",
    type=click.IntRange(1, 20),
    default=4,
    show_default=True,
    help="How many pairs a row.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Another seed chooses other pairs.",
)
@shared.lists
@click.pass_obj
def preview(
    settings: dict[str, Any],
    /,
    folder: Path,
    out: Path,
    count: int,
    columns: int,
    seed: int,
    **lists: Any,
) -> None:
    """Draw a contact sheet of pairs: probe left, donor right, masks outlined.

    DATA is a set, or a list of other people's pairs.

    \b
    Example:
      cisdl-bench preview cisdl-data/rotation-difficult -o sheet.png
    """
    from cisdl_bench.adapters.options import ListOptions
    from cisdl_bench.pair_sources import open_one
    from cisdl_bench.report.sheet import draw_sheet, save_sheet

    pairs = open_one(folder, ListOptions(**lists), Bars(settings["quiet"]))
    sheet = draw_sheet(pairs, count, columns, seed)
    save_sheet(sheet, out)
    click.echo(f"{out}: {sheet.width} x {sheet.height} px")
