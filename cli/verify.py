"""``cisdl-bench verify``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli.progress import Bars


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.pass_context
def verify(ctx: click.Context, folder: Path) -> None:
    """Check sets on disk: structure, hashes, fingerprint.

    DIR is a set or a folder of sets. Exits with 1 and says which shard is bad where one is.

    \b
    Example:
      cisdl-bench verify cisdl-data
    """
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
