"""``cisdl-bench specs``."""

from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.group(invoke_without_command=True)
@shared.as_json
@click.pass_context
def specs(ctx: click.Context, as_json: bool) -> None:
    """List the sets that can be generated.

    \b
    Examples:
      cisdl-bench specs
      cisdl-bench specs show rotation
      cisdl-bench specs show rotation > mine.toml   # edit it, then: generate --set mine.toml
    """
    if ctx.invoked_subcommand:
        return
    from cisdl_bench.specs import load_spec, spec_names

    known: list[Any] = [load_spec(name) for name in spec_names()]
    if as_json:
        click.echo(json_text([spec.as_dict() for spec in known]))
        return
    for spec in known:
        sets = len(spec.difficulties)
        size = f"{sets} x {spec.pairs:,} pairs" if sets > 1 else f"{spec.pairs:,} pairs"
        click.echo(f"{spec.full_name:22} {size:17} {spec.size} px  {spec.title}")


@specs.command()
@click.argument("name")
def show(name: str) -> None:
    """Print one set's description, TOML.

    \b
    Example:
      cisdl-bench specs show release/scale
    """
    from cisdl_bench.specs import load_spec, spec_text

    load_spec(name)
    click.echo(spec_text(name), nl=False)
