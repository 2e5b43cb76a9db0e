"""Tables that other programs wrote: any line ends, quotes and byte order mark, named columns."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SourceError

Row = dict[str, str]


def read_header(path: Path) -> list[str]:
    """Return the columns of a table, lower case; its separator is ``,``, ``|``, ``;`` or a tab.

    Raises:
        SourceError: It cannot be read.
    """
    return [name.lower() for name in _lines(path)[0]]


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a table by the names of its columns.

    UTF-8 with or without byte order mark, any line ends, quoted cells; columns in any order and
    in upper or lower case, others beside them are left out. Blank lines are passed over.

    Args:
        path: The table; its first line names the columns.
        required: Columns that must be there.
        optional: Columns that may be; the row has them where they are.

    Raises:
        SourceError: The file cannot be read, lacks a column, or a line has too few or too many
            cells.
    """
    lines = _lines(path)
    names = [name.lower() for name in lines[0]]
    lacking = [name for name in required if name.lower() not in names]
    if lacking:
        raise SourceError.expected(
            path,
            f"the columns {','.join(required)}",
            f"{','.join(lines[0])}",
            f"Add {','.join(lacking)} to its first line",
        )
    for name in (*required, *optional):
        if names.count(name.lower()) > 1:
            raise SourceError.expected(
                path, f"one column {name}", f"{names.count(name.lower())}", "Rename the others"
            )
    places = {
        name: names.index(name.lower()) for name in (*required, *optional) if name.lower() in names
    }
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        if len(cells) != len(names):
            raise SourceError.expected(
                f"{path}: row {number}",
                f"{len(names)} cells",
                f"{len(cells)}",
                "Put cells with the separator in them into quotes",
            )
        rows.append({name: cells[place] for name, place in places.items()})
    return rows


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise SourceError.expected(path, "a table", "no such file", "Check the path") from error
    except IsADirectoryError as error:
        raise SourceError.expected(path, "a table", "a folder", "Name the file") from error
    except UnicodeDecodeError as error:
        got = f"bytes of another encoding ({str(error).splitlines()[0]})"
        raise SourceError.expected(
            path, "a table in UTF-8", got, "Save it as CSV in UTF-8"
        ) from error
    except OSError as error:
        then = "Allow it to be read" if isinstance(error, PermissionError) else "Check the path"
        raise SourceError.expected(path, "a table", f"'{error.strerror}'", then) from error
    except ValueError as error:
        raise SourceError.expected(
            repr(str(path)), "a table", "a name that no file can have", "Correct the name"
        ) from error
    first = (text.splitlines() or [""])[0]
    separator = max("|,;\t", key=first.count)
    read: Any = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[list[str]] = []
    begun = 1
    try:
        for line in read:
            lines.append([cell.strip() for cell in line])
            begun = read.line_num + 1
    except csv.Error as error:
        where = f"{path}: line {begun}"
        if "unexpected end of data" in str(error):
            raise SourceError.expected(
                where, "quotes that are closed", "one left open", "Close it, or double it"
            ) from error
        raise SourceError.expected(
            where, "cells of a table", f"'{str(error).splitlines()[0]}'", "Correct the line"
        ) from error
    if not lines or not any(lines[0]):
        raise SourceError.expected(
            path, "a first line that names columns", "an empty file", "Write one"
        )
    return lines
