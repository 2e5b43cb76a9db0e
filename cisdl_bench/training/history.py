"""``history.csv`` and ``evaluation.csv``: how a training run went, a line at a time."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.store.atomic import write_whole

HISTORY, EVALUATION = "history.csv", "evaluation.csv"


class Log:
    """A CSV file that grows; after an interruption it is cut back to the state's step.

    Args:
        path: The file.
        columns: Its columns, ``step`` among them.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def cut(self, step: int) -> None:
        """Begin, or keep the whole lines up to a step alone."""
        lines = [",".join(self.columns) + "\n"]
        if self.path.exists() and step:
            text = self.path.read_text("utf-8", "replace").splitlines(keepends=True)[1:]
            at = self.columns.index("step")
            whole = [line for line in text if line.endswith("\n")]
            lines += [line for line in whole if 0 <= self._step(line, at) <= step]
        write_whole(self.path, "".join(lines).encode())

    @staticmethod
    def _step(line: str, at: int) -> int:
        """Return a line's step; -1 where the line has none, such as in a file that was edited."""
        cells = line.strip().split(",")
        return (
            int(cells[at])
            if at < len(cells) and cells[at].isascii() and cells[at].isdigit()
            else -1
        )

    def has(self, step: int) -> bool:
        """Return whether there is a line of a step."""
        text = self.path.read_text("utf-8", "replace") if self.path.exists() else ""
        return any(
            self._step(line, self.columns.index("step")) == step for line in text.splitlines()
        )

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Append lines, all of them or none."""
        text = "".join(
            ",".join(str(values.get(name, "")) for name in self.columns) + "\n" for values in rows
        )
        with self.path.open("a") as file:
            file.write(text)


def read_log(path: Path, numbers: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the lines of a log by column.

    Args:
        path: The file.
        numbers: Columns that must hold numbers, NaN included.

    Raises:
        RunError: There is none, or it is no table of these columns.
    """
    then = "Give the folder that it wrote"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise RunError.expected(
            path, "a log of `cisdl-bench train`", error.strerror, then
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError.expected(path, "a log of `cisdl-bench train`", f"'{error}'", then) from error
    for place, line in enumerate(lines, start=2):
        for name in numbers:
            if not _is_number(line.get(name)):
                where = f"{path}: line {place}: {name}"
                raise RunError.expected(where, "a number", repr(line.get(name)), then)
    return lines


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True
