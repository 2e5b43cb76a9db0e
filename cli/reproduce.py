"""``cisdl-bench reproduce``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.reproduce.targets import describe_targets

_LINES = "\n".join(f"{name:9} {title}" for name, title in describe_targets().items())
_HELP = f"""Reproduce a published table or figure: sets, training, scores, and a verdict row by row.

\b
{_LINES}

Says first what it will take. Killed anywhere, the same command goes on; several targets share what
they have in common. TARGET may be a .toml file of your own.

\b
Examples:
  cisdl-bench reproduce table-2 --coco coco2014 --dry-run
  cisdl-bench reproduce table-1 --coco coco2014 --init vgg16/vgg16-397923af.pth --rows dmac,dmac-adv
  cisdl-bench reproduce table-2 --coco coco2014 --rows dmac-adv --model dmac-adv=DMAC-adv.pth
  cisdl-bench reproduce fig-6 --pairs 20 --init he
"""


def _split_words(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the words of a list with commas, which may be repeated."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def _split_models(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Return files by the names that stand before the equals sign."""
    models = {}
    for value in values:
        name, equals, file = value.partition("=")
        if not (name and equals and file):
            raise click.BadParameter(f"{value!r} is not NAME=FILE, such as dmvn=dmvn.h5.")
        models[name] = Path(file)
    return models


@click.command(help=_HELP)
@click.argument("target")
@shared.out("DIR", "Where everything goes.", default=Path("cisdl-reproduce"))
@shared.coco
@click.option(
    "--rows",
    multiple=True,
    callback=_split_words,
    metavar="NAMES",
    help="Only these rows, such as dmac,dmac-adv. Default: all.",
)
@click.option(
    "--init",
    metavar="FILE|he",
    help="VGG-16's published weights, see `fetch vgg16`; or the word he, to begin without them.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    callback=_split_models,
    metavar="NAME=FILE",
    help="Score a checkpoint instead of training it, such as dmac-adv=DMAC-adv.pth. May be "
    "repeated.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="table-3, table-4: the list of pairs, paired CASIA's or NIST's index, or its folder.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where that list's pictures lie. Default: the list's folder, NIST's above it.",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pairs of each test set instead of the paper's 3,000; training is scaled with them.",
)
@click.option(
    "--training-pairs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Training pairs instead of the paper's number.",
)
@shared.seed
@shared.device
@shared.precision
@shared.compiled
@shared.jobs
@click.option("--dry-run", is_flag=True, help="Say what is done, what is left, hours and GB.")
@click.pass_obj
def reproduce(
    settings: dict[str, Any],
    /,
    target: str,
    out: Path,
    rows: tuple[str, ...],
    dry_run: bool,
    models: dict[str, Path],
    **options: Any,
) -> None:
    """Reproduce a published table or figure; see ``_HELP``."""
    from cisdl_bench.devices import choose_device
    from cisdl_bench.reproduce.plan import make_plan
    from cisdl_bench.reproduce.run import find_stages, reproduce, show_plan
    from cisdl_bench.reproduce.settings import Choices
    from cisdl_bench.reproduce.subjects import other_names
    from cisdl_bench.reproduce.targets import choose_rows, load_target

    bars, also = Bars(settings["quiet"]), other_names()
    options["device"] = choose_device(options["device"])
    given = {also.get(name, name): file for name, file in models.items()}
    choices = Choices(**options, models=given)
    chosen = load_target(target)
    plan = make_plan(chosen, choose_rows(chosen, rows, also), out, choices, bars)
    if not dry_run:
        plan.require_all()
    for line in show_plan(plan, choices, find_stages(plan)):
        click.echo(line)
    if dry_run:
        for sentence in plan.lacking:
            click.echo(f"lacking: {sentence}")
        click.echo("nothing was made")
        return
    for line in reproduce(plan, bars):
        click.echo(line)
