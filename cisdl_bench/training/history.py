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
            text = self.path.read_text().splitlines(keepends=True)[1:]
            at = self.columns.index("step")
            whole = [line for line in text if line.endswith("\n")]
            lines += [line for line in whole if int(line.split(",")[at]) <= step]
        write_whole(self.path, "".join(lines).encode())

    def add(self, values: Mapping[str, Any]) -> None:
        """Append a line."""
        line = ",".join(str(values.get(name, "")) for name in self.columns)
        with self.path.open("a") as file:
            file.write(line + "\n")


def read_log(path: Path) -> list[dict[str, str]]:
    """Return the lines of a log by column.

    Raises:
        RunError: There is none.
    """
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise RunError.expected(
            path, "a log of `cisdl-bench train`", error.strerror, "Give the folder that it wrote"
        ) from error
