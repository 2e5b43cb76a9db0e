"""``cisdl-bench env``."""

from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@shared.as_json
def env(as_json: bool) -> None:
    """Say what this machine has: versions, devices, where COCO and weights are found.

    \b
    Example:
      cisdl-bench env
    """
    from cisdl_bench.environment import find_environment

    environment = find_environment()
    if as_json:
        click.echo(json_text(environment))
        return
    for heading, values in environment.items():
        click.echo(heading)
        for name, value in values.items():
            click.echo(f"  {name:24} {_worded(value)}")


def _worded(value: Any) -> str:
    return "not found" if value is None else str(value)
