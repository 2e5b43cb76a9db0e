"""``cisdl-bench plot``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.report.figure import describe_figures

_FIGURES = describe_figures()
_LINES = "\n".join(f"{name:11} {line}" for name, line in _FIGURES.items())
_HELP = f"""Draw a figure of scoring runs, or of a training run.

\b
{_LINES}

\b
Examples:
  cisdl-bench plot pairs cisdl-scores/sift-ransac cisdl-scores/model --set rotation-easy
  cisdl-bench plot parameters cisdl-scores/* --metric mcc -o where.pdf
  cisdl-bench plot growth cisdl-training/dmac --published DMVN -o figure6.pdf
"""


def _check_parameters(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Return names of parameters; their table is read when one is named."""
    if values:
        from cisdl_bench.report.figures.parameters import PARAMETERS

        for value in values:
            if value not in PARAMETERS:
                raise click.BadParameter(f"{value!r} is not one of {', '.join(PARAMETERS)}.")
    return values


@click.command(help=_HELP)
@click.argument("kind", type=click.Choice(list(_FIGURES)))
@shared.runs
@shared.out("FILE", "PNG, PDF, SVG or PGF by its ending. Default: KIND.png in the first RUN.")
@shared.sets("pairs, roc, det: the set, or sets of which a name begins so.")
@shared.metric("parameters, robustness, heatmap: what is drawn:")
@click.option(
    "--by",
    multiple=True,
    callback=_check_parameters,
    metavar="NAME",
    help="parameters: against what, such as area, scale, rotation, shift, luminance or width. May "
    "be repeated. Default: all that vary.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice(["mask", "share", "own"]),
    help="roc, det: the detection score, as for `table`. May be repeated.",
)
@click.option(
    "--choose",
    type=click.Choice(["spread", "worst", "median", "best", "random"]),
    default="spread",
    show_default=True,
    help="pairs: which, by the first RUN's masks; spread: best, median and worst ones.",
)
@click.option("--count", type=click.IntRange(1, 60), default=6, show_default=True, help="pairs.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="pairs: which random ones.")
@click.option("--ids", help="pairs: their numbers, such as 3,17,40.")
@shared.data("pairs: where the data are. Default: where they were scored.")
@click.option(
    "--published",
    multiple=True,
    metavar="METHOD",
    help="growth: also the published scores of a method of Table I, such as DMVN. They were "
    "measured on other pairs. May be repeated.",
)
@click.pass_obj
def plot(
    settings: dict[str, Any],
    /,
    kind: str,
    runs: tuple[Path, ...],
    out: Path | None,
    **options: Any,
) -> None:
    """Draw a figure of scoring runs, or of a training run."""
    from cisdl_bench.report.draw import check_ending, draw, save_figure
    from cisdl_bench.report.figure import FigureOptions

    target = out or runs[0] / f"{kind}.png"
    check_ending(target)
    if options["ids"]:
        try:
            options["ids"] = tuple(int(word) for word in options["ids"].split(","))
        except ValueError as error:
            raise click.BadParameter(
                "expected numbers such as 3,17,40.", param_hint="--ids"
            ) from error
    chosen = FigureOptions(**{**options, "ids": options["ids"] or ()})
    figure = draw(kind, runs, chosen, Bars(settings["quiet"]))
    save_figure(figure, target)
    click.echo(f"{target}")
