"""A table as the templates take it: measured rows first, numbers apart from their intervals."""

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, RULES, find_metric
from cisdl_bench.report.cells import (
    PARAMETERS,
    flat_heading,
    heading,
    is_missing,
    label_text,
    value_text,
)
from cisdl_bench.report.tables import MEASURED, PUBLISHED, Table
from cisdl_bench.report.templating import render_html


def shape_table(table: Table, digits: int) -> dict[str, Any]:
    """Return a table as ``macros.html`` takes it.

    Measured rows stand before published ones. Parameters are part of the method's name. Columns
    without a measured value, and rows without any, are left out.
    """
    blocks: list[dict[str, Any]] = []
    columns = [column for column in table.values if column[-1] not in PARAMETERS]
    columns = [column for column in columns if _has_values(table, column)]
    best = table.best()
    for source in (MEASURED, PUBLISHED):
        lines = table.frame.index[table.frame["source"] == source]
        shaped = [_shape_row(table, int(line), columns, digits, best) for line in lines]
        rows = [row for row in shaped if any(cell["text"] != "-" for cell in row["cells"])]
        for before, row in pairwise(rows):
            row["starts"] = row["labels"][1:] != before["labels"][1:]
        if rows:
            blocks.append({"source": source, "rows": rows})
    cells = [cell for block in blocks for row in block["rows"] for cell in row["cells"]]
    return {
        "title": table.caption or table.title,
        "heads": _shape_heads(table, columns),
        "blocks": blocks,
        "note": table.note,
        "bold": any(cell["best"] for cell in cells),
        "intervals": any(cell["ends"] for cell in cells),
        "folded": False,
        "same": table.labels[1] if len(table.labels) > 1 else "",
    }


def _has_values(table: Table, column: tuple[str, ...]) -> bool:
    measured = table.frame[table.frame["source"] == MEASURED]
    return not all(map(is_missing, measured["/".join(column)]))


def _shape_heads(table: Table, columns: Sequence[tuple[str, ...]]) -> list[list[dict[str, Any]]]:
    """Return the lines of headings."""
    deep = any(len(column) > 1 for column in columns)
    labels = [
        _shape_head(heading(label), "text", column=k, rows=1 + deep)
        for k, label in enumerate(table.labels)
    ]
    leaves = []
    for k, column in enumerate(columns, start=len(labels)):
        text = heading(column[-1]) if deep else flat_heading(column)
        leaves.append(_shape_head(text, "n", column=k, tip=define(name_metric(column[-1]))))
    if not deep:
        return [[*labels, *leaves]]
    groups = [
        _shape_head(" ".join(map(heading, name)), "text", columns=len(list(members)))
        for name, members in groupby(columns, key=lambda column: column[:-1])
    ]
    return [[*labels, *groups], leaves]


def _shape_head(
    text: str,
    kind: str,
    *,
    column: int | None = None,
    rows: int = 1,
    columns: int = 1,
    tip: str = "",
) -> dict[str, Any]:
    """Return a heading: its text, class, spans, the column that it sorts, its definition."""
    cell = {"text": text, "kind": kind, "column": column, "rows": rows, "columns": columns}
    return {**cell, "tip": tip}


def name_metric(column: str) -> str:
    """Return the name of a column's metric; empty where it is of none.

    >>> name_metric("mask_auc"), name_metric("iou"), name_metric("pairs")
    ('auc', 'iou', '')
    """
    rule, _, metric = column.partition("_")
    name = metric if rule in RULES and metric else column
    return name if find_metric(name) else ""


def define(metric: str) -> str:
    """Return the definition of a metric; empty where there is none."""
    known = [table[metric] for table in (LOCALIZATION, DETECTION, POOLED) if metric in table]
    return next((one.definition for one in known if one.definition), "")


def _shape_row(
    table: Table,
    line: int,
    columns: Sequence[tuple[str, ...]],
    digits: int,
    best: set[tuple[int, tuple[str, ...]]],
) -> dict[str, Any]:
    row = table.frame.loc[line]
    labels = [label_text(table, line, label) for label in table.labels]
    known = [name for name in PARAMETERS if name in row and not is_missing(row[name])]
    if known:
        parameters = ", ".join(f"{heading(name)} {row[name]}" for name in known)
        labels[0] = f"{labels[0]} ({parameters})"
    cells = []
    for column in columns:
        value = row["/".join(column)]
        ends = [row.get(f"{'/'.join(column)}_{end}") for end in ("low", "high")]
        finite = all(isinstance(end, float) and math.isfinite(end) for end in ends)
        number = _to_number(value)
        pairs = column[-1] == "pairs" and number is not None
        cells.append(
            {
                "text": f"{number:,.0f}" if pairs else value_text(value, column, digits),
                "number": "" if number is None else repr(number),
                "ends": [f"{end:.{digits}f}" for end in ends] if finite else [],
                "best": (line, column) in best,
            }
        )
    return {"labels": labels, "cells": cells, "starts": False}


def _to_number(value: Any) -> float | None:
    """Return a measured or published value as a number; None of a dash or a word."""
    try:
        return None if is_missing(value) else float(value)
    except ValueError:
        return None


def to_html(table: Table, digits: int, standalone: bool = False) -> str:
    """Return a table as an HTML element; cells carry their number for sorting, best ones ``best``.

    ``standalone`` makes no difference.
    """
    return render_html("table.html", table=shape_table(table, digits)).lstrip()
