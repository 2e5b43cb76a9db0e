"""``cisdl-bench models``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.cli.sections import command
from cisdl_bench.folders import scores_folder
from cisdl_bench.strict_json import json_text

_HEADINGS = {
    "method": "Methods that need no training",
    "matcher": "Matchers, whose pairs of points become masks",
    "shipped": "Networks of the package",
    "trained": "Trained here, in cisdl-training",
    "published": "Published weights, to be got",
}


@command()
@shared.as_json
def models(as_json: bool) -> None:
    """List what `score` and `detect` take, and where to get what is not here.

    With each its source, its licence, the size of its weights, and how many sets it was scored on
    in the folder of scores.

    \b
    Example:
      cisdl-bench models
      cisdl-bench models --json
    """
    from dataclasses import asdict

    from cisdl_bench.models.catalogue import list_models

    known = list_models(Path("cisdl-training"))
    scored = _count_scored(scores_folder())
    if as_json:
        click.echo(json_text([{**asdict(m), "scored_sets": scored.get(m.run, 0)} for m in known]))
        return
    width = max(len(model.name) for model in known)
    for kind, heading in _HEADINGS.items():
        chosen = [model for model in known if model.kind == kind]
        if chosen:
            click.echo(f"{heading}:")
        for model in chosen:
            facts = [
                model.title,
                model.source,
                f"licence: {model.licence}" if model.licence else "",
            ]
            if model.size is not None:
                facts.append(f"{model.size / 1e6:.1f} MB")
            if n := scored.get(model.run):
                facts.append(f"scored on {n} set{'s' if n > 1 else ''}")
            click.echo(f"  {model.name:{width}}  {'; '.join(fact for fact in facts if fact)}")
            if model.get:
                click.echo(f"  {'':{width}}  get it: {model.get}")


def _count_scored(folder: Path) -> dict[str, Any]:
    """Return how many sets each run of a folder has results of, by the run's name."""
    counts: dict[str, int] = {}
    for path in folder.glob("*/[!.]*/result.json"):
        counts[path.parent.parent.name] = counts.get(path.parent.parent.name, 0) + 1
    return counts
