"""The tables of the report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import LOCALIZATION, POOLED, RULES
from cisdl_bench.report.html_table import shape_table
from cisdl_bench.report.methods import order_sets
from cisdl_bench.report.tables import LAYOUTS, Table, TableOptions, make_table
from cisdl_bench.results.result import Result

_DIGITS = 3
#: Of the detection tables, the format of the pairs that each is published for.
_DETECTED = {"paper-3": "casia", "paper-4": "mfc"}

#: A cell of a table: its class (``text``, ``n`` or ``hash``) and its text.
Cell = tuple[str, str]


def make_page_tables(runs: Sequence[Path], results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Return the tables as ``macros.html`` takes them, by the ids of their sections.

    Args:
        runs: Folders of results.
        results: Results of the runs.
    """
    formats = {result.record["data"].get("format") for result in results}
    tables = {}
    for layout in LAYOUTS:
        if layout in _DETECTED and _DETECTED[layout] not in formats:
            continue
        choices = TableOptions(layout, published=layout != "wide", intervals=True)
        try:
            table = make_table(runs, choices)
        except RunError:
            continue  # none of the sets that this layout shows
        if layout != "wide":
            shown = replace(table, note=_keep_origin(table.note))
            tables[f"table-{layout}"] = shape_table(shown, _DIGITS)
            continue
        for key, part in _split(table, order_sets(results)).items():
            shaped = shape_table(part, _DIGITS)
            if shaped["blocks"]:
                tables[f"table-{key}"] = {**shaped, "folded": key == "wide"}
    return tables


def _split(table: Table, sets: Sequence[str]) -> dict[str, Table]:
    """Return the table of everything as one of localization and one of detection, set by set."""
    order = table.frame["set"].map(list(sets).index).sort_values(kind="stable").index
    table = replace(table, frame=table.frame.loc[order].reset_index(drop=True))
    names = ("pairs", *LOCALIZATION, *POOLED)
    localized = tuple(column for column in table.values if column[0] in names)
    detected = tuple(column for column in table.values if column not in localized)
    aucs = [f"{rule}_auc" for rule in RULES if f"{rule}_auc" in table.frame]
    both_labels = table.frame[table.frame[aucs].notna().any(axis=1)]
    return {
        "wide": replace(table, title="Localization, all sets", values=localized, note=""),
        "detection": replace(table, title="Detection", values=detected, frame=both_labels, note=""),
    }


def _keep_origin(note: str) -> str:
    """Return where published rows come from; the rest of a note is on top of the page.

    >>> _keep_origin("published: Table I, on other pairs; photographs: mine")
    'Published: Table I, on other pairs.'
    """
    origin = [part for part in note.split("; ") if part.startswith("published: ")]
    return f"{origin[0][:1].upper()}{origin[0][1:]}." if origin else ""
