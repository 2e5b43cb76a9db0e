"""One row a pair: what a detector's masks are worth, in counts, and what the pair was.

``pairs.csv`` is all that scoring leaves behind; every number of a table follows from it. Numbers
are written so that reading gives back every bit.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.records import Parameters
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.store.reader import PairSet

Value = int | float | str | None

MASKS = ("probe", "donor")
COUNTS = ("tp", "fp", "fn", "tn")
#: Of the pair: its number, kind, label and what it was made of.
ABOUT: dict[str, type] = {
    "index": int,
    "kind": str,
    "label": int,
    "difficulty": str,
    "donor_id": int,
    "background_id": int,
    "annotation_id": int,
    "donor_area_px": int,
    "probe_area_px": int,
    **dict.fromkeys(Parameters._fields, float),
}
#: Of the detector's answer: pixels by kind, the mean probability inside each mask, its own score.
ANSWER: dict[str, type] = {
    **{f"{mask}_{name}": int for mask in MASKS for name in COUNTS},
    **{f"{mask}_inside": float for mask in MASKS},
    "own_score": float,
}
COLUMNS = {**ABOUT, **ANSWER}


class Answer(NamedTuple):
    """What a detector said of one pair.

    Attributes:
        counts: TP, FP, FN, TN of the probe's mask, then of the donor's.
        inside: Mean probability above the threshold, of both masks.
        own_score: The detector's own probability; None where it has none.
    """

    counts: tuple[int, ...]
    inside: tuple[float, float]
    own_score: float | None


def row_of(pairs: PairSet, index: int, answer: Answer) -> str:
    """Return a pair's line of ``pairs.csv``."""
    composite, kind = divmod(index, len(pairs.kinds))
    about: Mapping[str, Value] = {
        **pairs.numbers(composite),
        "index": index,
        "kind": pairs.kinds[kind],
        "label": pairs.label(index),
    }
    values = [about[name] for name in ABOUT]
    cells = [*values, *answer.counts, *answer.inside, answer.own_score]
    return ",".join("" if cell is None else str(cell) for cell in cells) + "\n"


class Rows:
    """Columns of ``pairs.csv`` as arrays, in the order of the pairs.

    Attributes:
        columns: Name to array, (n,): int64, float64 or str.
    """

    def __init__(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.columns["index"])

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a column."""
        return self.columns[name]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Rows":
        """Return the rows where a mask (n,) is True."""
        return Rows({name: column[chosen] for name, column in self.columns.items()})

    def counts(self) -> Counts:
        """Return the counts of both masks, each (n, 2), probe first."""
        return Counts(
            *(np.stack([self[f"{mask}_{name}"] for mask in MASKS], axis=1) for name in COUNTS)
        )


def read_rows(path: Path) -> Rows:
    """Return the rows of a ``pairs.csv``.

    Raises:
        RunError: It is missing, cut short or of other columns.
    """
    try:
        table = _table(path)
    except FileNotFoundError as error:
        raise RunError.expected(
            path, "the rows of a finished set", "no such file", "Run its `score` command again"
        ) from error
    except (ValueError, OSError) as error:
        raise RunError.expected(
            path, "rows that `score` wrote", str(error).splitlines()[0], "Score it again"
        ) from error
    if list(table.columns) != list(COLUMNS):
        raise RunError.expected(
            path,
            f"{len(COLUMNS)} columns, index to own_score",
            len(table.columns),
            "Score it again",
        )
    try:
        return Rows({name: _typed(table[name], kind) for name, kind in COLUMNS.items()})
    except ValueError as error:
        raise RunError.expected(path, "numbers in every row", error, "Score it again") from error


def read_lines(lines: Sequence[str]) -> Rows:
    """Return the rows of lines as ``row_of`` gives them."""
    table = _table(io.StringIO("".join([",".join(COLUMNS) + "\n", *lines])))
    return Rows({name: _typed(table[name], kind) for name, kind in COLUMNS.items()})


def _table(source: Path | io.StringIO) -> Any:
    import pandas as pd

    return pd.read_csv(source, dtype=str, keep_default_na=False)


def _typed(column: Any, kind: type) -> npt.NDArray[Any]:
    text: npt.NDArray[np.str_] = column.to_numpy(dtype=str)
    if kind is float:
        return np.where(text == "", "nan", text).astype(np.float64)
    return text if kind is str else text.astype(np.int64)


def partial_file(folder: Path, writer: int = 0) -> Path:
    """Return where a writer appends its rows as they come; a kill leaves at most one cut line."""
    return folder / f"partial-{writer}.csv"


def gathered(folder: Path) -> dict[int, str]:
    """Return the whole lines that earlier runs left, by pair, and leave them in one clean file."""
    lines: dict[int, str] = {}
    paths = sorted(folder.glob("partial-*.csv"))
    for path in paths:
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                lines[int(line.split(",", 1)[0])] = line
    if paths:
        write_whole(partial_file(folder), "".join(lines.values()).encode())
        for path in paths:
            if path != partial_file(folder):
                path.unlink()
    return lines


def write_rows(path: Path, lines: Mapping[int, str]) -> None:
    """Write ``pairs.csv`` in the pairs' order, whole or not at all."""
    text = ",".join(COLUMNS) + "\n" + "".join(lines[index] for index in sorted(lines))
    write_whole(path, text.encode())
