"""``cisdl-bench verify``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli.progress import Bars


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="DIR is a submission to NIST's splice task, and this is the index that it answers.",
)
@click.option("--ncid", metavar="WORD", help="The challenge. Default: the index's, such as MFC18.")
@click.pass_context
def verify(ctx: click.Context, folder: Path, index: Path | None, ncid: str | None) -> None:
    """Check sets on disk: structure, hashes, fingerprint; or a submission to NIST.

    DIR is a set or a folder of sets. Exits with 1 and says which shard is bad where one is.

    \b
    Examples:
      cisdl-bench verify cisdl-data
      cisdl-bench verify ACME_MFC18_Dev_Splice_ImgOnly_p-sift_1 --index MFC18_Dev-splice-index.csv
    """
    if index is not None:
        ctx.exit(_submission(folder, index, ncid))
    from cisdl_bench.store.sets import find_sets, read_manifest
    from cisdl_bench.store.verify import verify_set

    settings: dict[str, Any] = ctx.obj
    bars = Bars(settings["quiet"])
    bad, checked = 0, set[Path]()
    for path in find_sets(folder):
        bars.start("pairs", read_manifest(path, finished=False).get("counts", {}).get("pairs", 0))
        problems = verify_set(path, checked, bars.advance)
        bars.stop()
        bad += bool(problems)
        for problem in problems:
            click.echo(problem, err=True)
        if not problems:
            manifest = read_manifest(path)
            n, fingerprint = manifest["counts"]["pairs"], manifest["fingerprint"]
            click.echo(f"{path}: sound, {n:,} pairs, fingerprint {fingerprint}")
    ctx.exit(1 if bad else 0)


def _submission(folder: Path, index: Path, ncid: str | None) -> int:
    from cisdl_bench.adapters.submission import check_submission

    table = folder if folder.is_file() else folder / f"{folder.absolute().name}.csv"
    problems = check_submission(table, index, ncid)
    for problem in problems:
        click.echo(problem, err=True)
    if not problems:
        click.echo(f"{table}: a valid submission")
    return int(bool(problems))
