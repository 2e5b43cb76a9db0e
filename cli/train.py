"""``cisdl-bench train``."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.cli.progress import Bars
from cisdl_bench.strict_json import json_text

OUT = Path("cisdl-training")


@click.command()
@click.argument("name", required=False)
@click.option("--experiment", metavar="NAME|FILE", help="The same as NAME; or a .toml of your own.")
@click.option("--list", "listed", is_flag=True, help="Name the experiments: the rows of Table I.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Set to learn from. May be repeated. Default: cisdl-data/training.",
)
@click.option(
    "--init",
    "vgg",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="VGG-16's weights or HED's: a file, or the folder that `fetch vgg16` or `fetch hed` made. "
    "Default: He initialisation.",
)
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Checkpoint to build on. Default: that of the experiment it builds on, in cisdl-training.",
)
@click.option(
    "--maps",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=OUT / "maps",
    show_default=True,
    help="Where maps of frozen features are kept, for all runs that share them.",
)
@shared.out("DIR", "Default: cisdl-training/ and the experiment's name.")
@click.option(
    "--evaluate-on",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Sets that the growth curve is measured on. May be repeated. Default: the combination "
    "sets beside the data, where there are any.",
)
@click.option(
    "--evaluate-pairs", type=click.IntRange(min=1), default=200, show_default=True, metavar="N"
)
@click.option(
    "--evaluate-every",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="STEPS",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the experiment's.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", help="Instead of the experiment's."
)
@shared.seed
@shared.device
@shared.precision
@shared.compiled
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of pieces that each batch is divided into, where memory is short.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Reading processes; 0: one thread reads ahead.",
)
@click.option(
    "--skip-unlabelled",
    is_flag=True,
    help="Leave out pairs without a label or a true mask, and count them; else they are refused.",
)
@click.option("--log-every", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--save-every", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0),
    help="Minutes after which the run saves its state and stops.",
)
@click.option(
    "--resume/--overwrite",
    default=True,
    help="Resume an interrupted run (default), or remove what it left, its network too.",
)
@click.option(
    "--push-to-hub",
    "repository",
    metavar="OWNER/NAME",
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
      torchrun --nproc-per-node 8 -m cisdl_bench train dmac
    """
    from cisdl_bench.training.experiments import check_experiment, experiments, load_experiment

    if listed:
        for known in experiments().values():
            names = f"{known.name} ({', '.join(known.also)})" if known.also else known.name
            click.echo(f"{names:34} {known.title}")
        return
    if (name is None) == (experiment is None):
        raise click.UsageError("give the NAME of an experiment (see `cisdl-bench train --list`)")
    if repository is not None:
        from cisdl_bench.models.checkpoints.hub import check_push

        check_push(repository)
    from dataclasses import replace
    from functools import partial

    from cisdl_bench.devices import choose_device, ranked
    from cisdl_bench.scoring.options import ScoreOptions
    from cisdl_bench.scoring.quick import quick_scores
    from cisdl_bench.training.evaluation import find_evaluation_sets
    from cisdl_bench.training.initial_weights import find_start
    from cisdl_bench.training.options import TrainOptions
    from cisdl_bench.training.run import train as run

    text = name or experiment or ""
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
    data, folder = data or (Path("cisdl-data/training"),), out or OUT / called
    with ranked(trained.device) as rank:
        bars = Bars(settings["quiet"] or rank.number > 0)
        sets, evaluate = find_evaluation_sets(data[0], given), None
        if sets:
            scored = ScoreOptions(device=trained.device, precision=trained.precision)
            evaluate = partial(quick_scores, sets=sets, pairs=pairs, options=scored)
        else:
            bars.say("no evaluation: no combination sets beside the data, and no --evaluate-on")
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
            overwrite=not resume,
            rank=rank,
        )
        if rank.number:
            return
        if as_json:
            click.echo(json_text(record))
        elif record["complete"]:
            checkpoint = folder / record["checkpoint"]
            click.echo(f"{checkpoint}: {record['step']:,} steps, finished")
            bars.say(f"score it: cisdl-bench score {quote(str(checkpoint))}")
        if repository is not None and record["complete"]:
            from cisdl_bench.training.push import push_run

            address = push_run(folder, record["checkpoint"], repository)
            bars.say(f"{address}; score it anywhere: cisdl-bench score hf:{repository}")
