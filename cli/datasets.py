"""``cisdl-bench datasets``."""

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.cli.sections import command, option
from cisdl_bench.strict_json import json_text

if TYPE_CHECKING:
    from cisdl_bench.adapters.datasets import DataSet, DataSetCheck

_FIRST = 5  # faults that are shown of each list


@command()
@click.argument("name", required=False)
@option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Check the data set that lies there: every file is looked for and decoded.",
)
@option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where its pictures lie, with --data. Default: in the data set's folder.",
)
@shared.as_json
@click.pass_context
def datasets(
    ctx: click.Context, name: str | None, data: Path | None, images: Path | None, as_json: bool
) -> None:
    """List the data sets of other people that can be read, show NAME, or check it on disk.

    With each its source, its licence, where to get it, which masks are known, and the folder that
    is expected. `score --data` takes them as they are. With --data the exit code is 1 where pairs
    cannot be used.

    \b
    Examples:
      cisdl-bench datasets
      cisdl-bench datasets biofors
      cisdl-bench datasets defacto --data defacto --images coco2014
    """
    from cisdl_bench.adapters.datasets import check_data_set, find_data_set, list_data_sets
    from cisdl_bench.adapters.options import ListOptions

    if data is None:
        if images is not None:
            raise click.UsageError("--images goes with --data.")
        shown = [find_data_set(name)] if name else list_data_sets()
        if as_json:
            click.echo(json_text([_as_dict(data_set) for data_set in shown]))
            return
        for data_set in shown:
            click.echo(_describe(data_set, with_use=name is not None))
        return
    if name is None:
        raise click.UsageError("name the data set that is checked, such as biofors.")
    bars = Bars(ctx.obj["quiet"])
    checks = check_data_set(name, data, ListOptions(images), bars)
    if as_json:
        click.echo(json_text([_check_as_dict(check) for check in checks]))
    for check in () if as_json else checks:
        click.echo(_describe_check(check))
    for check in checks:
        for number, reason in list(check.faults.items())[:_FIRST]:
            click.echo(f"{check.name}: pair {number}: {reason}", err=True)
        if len(check.faults) > _FIRST:
            click.echo(f"{check.name}: and {len(check.faults) - _FIRST:,} more", err=True)
    ctx.exit(int(any(check.faults for check in checks)))


def _as_dict(data_set: "DataSet") -> dict[str, Any]:
    from msgspec.structs import asdict

    return asdict(data_set)


def _check_as_dict(check: "DataSetCheck") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(check), "reasons": check.reasons}


def _describe(data_set: "DataSet", *, with_use: bool) -> str:
    pairs = ""
    if data_set.pairs is not None:
        words = [data_set.counted] if data_set.counted == "about" else []
        words += [f"{data_set.pairs:,}", data_set.counted if not words else "", "pairs"]
        pairs = " ".join(word for word in words if word).removesuffix(" pairs")
        pairs = pairs if "pairs" in pairs else f"{pairs} pairs"
    facts = {
        "pairs": pairs,
        "masks": data_set.masks,
        "source": data_set.source,
        "licence": data_set.licence or "see the authors' page",
        "get it": data_set.get,
        "score it": data_set.use if with_use else "",
    }
    if data_set.name == "plain":
        facts["licence"] = ""
    lines = [f"{data_set.name}: {data_set.title}"]
    lines += [f"  {key:8}  {value}" for key, value in facts.items() if value]
    return "\n".join([*lines, indent(data_set.layout.strip("\n"), " " * 4), ""])


def _describe_check(check: "DataSetCheck") -> str:
    state = "all can be used"
    if check.faults:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in check.reasons.items())
        state = f"{len(check.faults):,} cannot be used ({kinds}); {check.missing:,} files missing"
    return (
        f"{check.name}: {check.pairs:,} pairs, {check.positive:,} positive, {check.negative:,} "
        f"negative; {check.masks:,} of {2 * check.pairs:,} true masks known; {state}"
    )
