"""One row a pair: what a detector's masks are worth, in counts, and what the pair was.

``pairs.csv`` is all that scoring leaves behind; every number of a table follows from it. Numbers
are written so that reading gives back every bit.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.hashing import hash_file
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.summary import ScoredPairs, mask_values, pair_scores
from cisdl_bench.pairs import Pairs
from cisdl_bench.records import DIFFICULTIES, KINDS, LISTED_KINDS, SIDES, UNLABELLED

Value = int | float | str | None

#: Name of the file.
ROWS = "pairs.csv"
_MOST_PX = 1 << 40  # of a mask: sums of counts stay far from 64 bits
_THEN = "Score it again with --overwrite"

COUNTS = ("tp", "fp", "fn", "tn")
#: Of the pair: its number, kind, label (-1, written as nothing, where it is not known), whether
#: the truth of each mask is known, and what the pair was made of; its parameters follow.
ABOUT: dict[str, type] = {
    "index": int,
    "kind": str,
    "label": int,
    "probe_known": int,
    "donor_known": int,
    "probe": str,
    "donor": str,
    "difficulty": str,
    "donor_id": str,
    "background_id": str,
    "annotation_id": str,
    "donor_area_px": float,
    "probe_area_px": float,
}
#: Of the detector's answer: pixels by kind (against an empty mask where the truth is not known),
#: the mean probability inside each mask, its own score.
ANSWER: dict[str, type] = {
    "moved_px": float,
    **{f"{side}_{name}": int for side in SIDES for name in COUNTS},
    **{f"{side}_inside": float for side in SIDES},
    "own_score": float,
}
#: Of the found masks alone, since rows of version 5: see ``metrics.agreement``.
SURENESS = ("probe_qes", "donor_qes", "consistency")
ANSWER |= dict.fromkeys(SURENESS, float)


def row_columns(parameters: Iterable[str]) -> dict[str, type]:
    """Return the columns of ``pairs.csv`` and the type of each.

    Args:
        parameters: Columns of the set's parameters; none of other people's pairs.
    """
    return {**ABOUT, **dict.fromkeys(parameters, float), **ANSWER}


def _parameters(columns: Sequence[str]) -> list[str]:
    """Return the columns that are parameters: those between what all sets have."""
    return list(columns[len(ABOUT) : len(columns) - len(ANSWER)])


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

    def scored_pairs(self) -> ScoredPairs:
        """Return what metrics need of the pairs."""
        counts = (self._both_masks(name) for name in COUNTS)
        return ScoredPairs(
            self["label"],
            Counts(*counts),
            self._both_masks("known") == 1,
            self._both_masks("inside"),
            self["own_score"],
        )

    def _both_masks(self, name: str) -> npt.NDArray[Any]:
        """Return a column of both masks, (n, 2), probe first."""
        return np.stack([self[f"{side}_{name}"] for side in SIDES], axis=1)

    def mask_values(self, metric: str) -> npt.NDArray[np.float64]:
        """Return a localization metric of both masks, float64 (n, 2); NaN where undefined."""
        return mask_values(self.scored_pairs(), metric)

    def pair_scores(self, rule: str) -> npt.NDArray[np.float64]:
        """Return the detection scores by one of ``RULES``, float64 (n,); NaN where none is."""
        return pair_scores(self.scored_pairs(), rule)


def read_rows(path: Path) -> Rows:
    """Return the rows of a ``pairs.csv``.

    Raises:
        RunError: It is missing, cut short, of other columns, or has a value out of its range.
    """
    try:
        table = _table(path)
    except FileNotFoundError as error:
        raise RunError.expected(
            path, "the rows of a finished set", "no such file", "Run its `score` command again"
        ) from error
    except (ValueError, OSError) as error:
        raise RunError.expected(
            path, "rows that `score` wrote", f"'{_first_line(error)}'", _THEN
        ) from error
    if SURENESS[-1] not in table.columns:  # of an earlier version
        for name in SURENESS:
            table[name] = ""
    names = [str(name) for name in table.columns]
    columns = row_columns(_parameters(names))
    if names != list(columns) or not all(map(str.isidentifier, names)):
        raise RunError.expected(
            path,
            f"the columns {', '.join(ABOUT)}, parameters, {', '.join(ANSWER)}",
            f"{len(table.columns)}, {', '.join(map(str, table.columns[:2]))} ...",
            _THEN,
        )
    try:
        rows = Rows({name: _typed(table[name], kind) for name, kind in columns.items()})
    except (ValueError, OverflowError) as error:
        got = f"'{_first_line(error)}'"
        raise RunError.expected(path, "numbers in every row", got, _THEN) from error
    _check(rows, path)
    return rows


def read_verified_rows(path: Path, sha256: str) -> Rows:
    """Return the rows of a ``pairs.csv`` whose hash a result holds.

    Raises:
        RunError: They cannot be read, or are not those that were scored.
    """
    rows = read_rows(path)
    if hash_file(path) != sha256:
        raise RunError.expected(
            path, "the rows that `score` wrote", f"{len(rows)} others, by their hash", _THEN
        )
    return rows


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check(rows: Rows, path: Path) -> None:
    """Refuse values that `score` never writes.

    Raises:
        RunError: There is one.
    """
    index = rows["index"]
    labels = (UNLABELLED, 0, 1)
    right: dict[str, tuple[str, Any]] = {
        "index": ("rising numbers, 0 or more", np.diff(index, prepend=-1) > 0),
        "kind": ("a kind of pair", np.isin(rows["kind"], (*KINDS, *LISTED_KINDS))),
        "label": ("1, 0 or nothing", np.isin(rows["label"], labels)),
        "difficulty": ("a difficulty or nothing", np.isin(rows["difficulty"], (*DIFFICULTIES, ""))),
    }
    for side in SIDES:
        right[f"{side}_known"] = ("0 or 1", np.isin(rows[f"{side}_known"], (0, 1)))
        area, inside = rows[f"{side}_area_px"], rows[f"{side}_inside"]
        right[f"{side}_area_px"] = ("0 or more", np.isnan(area) | ((area >= 0) & np.isfinite(area)))
        right[f"{side}_inside"] = ("0 to 1", np.isnan(inside) | ((inside >= 0) & (inside <= 1)))
        for name in COUNTS:
            count = rows[f"{side}_{name}"]
            right[f"{side}_{name}"] = ("pixels, 0 or more", (count >= 0) & (count < _MOST_PX))
    for name in SURENESS:
        right[name] = ("0 to 1", np.isnan(rows[name]) | ((rows[name] >= 0) & (rows[name] <= 1)))
    for name in (*_parameters(list(rows.columns)), "moved_px", "own_score"):
        right[name] = ("a finite number or nothing", ~np.isinf(rows[name]))
    for name, (what, fits) in right.items():
        if not fits.all():
            line = int(np.argmin(fits))
            where = f"{path}: row {line + 2}: {name}"
            raise RunError.expected(where, what, f"'{rows[name][line]}'", _THEN)


def read_lines(pairs: Pairs, lines: Sequence[str]) -> Rows:
    """Return the rows of some pairs' lines as ``format_row`` gives them."""
    columns = row_columns(pairs.parameters)
    table = _table(io.StringIO("".join([",".join(columns) + "\n", *lines])))
    return Rows({name: _typed(table[name], kind) for name, kind in columns.items()})


def _table(source: Path | io.StringIO) -> Any:
    import pandas as pd

    table = pd.read_csv(source, dtype=str, keep_default_na=False)
    if not isinstance(table.index, pd.RangeIndex):  # pandas makes names of cells that are too many
        raise ValueError("more cells than columns")
    if table.isna().to_numpy().any():
        raise ValueError("fewer cells than columns")
    return table


def _typed(column: Any, kind: type) -> npt.NDArray[Any]:
    text: npt.NDArray[np.str_] = column.to_numpy(dtype=str)
    if kind is float:
        return np.where(text == "", "nan", text).astype(np.float64)
    if kind is str:
        return text
    return np.where(text == "", str(UNLABELLED), text).astype(np.int64)
