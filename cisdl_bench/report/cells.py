"""Texts of a table's headings and cells, before a format escapes them."""

import math
import re
from typing import Any

from cisdl_bench.metrics.registry import RULES, find_metric
from cisdl_bench.report.tables import PUBLISHED, Table

#: Columns of an experiment's parameters, and their headings.
PARAMETERS = {"lambda_det": "λ_det", "lambda_dis": "λ_dis", "learning_rate": "LR"}


def heading(name: str) -> str:
    """Return a column's heading.

    >>> heading("mask_auc"), heading("iou"), heading("pairs")
    ('AUC (mask)', 'IoU', 'Pairs')
    """
    rule, _, metric = name.partition("_")
    if rule in RULES and metric:
        return f"{heading(metric)} ({rule})"
    known = find_metric(name)
    if known:
        return known.title
    return PARAMETERS.get(name, name.replace("_", " ").capitalize())


def flat_heading(column: tuple[str, ...]) -> str:
    """Return the heading of a column in one line.

    >>> flat_heading(("difficult", "iou"))
    'Difficult IoU'
    """
    return " ".join(map(heading, column))


def flat_headings(table: Table) -> list[str]:
    """Return the headings of a table in one line."""
    return [*map(heading, table.labels), *map(flat_heading, table.values)]


def is_missing(value: Any) -> bool:
    """Return whether there is no value: None, nothing, or NaN."""
    return value is None or value == "" or value != value


def value_text(value: Any, column: tuple[str, ...], digits: int) -> str:
    """Return a value as text with so many digits after the point; a dash where there is none.

    >>> value_text("0.6923", ("iou",), 3), value_text(4000.0, ("pairs",), 3)
    ('0.692', '4000')
    """
    if is_missing(value):
        return "-"
    if column[-1] == "pairs":
        return str(int(value))
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return f"{round(number, digits) + 0.0:.{digits}f}"  # never a negative zero


def label_text(table: Table, line: int, label: str) -> str:
    """Return what names a line: the published methods are marked so."""
    value = table.frame.loc[line, label]
    text = "-" if is_missing(value) else str(value)
    if label == "method" and table.frame.loc[line, "source"] == PUBLISHED:
        text += " (published)"
    return text.capitalize() if label == "transformation" else text


def printable(text: str) -> str:
    """Return a user's text without line ends and other characters that print nothing."""
    return "".join(c if c.isprintable() else " " for c in text)


def ends_text(table: Table, line: int, column: tuple[str, ...], digits: int) -> str:
    """Return the ends of a value's interval as text; empty where it has none."""
    row = table.frame.loc[line]
    ends = [row.get(f"{'/'.join(column)}_{end}") for end in ("low", "high")]
    if not all(isinstance(end, float) and math.isfinite(end) for end in ends):
        return ""
    return f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def printed_value(table: Table, line: int, column: tuple[str, ...], digits: int) -> str:
    """Return a value as text: measured ones rounded, published ones as they were printed."""
    value = table.frame.loc[line]["/".join(column)]
    return value if isinstance(value, str) and value else value_text(value, column, digits)


def without_advice(note: str) -> str:
    """Return a note for print: without the parts that say which option to give.

    >>> without_advice("built-in pictures: not the paper's; give COCO by --coco; a: 2 of 3 pairs")
    "built-in pictures: not the paper's; a: 2 of 3 pairs"
    """
    return "; ".join(part for part in note.split("; ") if not re.search(r"(?<!\S)--\w", part))
