"""``cisdl-bench info``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.errors import StoreError
from cisdl_bench.strict_json import json_text


@click.command()
@shared.folder("DIR")
@click.option(
    "--parameters",
    is_flag=True,
    help="Write every composite's parameters as CSV, which `generate --recipe` reads.",
)
@shared.out("FILE", "Write there instead of to stdout.")
@shared.as_json
def info(folder: Path, parameters: bool, out: Path | None, as_json: bool) -> None:
    """Count and describe a set, or write its parameters as CSV.

    \b
    Examples:
      cisdl-bench info cisdl-data
      cisdl-bench info cisdl-data/rotation-difficult --parameters -o rotation.csv
    """
    from cisdl_bench.store.atomic import write_whole
    from cisdl_bench.store.sets import find_sets
    from cisdl_bench.store.summary import parameter_lines, summarise

    sets = find_sets(folder)
    if parameters:
        if len(sets) > 1:
            raise StoreError.expected(
                folder, "one set with --parameters", f"{len(sets)}", f"Name one, such as {sets[0]}"
            )
        text = "\n".join(parameter_lines(sets[0])) + "\n"
    elif as_json:
        text = json_text([summarise(path) for path in sets]) + "\n"
    else:
        text = "\n".join(_described(path, summarise(path)) for path in sets)
    if out:
        write_whole(out, text.encode("utf-8", "backslashreplace"))
    else:
        click.echo(text, nl=False)


def _described(path: Path, summary: dict[str, Any]) -> str:
    if "seed" not in summary["request"]:
        return _listed(path, summary)
    counts, request = summary["counts"], summary["request"]
    lines = [
        f"{path}: {counts['pairs']:,} pairs of {summary['size']} px from "
        f"{counts['composites']:,} composites, {summary['bytes'] / 1e6:.1f} MB "
        f"in {summary['shards']} shards",
        f"  spec         {request['spec']} version {request['spec_version']}, seed "
        f"{request['seed']}",
        f"  source       {summary['source']['name']} {summary['source']['sha256'][:12]}, "
        f"{summary['source']['pictures']:,} pictures, {summary['source']['instances']:,} instances",
        *_said(summary["source"]),
        f"  fingerprint  {summary['fingerprint']}",
        f"  kinds        {_counted(counts['kinds'])}",
        f"  classes      {_counted(counts['difficulties'])}",
        f"  candidates   {counts['candidates']:,}; refused: {_counted(counts['refused'])}",
        f"  pictures     cannot be used: {_counted(counts['unusable_pictures'])}",
        f"  annotations  {_counted(summary['source']['skipped'])}",
        *[f"  note         {note}" for note in summary["notes"]],
    ]
    return "\n".join([*lines, *_bars(summary)]) + "\n"


def _said(source: dict[str, Any]) -> Iterator[str]:
    """Yield what the annotation file says of its own data."""
    for key in ("description", "version", "licence"):
        if source[key]:
            yield f"  {key:12} {source[key]}"


def _bars(summary: dict[str, Any]) -> Iterator[str]:
    levels = "▁▂▃▄▅▆▇█"
    try:
        levels.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        levels = " .:-=+*#"
    for name, histogram in summary["histograms"].items():
        edges, most = histogram["edges"], max(histogram["counts"])
        bars = "".join(levels[round(7 * n / most)] for n in histogram["counts"])
        yield f"  {name:16} {edges[0]:9.3f} {bars} {edges[-1]:.3f}"


def _listed(path: Path, summary: dict[str, Any]) -> str:
    """Describe an imported set."""
    counts, source = summary["counts"], summary["source"]
    lines = [
        f"{path}: {counts['pairs']:,} pairs of {summary['size']} px, imported, "
        f"{summary['bytes'] / 1e6:.1f} MB in {summary['shards']} shards",
        f"  list         {source['list']}, format {source['format']}, {source['whole']:,} pairs",
        f"  fingerprint  {summary['fingerprint']}",
        f"  kinds        {_counted(counts['kinds'])}",
        f"  left out     {counts['left_out']:,}, see skipped.csv",
        *[f"  note         {note}" for note in summary["notes"]],
    ]
    return "\n".join([*lines, *_bars(summary)]) + "\n"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "none"
