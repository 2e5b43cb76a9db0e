"""``cisdl-bench import``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.folders import DATA, data_folder
from cisdl_bench.strict_json import json_text


@click.command("import")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LIST...")
@shared.out(
    "DIR",
    f"The folder of sets; each list becomes one there. Default: {DATA}, or cisdl-data.",
    default=data_folder,
)
@shared.sets("Only lists of this name.")
@shared.lists
@shared.jobs
@shared.engine
@click.option("--overwrite", is_flag=True, help="Replace a set of that name.")
@shared.as_json
@click.pass_obj
def import_(
    settings: dict[str, Any],
    /,
    data: tuple[Path, ...],
    out: Path,
    sets: tuple[str, ...],
    jobs: int,
    backend: str,
    scheduler: str | None,
    overwrite: bool,
    as_json: bool,
    **lists: Any,
) -> None:
    """Turn other people's pairs into a set of shards.

    LIST is a plain CSV (probe,donor[,label,probe_mask,donor_mask]), one of the DMAC authors'
    released lists, paired CASIA's, NIST's index, a folder of these, or a data set that
    `cisdl-bench datasets` lists. `score --data` takes them as they are; a set is read faster, by
    training too.

    \b
    Examples:
      cisdl-bench import pairs.csv
      cisdl-bench import paired_CASIA_ids.csv --images CASIA2
    """
    from cisdl_bench.adapters.options import ListOptions
    from cisdl_bench.engine import engine
    from cisdl_bench.errors import SourceError
    from cisdl_bench.pair_sources import open_chosen
    from cisdl_bench.store.importing import import_pairs

    bars, manifests = Bars(settings["quiet"]), []
    for pairs in open_chosen(data, sets, ListOptions(**lists), bars):
        if pairs.stored:
            raise SourceError(f"{pairs.name} is a set already. Score it as it is.")
        with engine(backend, scheduler, bars.say):
            manifest = import_pairs(pairs, out, bars, jobs=jobs, overwrite=overwrite)
        for note in manifest["notes"]:
            bars.say(f"note: {note}")
        manifests.append(manifest)
        if as_json:
            continue
        n, fingerprint = manifest["counts"]["pairs"], manifest["fingerprint"]
        click.echo(f"{out / pairs.name}: {n:,} pairs, fingerprint {fingerprint}")
    if as_json:
        click.echo(json_text(manifests))
