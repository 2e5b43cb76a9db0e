"""``cisdl-bench plot``."""

from pathlib import Path

import click


@click.command()
@click.argument("kind", type=click.Choice(["growth"]))
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PNG, PDF, SVG or PGF by its ending. Default: growth.png in the first RUN.",
)
@click.option(
    "--published",
    metavar="METHOD",
    help="Also the published scores of a method of Table I, such as DMVN. They were measured on "
    "other pairs.",
)
def plot(kind: str, runs: tuple[Path, ...], output: Path | None, published: str | None) -> None:
    """Draw a figure.

    growth: IoU, MCC and NMM on the Combination sets while a network was trained, as Fig. 6.

    \b
    Examples:
      cisdl-bench plot growth cisdl-training/dmac
      cisdl-bench plot growth cisdl-training/dmac --published DMVN -o figure6.pdf
    """
    import io

    from cisdl_bench.errors import CisdlError
    from cisdl_bench.report.growth import growth_figure
    from cisdl_bench.store.atomic import write_whole

    target = output or runs[0] / f"{kind}.png"
    endings = (".png", ".pdf", ".svg", ".pgf")
    if target.suffix not in endings:
        raise CisdlError.expected(
            target, f"an ending out of {', '.join(endings)}", target.suffix or "none", "Rename it"
        )
    figure = growth_figure(runs, published)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=target.suffix[1:], dpi=150)
    write_whole(target, drawn.getvalue())
    click.echo(f"{target}")
