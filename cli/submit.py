"""``cisdl-bench submit``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@click.argument("model")
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="NIST's index, such as indexes/MFC18_Dev-splice-index.csv.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What the index's names are relative to. Default: the folder above `indexes`.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NAME",
    help="The submission's folder: TEAM_NCID_DATA_Splice_CONDITION_SYSTEM_VERSION.",
)
@click.option("--ncid", metavar="WORD", help="The challenge. Default: the index's, such as MFC18.")
@shared.canvas
@shared.device
@click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Pairs a batch.")
@click.option(
    "-j",
    "--jobs",
    "--workers",
    "jobs",
    metavar="N",
    type=click.IntRange(min=0),
    help="Processes. Default: all cores for a classical method.",
)
@click.option("--overwrite", is_flag=True, help="Replace a submission of that name.")
@shared.as_json
@click.pass_obj
def submit(
    settings: dict[str, Any],
    /,
    model: str,
    index: Path,
    images: Path | None,
    out: Path,
    ncid: str | None,
    size: int,
    device: str,
    batch_size: int | None,
    jobs: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a submission to NIST's splice task, and check it.

    MODEL is what `score` takes. The name is checked before any work. A pair whose picture cannot
    be read is opted out. Check somebody's submission with `cisdl-bench verify DIR --index FILE`;
    score it with `cisdl-bench score --predictions DIR/NAME.csv --data FILE`.

    \b
    Example:
      cisdl-bench submit model.pt --index MFC18_Dev/indexes/MFC18_Dev-splice-index.csv \\
        --out ACME_MFC18_Dev_Splice_ImgOnly_p-dmac_1
    """
    from cisdl_bench.nist.submit import Request

    request = Request(index, images, out, size, ncid)
    request.check_name()
    from cisdl_bench.models.find import find_detector
    from cisdl_bench.nist.submit import submit as write
    from cisdl_bench.scoring.options import make_options

    bars = Bars(settings["quiet"])
    detector = find_detector(model)
    chosen = make_options(detector, device, bars, batch_size=batch_size, workers=jobs)
    counts = write(detector, request, chosen, bars, overwrite=overwrite)
    if as_json:
        click.echo(json_text({"path": str(request.table), **counts}))
        return
    said = ", ".join(f"{n:,} pairs {what}" for what, n in counts.items())
    click.echo(f"{request.table}: {said}; it passes the check")
