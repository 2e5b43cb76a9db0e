"""``cisdl-bench train``."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.cli.run_log import echo, keep_log
from cisdl_bench.cli.sections import command, option
from cisdl_bench.folders import DATA, data_folder
from cisdl_bench.strict_json import json_text
from cisdl_bench.training.loggers import LOGGERS

OUT = Path("cisdl-training")


_WHAT, _HOW, _WATCH = "What is trained", "How", "Watching it"


@command()
@click.argument("name", required=False)
@option(
    "--experiment",
    metavar="NAME|FILE",
    section=_WHAT,
    help="The same as NAME; or a .toml of your own.",
)
@option(
    "--list",
    "listed",
    is_flag=True,
    section=_WHAT,
    help="Name the experiments: the rows of Table I, and our own.",
)
@option(
    "--show",
    is_flag=True,
    section=_WHAT,
    help="Print the experiment's TOML, to edit and train: --show dmac > mine.toml.",
)
@shared.data(
    f"Set to learn from. May be repeated. Default: training in {DATA}, or in cisdl-data.",
    multiple=True,
)
@option(
    "--skip-unlabelled",
    is_flag=True,
    section=shared.PICKS,
    help="Leave out pairs without a label or a true mask, and count them; else they are refused.",
)
@option(
    "--init",
    "vgg",
    type=click.Path(path_type=Path),
    metavar="PATH",
    section=_HOW,
    help="VGG-16's weights or HED's: a file, or the folder that `fetch vgg16` or `fetch hed` made; "
    "of a backbone, the file that timm publishes, or `timm` to fetch it. Default: He "
    "initialisation.",
)
@option(
    "--from",
    "start",
    type=click.Path(path_type=Path),
    metavar="FILE",
    section=_HOW,
    help="Checkpoint to build on. Default: that of the experiment it builds on, in cisdl-training.",
)
@option("--epochs", type=click.IntRange(min=1), section=_HOW, help="Instead of the experiment's.")
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    section=_HOW,
    help="Instead of the experiment's.",
)
@option(
    "--pieces",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    section=_HOW,
    help="Number of pieces that each batch is divided into, where memory is short.",
)
@option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    section=_HOW,
    help="Keys the first weights, the order and the mirrored pairs.",
)
@option(
    "--max-minutes",
    type=click.FloatRange(min=0),
    section=_HOW,
    help="Minutes after which the run saves its state and stops.",
)
@option(
    "--evaluate-on",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    section=_WATCH,
    help="Sets that the growth curve is measured on. May be repeated. Default: the combination "
    "sets beside the data, where there are any.",
)
@option(
    "--evaluate-pairs",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    section=_WATCH,
    help="Pairs of each of them, from the first on.",
)
@option(
    "--evaluate-every",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="STEPS",
    section=_WATCH,
    help="Steps from one evaluation to the next.",
)
@option(
    "--log-every",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="STEPS",
    section=_WATCH,
    help="Steps from one line of history.csv to the next.",
)
@option(
    "--log-to",
    type=click.Choice(list(LOGGERS)),
    multiple=True,
    section=_WATCH,
    help="Tell the numbers of both CSV files there too, with a sheet of pairs an evaluation; in "
    "the run's folder, by the extra `tensorboard`.",
)
@shared.device
@shared.precision
@shared.compiled
@option(
    "-j",
    "--jobs",
    "--workers",
    "workers",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    section=shared.WHERE,
    help="Reading processes; 0: one thread reads ahead.",
)
@shared.out("DIR", "Default: cisdl-training/ and the experiment's name.")
@option(
    "--maps",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=OUT / "maps",
    show_default=True,
    section=shared.WRITES,
    help="Where maps of frozen features are kept, for all runs that share them.",
)
@option(
    "--save-every",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="STEPS",
    section=shared.WRITES,
    help="Steps from one saved state to the next.",
)
@option(
    "--resume/--overwrite",
    default=True,
    section=shared.WRITES,
    help="Resume an interrupted run (default), or remove what it left, its network too.",
)
@option(
    "--push-to-hub",
    "repository",
    metavar="OWNER/NAME",
    section=shared.WRITES,
    help="Put the finished network, its card and logs on the Hugging Face hub (needs the extra "
    "`hub` and `hf auth login`).",
)
@shared.as_json
@click.pass_obj
def train(
    settings: dict[str, Any],
    /,
    name: str | None,
    experiment: str | None,
    listed: bool,
    show: bool,
    data: tuple[Path, ...],
    vgg: Path | None,
    start: Path | None,
    maps: Path,
    out: Path | None,
    resume: bool,
    repository: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train DMAC or DMVN-BN as the paper does, one experiment at a time.

    \b
    Examples:
      cisdl-bench train dmac --data cisdl-data/training --init vgg16/vgg16-397923af.pth
      cisdl-bench train dmac-adv --from cisdl-training/dmac/dmac.pt
      cisdl-bench train --experiment adv-hin-0.01-0.01-1e-5 --precision bf16
      cisdl-bench train --list
      cisdl-bench train --show dmac > mine.toml   # edit it: network = "mine:network" is your own
      cisdl-bench train mine.toml
      torchrun --nproc-per-node 8 -m cisdl_bench train dmac
    """
    from cisdl_bench.training.experiments import (
        check_experiment,
        experiment_text,
        experiments,
        load_experiment,
    )

    if listed:
        for known in experiments().values():
            names = f"{known.name} ({', '.join(known.also)})" if known.also else known.name
            click.echo(f"{names:34} {known.title}")
        return
    if (name is None) == (experiment is None):
        raise click.UsageError("give the NAME of an experiment (see `cisdl-bench train --list`)")
    text = name or experiment or ""
    if show:
        click.echo(experiment_text(text), nl=False)
        return
    if repository is not None:
        from cisdl_bench.models.checkpoints.hub import check_push

        check_push(repository)
    from dataclasses import replace
    from functools import partial

    from cisdl_bench.devices import choose_device, ranked
    from cisdl_bench.scoring.options import ScoreOptions
    from cisdl_bench.scoring.quick import quick_scores
    from cisdl_bench.training.evaluation import find_evaluation_sets, first_pairs
    from cisdl_bench.training.initial_weights import find_start
    from cisdl_bench.training.options import TrainOptions
    from cisdl_bench.training.run import train as run

    chosen = load_experiment(text)
    called = chosen.name if text.endswith(".toml") else text
    batch, epochs = (
        options.pop("batch_size") or chosen.batch,
        options.pop("epochs") or chosen.epochs,
    )
    chosen = replace(chosen, batch=batch, epochs=epochs)
    check_experiment(chosen, text)
    given, pairs = options.pop("evaluate_on"), options.pop("evaluate_pairs")
    options["device"] = choose_device(options["device"])
    trained = TrainOptions(**options)
    data, folder = data or (data_folder() / "training",), out or OUT / called
    with ranked(trained.device) as rank:
        bars = Bars(settings["quiet"] or rank.number > 0)
        sets, evaluate = find_evaluation_sets(data[0], given), None
        shown = first_pairs(sets) if trained.log_to else []
        if sets:
            scored = ScoreOptions(device=trained.device, precision=trained.precision)
            evaluate = partial(quick_scores, sets=sets, pairs=pairs, options=scored)
        else:
            bars.say("no evaluation: no combination sets beside the data, and no --evaluate-on")
        if rank.number == 0:
            keep_log(folder, "train")
        record = run(
            chosen,
            data,
            folder,
            trained,
            bars,
            name=called,
            vgg=vgg,
            start=find_start(chosen, start, OUT),
            maps=maps,
            evaluate=evaluate,
            shown=shown,
            overwrite=not resume,
            rank=rank,
        )
        if rank.number:
            return
        if as_json:
            click.echo(json_text(record))
        elif record["complete"]:
            checkpoint = folder / record["checkpoint"]
            echo(f"{checkpoint}: {record['step']:,} steps, finished")
            program = f"{chosen.network}@" if ":" in chosen.network else ""
            bars.say(f"score it: cisdl-bench score {program}{quote(str(checkpoint))}")
        if repository is not None and record["complete"]:
            from cisdl_bench.training.push import push_run

            address = push_run(folder, record["checkpoint"], repository)
            bars.say(f"{address}; score it anywhere: cisdl-bench score hf:{repository}")
