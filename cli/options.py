"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="WORD",
    help="auto (a GPU where there is one), cpu, cuda or cuda:N.",
)


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())  # of this process's share: affinity and containers count


jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=_cores,
    metavar="N",
    help="Worker processes; the result does not depend on it. Default: all cores that this "
    "process may use.",
)

seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
precision = click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="bf16: autocast; weights and losses stay float32.",
)
compiled = click.option("--compile", "compile", is_flag=True, help="Compile the networks first.")
coco = click.option(
    "--coco",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="COCO folder. Default: the variable CISDL_COCO, else built-in pictures.",
)

canvas = click.option(
    "--size",
    type=click.IntRange(min=32),
    default=256,
    show_default=True,
    metavar="PX",
    help="The canvas that both pictures are resized to; masks come out at their own sizes.",
)


runs = click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN..."
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def out(metavar: str, purpose: str, default: Path | None = None) -> Callable[..., Any]:
    """Return the option that names what a command writes.

    Args:
        metavar: Word for the value in the help: ``FILE``, ``DIR`` or ``PATH``.
        purpose: Use of the path, sentences of the help.
        default: Path that is written where the user names none; None: the command decides.
    """
    return click.option(
        "-o",
        "--out",
        "--output",
        "out",
        type=click.Path(path_type=Path),
        default=default,
        show_default=default is not None,
        metavar=metavar,
        help=purpose,
    )


def _check_metric(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the name of a localization metric; their table is read when it is needed."""
    from cisdl_bench.metrics.registry import LOCALIZATION

    if value not in LOCALIZATION:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(LOCALIZATION)}.")
    return value


def metric(purpose: str) -> Callable[..., Any]:
    """Return the option that names a localization metric.

    Args:
        purpose: Use of the metric, a sentence of the help.
    """
    return click.option(
        "--metric",
        callback=_check_metric,
        default="iou",
        show_default=True,
        metavar="NAME",
        help=f"{purpose} iou, mcc, nmm, f1.",
    )


_ENGINE = (
    click.option(
        "--backend",
        type=click.Choice(["local", "dask"]),
        default="local",
        show_default=True,
        help="Where work runs: processes of this machine, or a Dask cluster that sees the same "
        "folders.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Of Dask's scheduler, such as tcp://node1:8786."
    ),
)


def engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where parallel work runs."""
    for option in reversed(_ENGINE):
        command = option(command)
    return command


_LISTS = (
    click.option(
        "--images",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Lists: where their pictures lie. Default: the list's folder, NIST's above it.",
    ),
    click.option(
        "--reference",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="NIST's reference. Default: reference/splice/ beside `indexes`.",
    ),
    click.option(
        "--size",
        type=click.IntRange(min=32),
        default=256,
        show_default=True,
        metavar="PX",
        help="Lists: the canvas that pictures are resized to.",
    ),
    click.option(
        "--skip-unusable",
        is_flag=True,
        help="Lists: leave out pairs whose files are missing or cannot be read, and count them.",
    ),
)


#: Names of the options of ``lists``: fields of ``adapters.options.ListOptions``.
LIST_OPTIONS = ("images", "reference", "size", "skip_unusable")


def lists(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how lists of other people's pairs are read."""
    for option in reversed(_LISTS):
        command = option(command)
    return command


def zones(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """Return the sides of NIST's no-score zones that a word stands for.

    Raises:
        click.BadParameter: It stands for none.
    """
    from cisdl_bench.nist.no_score import parse_zones

    try:
        return parse_zones(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
