"""``cisdl-bench export``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared


@click.command()
@shared.folder("DIR")
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["pairs-h5", "release", "webdataset"]),
    help="pairs-h5: whole arrays in one HDF5 file; release: the DMAC authors' folder "
    "and CSV; webdataset: tar files.",
)
@shared.out("PATH", "File or folder to write. Default: beside DIR, named by the format.")
@click.pass_obj
def export(settings: dict[str, Any], folder: Path, form: str, out: Path | None) -> None:
    """Write a set in another format.

    \b
    Examples:
      cisdl-bench export cisdl-data/rotation-difficult --format release -o rotation-release
      cisdl-bench export cisdl-data/rotation-difficult --format pairs-h5 -o rotation.h5
    """
    from cisdl_bench.store.export import export as write
    from cisdl_bench.store.opening import open_set

    pairs = open_set(folder)
    ending = ".h5" if form == "pairs-h5" else f"-{form}"
    target = out or folder.absolute().parent / f"{folder.absolute().name}{ending}"
    bars = Bars(settings["quiet"])
    bars.start("pairs", len(pairs))
    write(pairs, target, form, bars.advance)
    bars.stop()
    click.echo(f"{target}: {len(pairs):,} pairs")
