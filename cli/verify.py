"""``cisdl-bench verify``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@shared.folder("DIR")
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="DIR is a submission to NIST's splice task, and this is the index that it answers.",
)
@click.option("--ncid", metavar="WORD", help="The challenge. Default: the index's, such as MFC18.")
@shared.as_json
@click.pass_context
def verify(
    ctx: click.Context, folder: Path, index: Path | None, ncid: str | None, as_json: bool
) -> None:
    """Check sets on disk: structure, hashes, fingerprint; or a submission to NIST.

    DIR is a set or a folder of sets. Exits with 1 and says which shard is bad where one is.

    \b
    Examples:
      cisdl-bench verify cisdl-data
      cisdl-bench verify ACME_MFC18_Dev_Splice_ImgOnly_p-sift_1 --index MFC18_Dev-splice-index.csv
    """
    if index is not None:
        ctx.exit(_submission(folder, index, ncid, as_json))
    from cisdl_bench.store.sets import find_sets, read_manifest
    from cisdl_bench.store.verify import verify_set

    settings: dict[str, Any] = ctx.obj
    bars = Bars(settings["quiet"])
    reports, checked = [], set[Path]()
    for path in find_sets(folder):
        counts = read_manifest(path, finished=False).get("counts")
        known = counts.get("pairs") if isinstance(counts, dict) else None
        bars.start("pairs", known if isinstance(known, int) else 0)
        problems = verify_set(path, checked, bars.advance)
        bars.stop()
        reports.append({"path": str(path), "problems": problems})
        for problem in problems:
            click.echo(problem, err=True)
        if not problems and not as_json:
            manifest = read_manifest(path)
            n, fingerprint = manifest["counts"]["pairs"], manifest["fingerprint"]
            click.echo(f"{path}: sound, {n:,} pairs, fingerprint {fingerprint}")
    if as_json:
        click.echo(json_text(reports))
    ctx.exit(int(any(report["problems"] for report in reports)))


def _submission(folder: Path, index: Path, ncid: str | None, as_json: bool) -> int:
    from cisdl_bench.nist.submission import check_submission

    table = folder if folder.is_file() else folder / f"{folder.absolute().name}.csv"
    problems = check_submission(table, index, ncid)
    for problem in problems:
        click.echo(problem, err=True)
    if as_json:
        click.echo(json_text([{"path": str(table), "problems": problems}]))
    elif not problems:
        click.echo(f"{table}: a valid submission")
    return int(bool(problems))
