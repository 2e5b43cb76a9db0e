"""``cisdl-bench generate``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.cli.run_log import echo, keep_log
from cisdl_bench.cli.sections import command, option
from cisdl_bench.errors import CisdlError
from cisdl_bench.folders import DATA, data_folder
from cisdl_bench.strict_json import json_text


@command()
@shared.sets(
    "A set that `cisdl-bench specs` lists, one of its difficulties such as rotation-hard, or "
    "a .toml file of your own; "
    "`all` means the paper's seven test sets. May be repeated.",
    metavar="NAME|FILE",
)
@option(
    "--difficulty",
    "difficulties",
    multiple=True,
    metavar="WORD",
    section=shared.PICKS,
    help="difficult (or hard), normal (or medi), easy or all. May be repeated. Default: all.",
)
@option(
    "--pairs",
    type=click.IntRange(min=1),
    section=shared.PICKS,
    help="Pairs of each set. Default: the set's.",
)
@option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    section=shared.PICKS,
    help="Another seed gives another set of the same kind.",
)
@shared.coco
@option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    section=shared.PICKS,
    help="Build a set again from the table that `info --parameters` wrote.",
)
@shared.jobs
@shared.engine
@shared.out(
    "DIR", f"Where the sets are written. Default: {DATA}, or cisdl-data.", default=data_folder
)
@option(
    "--resume/--overwrite",
    default=True,
    section=shared.WRITES,
    help="Resume an interrupted run (default), or make the sets again.",
)
@option(
    "--dry-run",
    is_flag=True,
    section=shared.WRITES,
    help="Say what would be written, how much, how long.",
)
@shared.as_json
@click.pass_obj
def generate(
    settings: dict[str, Any],
    sets: tuple[str, ...],
    difficulties: tuple[str, ...],
    recipe: Path | None,
    coco: Path | None,
    out: Path,
    pairs: int | None,
    seed: int,
    jobs: int,
    backend: str,
    scheduler: str | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make test sets or the training set from photographs with instance masks.

    \b
    Examples:
      cisdl-bench generate --set rotation --difficulty hard
      cisdl-bench generate --set all --coco coco2014
      cisdl-bench generate --set training --coco coco2014 --jobs 16
      cisdl-bench generate --set all --pairs 200 --dry-run
      cisdl-bench generate --set training --backend dask --scheduler tcp://node1:8786
    """
    from cisdl_bench.engine import engine
    from cisdl_bench.generation.jobs import make_recipe_job, make_set_jobs
    from cisdl_bench.generation.run import make_sets
    from cisdl_bench.sources.find import split_opener
    from cisdl_bench.store.folder import DataFolder

    if bool(sets) == (recipe is not None):
        raise click.UsageError("give --set NAME (see `cisdl-bench specs`) or --recipe FILE.csv")
    bars = Bars(settings["quiet"])
    open_split = split_opener(coco, out, bars)
    fingerprint = None
    if recipe is not None:
        set_job, fingerprint = make_recipe_job(recipe, open_split)
        set_jobs = [set_job]
    else:
        set_jobs = make_set_jobs(sets, difficulties, open_split, seed=seed, pairs=pairs)
    if dry_run:
        _show_estimate(set_jobs, jobs, out, as_json)
        return
    keep_log(out, "generate")
    with engine(backend, scheduler, bars.say):
        manifests = make_sets(set_jobs, DataFolder(out), bars, jobs=jobs, overwrite=not resume)
    _say_skipped(manifests, bars, settings["verbose"])
    if as_json:
        click.echo(json_text(manifests))
    else:
        for set_job, manifest in zip(set_jobs, manifests, strict=True):
            n = manifest["counts"]["pairs"]
            echo(f"{out / set_job.folder}: {n:,} pairs, fingerprint {manifest['fingerprint']}")
    if fingerprint is not None and manifests[0]["fingerprint"] != fingerprint:
        raise CisdlError.expected(
            out / set_jobs[0].folder,
            f"the recipe's fingerprint {fingerprint}",
            manifests[0]["fingerprint"],
            "Its pictures, or the versions in its manifest, are not those of the recipe",
        )


def _say_skipped(manifests: list[dict[str, Any]], bars: Bars, verbose: int) -> None:
    """Say what of each source was not used; with -v, what of each set was refused."""
    told = set()
    for manifest in manifests:
        source, counts = manifest["source"], manifest["counts"]
        unused = {**source["skipped"], **counts["unusable_pictures"]}
        line = ", ".join(f"{reason}: {n}" for reason, n in unused.items() if n)
        if line and line not in told:
            bars.say(f"skipped of {source['name']}, see skipped.csv: {line}")
        told.add(line)
        if verbose:
            refused = ", ".join(f"{reason}: {n}" for reason, n in counts["refused"].items())
            bars.say(f"{manifest['name']}: of {counts['candidates']} candidates refused {refused}")


def _show_estimate(set_jobs: Any, jobs: int, out: Path, as_json: bool) -> None:
    import shutil
    from dataclasses import asdict

    from cisdl_bench.generation.estimate import estimate

    total = estimate(set_jobs, jobs)
    if as_json:
        click.echo(json_text({**asdict(total), "bytes": total.bytes}))
        return
    for each in total.sets:
        size = each.set_bytes / 1e9
        click.echo(f"{out / each.folder}: {each.pairs:,} pairs, about {size:.2f} GB")
    pictures = f"{total.pictures:,} pictures, about {total.picture_bytes / 1e9:.2f} GB"
    click.echo(f"{out / 'pictures'}: {pictures}")
    parent = next(path for path in (out, *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(parent).free / 1e9
    click.echo(
        f"in all about {total.bytes / 1e9:.2f} GB ({free:.1f} GB free) and "
        f"{total.seconds / 60:.1f} minutes with {jobs} workers; nothing was written"
    )
