"""``cisdl-bench compare``."""

from pathlib import Path

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@shared.run("run_a")
@shared.run("run_b")
@shared.sets("Only sets that begin so.")
@shared.metric("By what the most changed pairs are found:")
@click.option(
    "--changed",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="How many of the most changed pairs are shown.",
)
@shared.out("FILE", "Write a CSV there.")
@shared.as_json
def compare(
    run_a: Path,
    run_b: Path,
    sets: tuple[str, ...],
    metric: str,
    changed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare two detectors on the same pairs: B minus A, paired.

    For each set and metric the difference, its 95% bootstrap interval over pairs, a p-value
    (sign-flip test; for AUC from the bootstrap), and on how many pairs B is better and worse.
    Runs on different data are refused.

    \b
    Example:
      cisdl-bench compare cisdl-scores/sift-ransac cisdl-scores/model --metric mcc
    """
    from dataclasses import asdict

    from cisdl_bench.results.compare import as_dict, write_comparisons
    from cisdl_bench.results.compare import compare as run

    comparisons, changes = run(run_a, run_b, metric, sets)
    rows = [as_dict(comparison) for comparison in comparisons]
    if all(row["metric"] != metric for row in rows):
        click.echo(f"{metric} is undefined on every pair, so nothing is compared by it", err=True)
    if out:
        write_comparisons(out, comparisons)
    if as_json:
        shown = [asdict(change) for change in changes[:changed]]
        click.echo(json_text({"comparisons": rows, "changed": shown}))
        return
    click.echo(
        f"{'set':28} {'metric':8} {'A':>8} {'B':>8} {'B-A':>8}  {'95% interval':19} {'p':>7} "
        f"{'B wins':>7} {'A wins':>7}"
    )
    for row in rows:
        wins = ["" if row[name] is None else f"{row[name]:,}" for name in ("wins", "losses")]
        click.echo(
            f"{row['set'][:28]:28} {row['metric']:8} {row['a']:8.4f} {row['b']:8.4f} "
            f"{row['difference']:+8.4f}  [{row['low']:+.4f}, {row['high']:+.4f}]  "
            f"{row['p_value']:7.4f} {wins[0]:>7} {wins[1]:>7}"
        )
    if changes and changed:
        click.echo(f"\nmost changed by {metric}:")
        for change in changes[:changed]:
            click.echo(
                f"  {change.set} pair {change.index} ({change.what}): "
                f"{change.a:.4f} to {change.b:.4f}"
            )
