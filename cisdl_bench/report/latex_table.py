"""A table as LaTeX with booktabs."""

import re
from itertools import groupby
from typing import Any

from cisdl_bench.report.cells import (
    ends_text,
    heading,
    label_text,
    printable,
    printed_value,
    without_advice,
)
from cisdl_bench.report.tables import Table

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
#: Air between a caption and the rule below it, which LaTeX's own classes leave out.
_AIR = r"\setlength{\belowcaptionskip}{6pt}"
#: A table wider than the page is scaled down to it.
_FIT = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"


def _latex(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    >>> print(_latex("a_b & 5%"))
    a\_b \& 5\%
    """
    escaped = "".join(_ESCAPES.get(character, character) for character in printable(text))
    return re.sub(r"\$\\lambda\$\\_(\w+)", r"$\\lambda_{\1}$", escaped)


def to_latex(table: Table, digits: int, standalone: bool = False) -> str:
    r"""Return a table as LaTeX with booktabs; ``standalone`` is a document that compiles alone.

    Intervals stand below their numbers in small type.
    """
    columns = f"{'l' * len(table.labels)}{'r' * len(table.values)}"
    rows = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", *_write_heads(table), "\\midrule"]
    rows += [*_write_body(table, digits), "\\bottomrule", "\\end{tabular}"]
    note = without_advice(table.note)
    caption = _latex(f"{table.caption or table.title}. {note[:1].upper()}{note[1:]}".strip())
    label = [f"\\label{{{table.label}}}"] if table.label else []
    fitted = [_FIT, *rows, "}"] if standalone else rows
    head = ["\\begin{table}", "\\centering", _AIR, f"\\caption{{{caption}}}", *label]
    body = [*head, *fitted, "\\end{table}"]
    if standalone:
        body = [*_PREAMBLE, "\\begin{document}", *body, "\\end{document}"]
    return "\n".join(body) + "\n"


def _write_heads(table: Table) -> list[str]:
    first = len(table.labels)
    lines = []
    if any(len(column) > 1 for column in table.values):
        above, rules, at = [""] * first, "", first + 1
        for name, group in groupby(table.values, key=lambda column: column[:-1]):
            n = len(list(group))
            above.append(f"\\multicolumn{{{n}}}{{c}}{{{_latex(' '.join(map(heading, name)))}}}")
            if name:
                rules += f"\\cmidrule(lr){{{at}-{at + n - 1}}}"
            at += n
        lines += [" & ".join(above) + r" \\", rules]
    names = [*map(heading, table.labels), *(heading(column[-1]) for column in table.values)]
    return [*lines, " & ".join(map(_latex, names)) + r" \\"]


def _write_body(table: Table, digits: int) -> list[str]:
    best, first = table.best(), len(table.labels)
    rows: list[str] = []
    before: tuple[Any, ...] | None = None
    for line in table.frame.index:
        row = table.frame.loc[line]
        block = (row.get("transformation"), row["source"] if first < 2 else "")
        if before is not None and block != before:
            rows.append("\\midrule")
        before = block
        cells = [_latex(label_text(table, line, label)) for label in table.labels]
        below = [""] * first
        for column in table.values:
            text = _number(printed_value(table, line, column, digits))
            cells.append(f"\\textbf{{{text}}}" if (line, column) in best else text)
            ends = _number(ends_text(table, line, column, digits))
            below.append(f"{{\\scriptsize {ends}}}" if ends else "")
        rows.append(" & ".join(cells) + (r" \\[-2pt]" if any(below) else r" \\"))
        if any(below):
            rows.append(" & ".join(below) + r" \\")
    return rows


def _number(text: str) -> str:
    """Return a number as LaTeX prints it, its sign a minus and no hyphen."""
    return _MINUS.sub("$-$", _latex(text))
