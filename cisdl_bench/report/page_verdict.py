"""The verdict as its template takes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.metrics.registry import LOCALIZATION, headline_metrics
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.report.methods import split_set
from cisdl_bench.report.page_tables import Cell
from cisdl_bench.report.provenance import shorten_hash
from cisdl_bench.report.verdict import Place, Standing, rank_by_set, rank_methods
from cisdl_bench.results.result import Result


def shape_verdict(results: Sequence[Result], names: Mapping[Path, str]) -> dict[str, Any]:
    """Return the values of ``verdict.html``.

    Args:
        results: Results of all methods.
        names: Names of the runs.
    """
    standings = rank_by_set(results, names)
    places, common = rank_methods(results, names, standings)
    localized = [standing for standing in standings if not standing.detection]
    families: dict[str, dict[str, Standing]] = {}
    for standing in localized:
        family, difficulty = split_set(standing.set)
        families.setdefault(family, {})[difficulty] = standing
    columns = [c for c in DIFFICULTIES if any(c in row for row in families.values())]
    titles = [LOCALIZATION[name].title for name in headline_metrics()]
    detected = any(standing.detection for standing in standings)
    headings = [("text", "Method")]
    headings += [("n", f"Mean {title}") for title in titles if localized]
    headings += [("n", "Best on"), ("n", "Clearly")] if localized else []
    headings += [("n", "AUC")] if detected else []
    headings += [("n", "Pairs"), ("n", "Pairs/s"), ("hash", "Checkpoint"), ("text", "Device")]
    return {
        "metric": titles[0],
        "places": places,
        "common": common,
        "sets": len(localized),
        "detections": [standing for standing in standings if standing.detection],
        "families": families,
        "difficulties": columns,
        "headings": headings,
        "rows": [
            [
                ("text", place.method),
                *(_describe_localization(place) if localized else []),
                *([("n", _show(place.auc))] if detected else []),
                *_describe_run(results, list(names)[place.number]),
            ]
            for place in places
        ],
    }


def _describe_localization(place: Place) -> list[Cell]:
    means = [("n", _show(value)) for value in place.means.values()]
    return [*means, ("n", str(place.wins)), ("n", str(place.clear))]


def _describe_run(results: Sequence[Result], run: Path) -> list[Cell]:
    records = [result.record for result in results if result.path.parent == run]
    speeds = [record["pairs_per_second"] for record in records if record["pairs_per_second"]]
    identities = dict.fromkeys(str(record["request"]["identity"]) for record in records)
    devices = dict.fromkeys(str(record["device"]) for record in records)
    pairs = sum(record["summary"]["pairs"] for record in records)
    return [
        ("n", f"{pairs:,}"),
        ("n", f"{sum(speeds) / len(speeds):.1f}" if speeds else "-"),
        ("hash", shorten_hash(", ".join(identities))),
        ("text", ", ".join(devices)),
    ]


def _show(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"
