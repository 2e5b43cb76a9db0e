"""One table over all finished results of a run."""

from pathlib import Path

from cisdl_bench.csv_text import plain_cell
from cisdl_bench.results.result import find_results
from cisdl_bench.store.atomic import write_csv, write_json


def write_summary(out: Path) -> list[str]:
    """Write ``summary.csv`` and ``summary.json`` over all finished results of a run.

    Returns:
        What is wrong with results that are left out because they cannot be read.
    """
    broken: list[str] = []
    results = find_results(out, broken)
    lines = [
        {
            "detector": plain_cell(result.detector),
            "set": plain_cell(result.set),
            "perturbation": result.perturbation,
            **result.record["summary"],
            "identity": result.record["request"]["identity"],
            "fingerprint": result.record["request"]["fingerprint"],
            "spec_sha256": result.record["data"].get("spec_sha256", ""),
            "device": result.record["device"],
            **result.record["versions"],
            "pairs_per_second": result.record["pairs_per_second"],
        }
        for result in results
    ]
    write_csv(out / "summary.csv", lines)
    write_json(out / "summary.json", [result.record for result in results])
    return broken
