"""``cisdl-bench fetch``."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from cisdl_bench.cli.progress import Bars


@click.command()
@click.argument("what", type=click.Choice(["coco2014", "vgg16"]))
@click.option("--val-only", is_flag=True, help="Of COCO, only what the test sets need.")
@click.option(
    "-o",
    "--out",
    "--into",
    "into",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to put it. Default: ./coco2014 or ./vgg16.",
)
@click.option("--mirror", metavar="URL", help="Another address of the same files.")
@click.option("--keep-archives", is_flag=True, help="Keep the ZIP files after unpacking.")
@click.pass_obj
def fetch(
    settings: dict[str, Any],
    what: str,
    val_only: bool,
    into: Path | None,
    mirror: str | None,
    keep_archives: bool,
) -> None:
    """Download COCO 2014 (20 GB; 7 GB with --val-only) or VGG-16's weights.

    The same command resumes an interrupted download; sizes and SHA-256 are checked.

    \b
    Examples:
      cisdl-bench fetch coco2014 --val-only
      cisdl-bench fetch coco2014 --into /data/coco2014
      cisdl-bench fetch vgg16
    """
    from cisdl_bench.sources.fetch import downloads, fetch_file
    from cisdl_bench.store.atomic import locked

    base_url, remote_files = downloads(what)
    folder = into or Path(what)
    bars = Bars(settings["quiet"])
    with locked(folder):
        for remote in remote_files:
            if not (val_only and remote.train_only):
                target = fetch_file(remote, mirror or base_url, folder, bars, keep=keep_archives)
                click.echo(f"{target}: complete")
    if what == "coco2014":
        bars.say(f"next: cisdl-bench generate --set all --coco {quote(str(folder))}")
