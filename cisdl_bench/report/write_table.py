"""A table as CSV, LaTeX, Markdown or HTML."""

import math
import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

from cisdl_bench.csv_text import plain_cell
from cisdl_bench.metrics.registry import RULES, find_metric
from cisdl_bench.report.tables import PUBLISHED, Table
from cisdl_bench.report.templating import render_html

_HEADINGS = {
    "lambda_det": "λ_det",
    "lambda_dis": "λ_dis",
    "learning_rate": "LR",
}
_ESCAPES = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    # After the end of a row these would be an argument of it.
    "[": "{[}",
    "*": "{*}",
    "†": r"$^\dagger$",
    "λ": r"$\lambda$",
}


_MINUS = re.compile(r"(?<![e\d])-(?=\d)")
_PREAMBLE = (
    "\\documentclass{article}",
    "\\usepackage[utf8]{inputenc}",
    "\\usepackage{booktabs,graphicx}",
    "\\usepackage[a4paper,landscape,margin=1.5cm]{geometry}",
)
#: A table wider than the page is scaled down to it.
_FIT = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"


def _heading(name: str) -> str:
    """Return a column's heading.

    >>> _heading("mask_auc"), _heading("iou"), _heading("pairs")
    ('AUC (mask)', 'IoU', 'Pairs')
    """
    rule, _, metric = name.partition("_")
    if rule in RULES and metric:
        return f"{_heading(metric)} ({rule})"
    known = find_metric(name)
    if known:
        return known.title
    return _HEADINGS.get(name, name.replace("_", " ").capitalize())


def _flat_headings(table: Table) -> list[str]:
    """Return the headings of a table in one line."""
    return [
        *map(_heading, table.labels),
        *(" ".join(map(_heading, column)) for column in table.values),
    ]


def _line(text: str) -> str:
    """Return a user's text without line ends and other characters that print nothing."""
    return "".join(c if c.isprintable() else " " for c in text)


