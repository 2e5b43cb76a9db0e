"""A table as CSV, LaTeX, Markdown or HTML."""

import re
from collections.abc import Callable

from cisdl_bench.csv_text import plain_cell
from cisdl_bench.report.cells import ends_text, flat_headings, label_text, printable, printed_value
from cisdl_bench.report.html_table import to_html
from cisdl_bench.report.latex_table import to_latex
from cisdl_bench.report.tables import Table


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
    escaped = re.sub(r"([\\`*\[\]<>|])", r"\\\1", printable(text))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\_", escaped)


def to_markdown(table: Table, digits: int, standalone: bool = False) -> str:
    """Return a table as GitHub's Markdown, the best values in bold."""
    best = table.best()
    lines = [flat_headings(table), [":--"] * len(table.labels) + ["--:"] * len(table.values)]
    for line in table.frame.index:
        cells = [_markdown(label_text(table, line, label)) for label in table.labels]
        for column in table.values:
            ends = ends_text(table, line, column, digits)
            text = f"{printed_value(table, line, column, digits)} {ends}".strip()
            cells.append(f"**{text}**" if (line, column) in best else text)
        lines.append(cells)
    note = f"\n{_markdown(table.note)}\n" if table.note else ""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + note


FORMATS: dict[str, Callable[..., str]] = {
    "csv": to_csv,
    "latex": to_latex,
    "markdown": to_markdown,
    "html": to_html,
}
