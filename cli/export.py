"""``cisdl-bench export``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.cli.sections import command


@command()
@shared.folder("DIR")
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["pairs-h5", "release", "webdataset", "dmac-train"]),
    help="pairs-h5: whole arrays in one HDF5 file; release: the DMAC authors' folder "
    "and CSV; webdataset: tar files; dmac-train: the tree that their training code reads.",
)
@click.option(
    "--picture-format",
    type=click.Choice(["jpg", "png"]),
    help="Of dmac-train's pictures; its masks are PNG. Default: jpg, as the authors have it.",
)
@click.option(
    "--jpeg-quality",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Of dmac-train's JPEG pictures. Default: 75, as MATLAB writes them.",
)
@shared.jobs
@shared.out("PATH", "File or folder to write. Default: beside DIR, named by the format.")
@click.pass_obj
def export(
    settings: dict[str, Any],
    /,
    folder: Path,
    form: str,
    picture_format: str | None,
    jpeg_quality: int | None,
    jobs: int,
    out: Path | None,
) -> None:
    """Write a set in another format.

    \b
    Examples:
      cisdl-bench export cisdl-data/rotation-difficult --format release -o rotation-release
      cisdl-bench export cisdl-data/rotation-difficult --format pairs-h5 -o rotation.h5
      cisdl-bench export cisdl-data/training --format dmac-train -o dataprepare1
    """
    for name, value in (("picture-format", picture_format), ("jpeg-quality", jpeg_quality)):
        if value is not None and form != "dmac-train":
            raise click.UsageError(f"--{name} is for --format dmac-train.")
    if jpeg_quality is not None and picture_format == "png":
        raise click.UsageError("--jpeg-quality is for --picture-format jpg.")
    from cisdl_bench.store.export import export as write
    from cisdl_bench.store.opening import open_set

    pairs = open_set(folder)
    ending = ".h5" if form == "pairs-h5" else f"-{form}"
    target = out or folder.absolute().parent / f"{folder.absolute().name}{ending}"
    bars = Bars(settings["quiet"])
    if form == "dmac-train":
        from cisdl_bench.store.export_dmac import PictureFormat, export_dmac_train

        pictures = PictureFormat(picture_format or "jpg", jpeg_quality or PictureFormat.quality)
        export_dmac_train(pairs, target, bars, pictures, jobs)
        click.echo(f"{target}: {len(pairs):,} pairs, nine lists in DMAC-COCO/*/labelfiles")
        return
    bars.start("pairs", len(pairs))
    write(pairs, target, form, bars.advance)
    bars.stop()
    click.echo(f"{target}: {len(pairs):,} pairs")
