"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli.sections import option
from cisdl_bench.folders import data_folder, find_named, scores_folder

#: Headings of options that several commands share.
WHERE, LISTS, WRITES = "Where it runs", "Other people's lists", "What is written"
PICKS = "Which pairs"

device = option(
    "--device",
    default="auto",
    show_default=True,
    metavar="WORD",
    section=WHERE,
    help="auto (a GPU where there is one), cpu, cuda or cuda:N.",
)


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())  # of this process's share: affinity and containers count


jobs = option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=_cores,
    metavar="N",
    section=WHERE,
    help="Worker processes; the result does not depend on it. Default: all cores that this "
    "process may use.",
)

seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
precision = option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    section=WHERE,
    help="bf16: autocast; weights and losses stay float32.",
)
compiled = option(
    "--compile", "compile", is_flag=True, section=WHERE, help="Compile the networks first."
)
coco = option(
    "--coco",
    type=click.Path(path_type=Path),
    metavar="DIR",
    section=PICKS,
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


def _find_runs(
    context: click.Context, parameter: click.Parameter, value: tuple[Path, ...]
) -> tuple[Path, ...]:
    return tuple(find_named(path, scores_folder()) for path in value)


#: Folders of results, or their names in the folder of scores.
runs = click.argument(
    "runs",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN...",
    callback=_find_runs,
)


def _find_run(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    return find_named(value, scores_folder())


def run(name: str) -> Callable[..., Any]:
    """Return the argument that is one folder of results, or its name in the folder of scores.

    Args:
        name: Name of the argument.
    """
    return click.argument(name, type=click.Path(path_type=Path), callback=_find_run)


def _find_set(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    return find_named(value, data_folder())


def folder(metavar: str) -> Callable[..., Any]:
    """Return the argument that is a set's folder, or its name in the folder of data.

    Args:
        metavar: Word for the value in the help.
    """
    kind = click.Path(path_type=Path)
    return click.argument("folder", type=kind, metavar=metavar, callback=_find_set)


def sets(purpose: str, metavar: str = "NAME") -> Callable[..., Any]:
    """Return the option that chooses sets by name.

    Args:
        purpose: Use of the names, sentences of the help.
        metavar: Word for the value in the help.
    """
    return option(
        "-s", "--set", "sets", multiple=True, metavar=metavar, section=PICKS, help=purpose
    )


def data(purpose: str, *, multiple: bool = False) -> Callable[..., Any]:
    """Return the option that says where pairs are.

    Args:
        purpose: Use of the path, sentences of the help.
        multiple: Whether it may be repeated.
    """
    return option(
        "-d",
        "--data",
        type=click.Path(path_type=Path),
        multiple=multiple,
        metavar="DIR",
        section=PICKS,
        help=purpose,
    )


as_json = option(
    "--json", "as_json", is_flag=True, section=WRITES, help="Print the result as JSON."
)


def out(
    metavar: str, purpose: str, default: Path | Callable[[], Path] | None = None
) -> Callable[..., Any]:
    """Return the option that names what a command writes.

    Args:
        metavar: Word for the value in the help: ``FILE``, ``DIR`` or ``PATH``.
        purpose: Use of the path, sentences of the help.
        default: Path that is written where the user names none; None: the command decides.
    """
    return option(
        "-o",
        "--out",
        "--output",
        "out",
        type=click.Path(path_type=Path),
        default=default,
        show_default=isinstance(default, Path),
        metavar=metavar,
        section=WRITES,
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
    option(
        "--backend",
        type=click.Choice(["local", "dask"]),
        default="local",
        show_default=True,
        section=WHERE,
        help="Where work runs: processes of this machine, or a Dask cluster that sees the same "
        "folders.",
    ),
    option(
        "--scheduler",
        metavar="ADDRESS",
        section=WHERE,
        help="Of Dask's scheduler, such as tcp://node1:8786.",
    ),
)


def engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where parallel work runs."""
    for add in reversed(_ENGINE):
        command = add(command)
    return command


_LISTS = (
    option(
        "--images",
        type=click.Path(path_type=Path),
        metavar="DIR",
        section=LISTS,
        help="Where their pictures lie. Default: the list's folder, NIST's above it.",
    ),
    option(
        "--reference",
        type=click.Path(path_type=Path),
        metavar="FILE",
        section=LISTS,
        help="NIST's reference. Default: reference/splice/ beside `indexes`.",
    ),
    option(
        "--size",
        type=click.IntRange(min=32),
        default=256,
        show_default=True,
        metavar="PX",
        section=LISTS,
        help="The canvas that pictures are resized to.",
    ),
    option(
        "--skip-unusable",
        is_flag=True,
        section=LISTS,
        help="Leave out pairs whose files are missing or cannot be read, and count them.",
    ),
)


#: Names of the options of ``lists``: fields of ``adapters.options.ListOptions``.
LIST_OPTIONS = ("images", "reference", "size", "skip_unusable")


def lists(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how lists of other people's pairs are read."""
    for add in reversed(_LISTS):
        command = add(command)
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
