"""``cisdl-bench preview``."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("sheet.png"),
    show_default=True,
    metavar="FILE",
    help="The picture to write.",
)
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
def preview(folder: Path, output: Path, count: int, columns: int, seed: int) -> None:
    """Draw a contact sheet of pairs: donor left, probe right, masks outlined.

    \b
    Example:
      cisdl-bench preview cisdl-data/rotation-difficult -o sheet.png
    """
    from cisdl_bench.report.sheet import draw_sheet, save_sheet
    from cisdl_bench.store.reader import open_pairs

    sheet = draw_sheet(open_pairs(folder), count, columns, seed)
    save_sheet(sheet, output)
    click.echo(f"{output}: {sheet.width} x {sheet.height} px")