def _latex(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    >>> print(_latex("a_b & 5%"))
    a\_b \& 5\%
    """
    escaped = "".join(_ESCAPES.get(character, character) for character in _line(text))
    return re.sub(r"\$\\lambda\$\\_(\w+)", r"$\\lambda_{\1}$", escaped)


def _missing(value: Any) -> bool:
    return value is None or value == "" or value != value


def _cell(table: Table, line: int, column: tuple[str, ...], digits: int) -> str:
    """Return a value as text: measured ones rounded, published ones as they were printed."""
    row = table.frame.loc[line]
    value = row["/".join(column)]
    if isinstance(value, str):
        return value
    if _missing(value):
        return "-"
    if column[-1] == "pairs":
        return str(int(value))
    text = f"{round(value, digits) + 0.0:.{digits}f}"  # never a negative zero
    ends = [row.get(f"{'/'.join(column)}_{end}") for end in ("low", "high")]
    if all(isinstance(end, float) and math.isfinite(end) for end in ends):
        text += f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"
    return text


def _label(table: Table, line: int, label: str) -> str:
    value = table.frame.loc[line, label]
    text = "-" if _missing(value) else str(value)
    if label == "method" and table.frame.loc[line, "source"] == PUBLISHED:
        text += " (published)"
    return text.capitalize() if label == "transformation" else text


def to_csv(table: Table, digits: int, standalone: bool = False) -> str:
    """Return a table as CSV: every measured value with all its digits, ``source`` first.

    ``digits`` is for the other formats: stored numbers are not rounded.
    """
    shown = table.frame.copy()
    for label in table.labels:
        shown[label] = [
            plain_cell(cell) if isinstance(cell, str) else cell for cell in shown[label]
        ]
    names = ["/".join(column) for column in table.values]
    ends = [f"{n}_{end}" for n in names for end in ("low", "high")]
    known_ends = [name for name in ends if name in table.frame]
    text: str = shown[["source", *table.labels, *names, *known_ends]].to_csv(
        index=False, lineterminator="\n"
    )
    return text


def _markdown(text: str) -> str:
    r"""Return text that Markdown prints as it is.

    >>> print(_markdown("a|b *c* <d>"))
    a\|b \*c\* \<d\>
    """
    escaped = re.sub(r"([\\`*\[\]<>|])", r"\\\1", _line(text))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\_", escaped)


def to_markdown(table: Table, digits: int, standalone: bool = False) -> str:
    """Return a table as GitHub's Markdown, the best values in bold."""
    best = table.best()
    lines = [_flat_headings(table), [":--"] * len(table.labels) + ["--:"] * len(table.values)]
    for line in table.frame.index:
        cells = [_markdown(_label(table, line, label)) for label in table.labels]
        for column in table.values:
            text = _cell(table, line, column, digits)
            cells.append(f"**{text}**" if (line, column) in best else text)
        lines.append(cells)
    note = f"\n{_markdown(table.note)}\n" if table.note else ""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + note


def without_advice(note: str) -> str:
    """Return a note for print: without the parts that say which option to give.

    >>> without_advice("built-in pictures: not the paper's; give COCO by --coco; a: 2 of 3 pairs")
    "built-in pictures: not the paper's; a: 2 of 3 pairs"
    """
    return "; ".join(part for part in note.split("; ") if not re.search(r"(?<!\S)--\w", part))


def to_latex(table: Table, digits: int, standalone: bool = False) -> str:
    r"""Return a table as LaTeX with booktabs; ``standalone`` is a document that compiles alone."""
    best, first = table.best(), len(table.labels)
    rows = [f"\\begin{{tabular}}{{{'l' * first}{'r' * len(table.values)}}}", "\\toprule"]
    if any(len(column) > 1 for column in table.values):
        above, rules, at = [""] * first, "", first + 1
        for name, group in groupby(table.values, key=lambda column: column[:-1]):
            n = len(list(group))
            above.append(f"\\multicolumn{{{n}}}{{c}}{{{_latex(' '.join(map(_heading, name)))}}}")
            if name:
                rules += f"\\cmidrule(lr){{{at}-{at + n - 1}}}"
            at += n
        rows += [" & ".join(above) + r" \\", rules]
    names = [*map(_heading, table.labels), *(_heading(column[-1]) for column in table.values)]
    rows += [" & ".join(map(_latex, names)) + r" \\", "\\midrule"]
    before: tuple[Any, ...] | None = None
    for line in table.frame.index:
        row = table.frame.loc[line]
        block = (row.get("transformation"), row["source"] if first < 2 else "")
        if before is not None and block != before:
            rows.append("\\midrule")
        before = block
        cells = [_latex(_label(table, line, label)) for label in table.labels]
        for column in table.values:
            text = _MINUS.sub("$-$", _latex(_cell(table, line, column, digits)))
            cells.append(f"\\textbf{{{text}}}" if (line, column) in best else text)
        rows.append(" & ".join(cells) + r" \\")
    rows += ["\\bottomrule", "\\end{tabular}"]
    note = without_advice(table.note)
    caption = _latex(f"{table.title}. {note[:1].upper()}{note[1:]}".strip())
    fitted = [_FIT, *rows, "}"] if standalone else rows
    body = ["\\begin{table}", "\\centering", f"\\caption{{{caption}}}", *fitted, "\\end{table}"]
    if standalone:
        body = [*_PREAMBLE, "\\begin{document}", *body, "\\end{document}"]
    return "\n".join(body) + "\n"


def shape_table(table: Table, digits: int) -> dict[str, Any]:
    """Return a table as the template ``table.html`` takes it."""
    best, rows = table.best(), []
    for line in table.frame.index:
        cells = []
        for column in table.values:
            number = table.frame.loc[line]["/".join(column)]
            cells.append(
                {
                    "text": _cell(table, line, column, digits),
                    "number": "" if _missing(number) else repr(float(number)),
                    "best": (line, column) in best,
                }
            )
        rows.append(
            {
                "source": str(table.frame.loc[line, "source"]),
                "labels": [_label(table, line, label) for label in table.labels],
                "cells": cells,
            }
        )
    return {"headings": _flat_headings(table), "rows": rows, "note": table.note}


def to_html(table: Table, digits: int, standalone: bool = False) -> str:
    """Return a table as an HTML element; cells carry their number for sorting, best ones ``best``.

    ``standalone`` makes no difference.
    """
    return render_html("table.html", table=shape_table(table, digits)).lstrip()


FORMATS: dict[str, Callable[..., str]] = {
    "csv": to_csv,
    "latex": to_latex,
    "markdown": to_markdown,
    "html": to_html,
}
