"""Writing tables as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def format_csv(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str] = (), separator: str = ","
) -> str:
    r"""Return rows as CSV with a header; a cell that a row lacks, or None, is empty.

    Args:
        rows: Cells by column.
        names: Columns in order; none given: all that occur, in order of their first row.
        separator: Character between two cells.

    >>> format_csv([{"a": 1, "b": "x,y"}, {"a": 0.5}])
    'a,b\n1,"x,y"\n0.5,\n'
    """
    columns = list(names or dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plain_cell(text: str) -> str:
    """Return a text that spreadsheets take for a text, not for a formula.

    >>> plain_cell("=1+1"), plain_cell("sift-ransac")
    ("'=1+1", 'sift-ransac')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
