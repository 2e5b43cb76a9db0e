"""``cisdl-bench train``."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.cli.progress import Bars
from cisdl_bench.errors import RunError
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
    help="A set to learn from. May be repeated. Default: cisdl-data/training.",
)
@click.option(
    "--init",
    "vgg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="VGG-16's published weights, see `fetch vgg16`. Default: He initialisation.",
)
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Checkpoint to go on from. Default: that of the experiment it builds on, in "
    "cisdl-training.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Default: cisdl-training/ and the experiment's name.",
)
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
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@shared.device
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="bf16: autocast; weights and losses stay float32.",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks first.")
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Go through each batch in so many pieces, where memory is short.",
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
@click.option("--max-minutes", type=click.FloatRange(min=0), help="Then save and stop.")
@click.option(
    "--resume/--overwrite",
    default=True,
    help="Go on with what an interrupted run left (default), or remove it, its network too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON.")
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
    out: Path | None,
    resume: bool,
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
        for each in experiments().values():
            names = f"{each.name} ({', '.join(each.also)})" if each.also else each.name
            click.echo(f"{names:34} {each.title}")
        return
    if (name is None) == (experiment is None):
        raise click.UsageError("give the NAME of an experiment (see `cisdl-bench train --list`)")
    from dataclasses import replace

    from cisdl_bench.devices import choose_device, ranked
    from cisdl_bench.training.options import TrainOptions
    from cisdl_bench.training.run import train as run

    text = name or experiment or ""
    of = load_experiment(text)
    called = of.name if text.endswith(".toml") else text
    batch, epochs = options["batch_size"] or of.batch, options["epochs"] or of.epochs
    of = replace(of, batch=batch, epochs=epochs)
    check_experiment(of, text)
    device = choose_device(options["device"])
    choices = TrainOptions(
        device=device,
        compile=options["compiled"],
        **{
            key: options[key]
            for key in (
                "seed",
                "precision",
                "pieces",
                "workers",
                "log_every",
                "save_every",
                "evaluate_every",
                "max_minutes",
                "skip_unlabelled",
            )
        },
    )
    data = data or (Path("cisdl-data/training"),)
    with ranked(device) as rank:
        bars = Bars(settings["quiet"] or rank.number > 0)
        record = run(
            of,
            data,
            out or OUT / called,
            choices,
            bars,
            name=called,
            vgg=vgg,
            start=_start(of.start, start),
            evaluate=_evaluation(data, options, choices, bars),
            overwrite=not resume,
            rank=rank,
        )
        if rank.number:
            return
        folder = out or OUT / called
        if as_json:
            click.echo(json_text(record))
        elif record["complete"]:
            click.echo(f"{folder / record['checkpoint']}: {record['step']:,} steps, finished")
            path = quote(str(folder / record["checkpoint"]))
            bars.say(f"score it: cisdl-bench score {path}")


def _start(builds_on: str, given: Path | None) -> Path | None:
    """Return the checkpoint to go on from: the one given, else the usual place of its own."""
    if not builds_on and given is not None:
        raise RunError.expected(
            f"--from {given}",
            "an experiment that goes on from another",
            "one that begins",
            "Leave it out; --init takes VGG-16's weights",
        )
    if given is not None or not builds_on:
        return given
    usual = OUT / builds_on / f"{builds_on}.pt"
    if not usual.exists():
        raise RunError.expected(
            usual,
            f"the result of {builds_on}, which this experiment goes on from",
            "no such file",
            f"Give it by --from, or run `cisdl-bench train {builds_on}` first",
        )
    return usual


def _evaluation(data: Any, options: dict[str, Any], choices: Any, bars: Bars) -> Any:
    """Return what scores a network on small fixed sets; None where there are none."""
    from cisdl_bench.scoring.options import ScoreOptions
    from cisdl_bench.scoring.quick import quick_scores

    given = options["evaluate_on"]
    beside = data[0].absolute().parent
    names = ("difficult", "normal", "easy")
    sets = given or [path for name in names if (path := beside / f"combination-{name}").is_dir()]
    if not sets:
        bars.say("no evaluation: no combination sets beside the data, and no --evaluate-on")
        return None
    settings = ScoreOptions(device=choices.device, precision=choices.precision)
    return lambda network: quick_scores(network, sets, options["evaluate_pairs"], settings)
