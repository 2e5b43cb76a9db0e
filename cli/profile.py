"""``cisdl-bench profile``."""

from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@click.argument("model")
@shared.device
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the network first.")
@click.option("--size", type=click.IntRange(min=16), default=256, show_default=True, metavar="PX")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Shortest time that each batch size is measured for.",
)
@shared.as_json
@click.pass_obj
def profile(
    settings: dict[str, Any],
    model: str,
    device: str,
    precision: str,
    compiled: bool,
    size: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Count a network's parameters and arithmetic, and time it.

    MODEL is a checkpoint, a file or a factory as for `score`, or the name of an architecture:
    dmac, dmvn-bn, dmvn.

    \b
    Examples:
      cisdl-bench profile model.pt
      cisdl-bench profile dmac --device cuda --precision bf16
    """
    from cisdl_bench.devices import choose_device, device_name
    from cisdl_bench.models.find import open_network
    from cisdl_bench.report.published import tables
    from cisdl_bench.scoring.options import ScoreOptions
    from cisdl_bench.scoring.profile import measure_cost

    network, architecture = open_network(model)
    chosen = ScoreOptions(device=choose_device(device), precision=precision, compile=compiled)
    Bars(settings["quiet"]).say(f"{architecture} on {device_name(chosen.device)}, {precision}")
    cost = measure_cost(network, chosen, size, seconds)
    paper = tables()["complexity"].get(architecture, {})
    if as_json:
        click.echo(json_text({**cost, "published": paper}))
        return
    best = cost["best_batch"]
    lines = [
        ("trainable parameters", f"{cost['parameters']:,}", f"{paper.get('parameters', 0):,}"),
        (f"GFLOP a pair of {size} px", f"{cost['gflop']:.1f}", ""),
        ("seconds a pair, batch 1", f"{cost['seconds'][1]:.4f}", str(paper.get("seconds", ""))),
        (f"seconds a pair, batch {best}", f"{cost['seconds'][best]:.4f}", ""),
        ("peak memory, MB", f"{cost['peak_mb']:.0f}", ""),
    ]
    heading = "paper, section IV-C (TITAN X)" if paper else ""
    click.echo(f"{'':28} {'here':>14}  {heading}".rstrip())
    for name, here, published in lines:
        click.echo(f"{name:28} {here:>14}  {published if paper else ''}".rstrip())
