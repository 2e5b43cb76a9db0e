"""A pair's line of ``pairs.csv``, from what a detector said of it to the finished file.

A run appends lines as they come, each writer to a file of its own; numbers are written so that
reading gives back every bit.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cisdl_bench.errors import ModelError
from cisdl_bench.pairs import Pairs
from cisdl_bench.records import UNLABELLED
from cisdl_bench.scoring.rows import ABOUT, Value, row_columns
from cisdl_bench.store.atomic import write_whole


class PairCounts(NamedTuple):
    """What a detector said of one pair.

    Attributes:
        counts: TP, FP, FN, TN of the probe's mask, then of the donor's.
        inside: Mean probability above the threshold, of both masks; None where there is no mask.
        own_score: The detector's own probability; None where it has none.
        known: Whether each mask was compared with its truth; None where it was if that is known.
        moved_px: Distance of the true regions' centroids in probe and donor, on the canvas; None
            where a mask is empty or not known.
        quality: Share of sure pixels in each mask; NaN or None where there is none.
        consistency: Whether one map takes one found mask to the other, 0 to 1; NaN or None where
            a mask is empty or missing.
    """

    counts: tuple[int, ...]
    inside: tuple[float | None, float | None]
    own_score: float | None
    known: tuple[bool, bool] | None = None
    moved_px: float | None = None
    quality: tuple[float | None, float | None] = (None, None)
    consistency: float | None = None


ROUNDING = 1e-6  # how far a probability may lie outside 0 to 1
#: Pairs by their numbers with their counts.
Scored = list[tuple[int, PairCounts]]


def check_ends(detector: str, pair: str, ends: Sequence[float]) -> None:
    """Refuse a detector's answer that has NaN or a value outside 0 to 1.

    Args:
        detector: Name of the detector.
        pair: Name of the pair, such as ``rotation-easy/17``.
        ends: Smallest and largest values of both masks, and the score where there is one.

    Raises:
        ModelError: One of them is NaN, or further outside than float32 rounds.
    """
    if all(-ROUNDING <= end <= 1 + ROUNDING for end in ends):
        return
    if any(math.isnan(end) for end in ends):
        got, then = "NaN", "Look for NaN among its weights, and for divisions by 0"
    else:
        low, high = min(ends), max(ends)
        got, then = f"{low:.7g} to {high:.7g}", "Let it return probabilities"
    where = f"{detector}: pair {pair}"
    raise ModelError.expected(where, "masks and a score in 0 to 1", got, then)


def format_row(pairs: Pairs, index: int, counts: PairCounts) -> str:
    """Return a pair's line of ``pairs.csv``."""
    label, known = pairs.label(index), counts.known or pairs.known(index)
    about: Mapping[str, Value] = {
        **pairs.about(index),
        "index": index,
        "kind": pairs.kind(index),
        "label": None if label == UNLABELLED else label,
        "probe_known": int(known[0]),
        "donor_known": int(known[1]),
    }
    cells = [
        " ".join(cell.splitlines()) if isinstance(cell, str) else cell  # a row is a line
        for cell in map(about.get, (*ABOUT, *pairs.parameters))
    ]
    sureness = (
        None if value is None or math.isnan(value) else value
        for value in (*counts.quality, counts.consistency)
    )
    answer = (counts.moved_px, *counts.counts, *counts.inside, counts.own_score, *sureness)
    line: str = _LINES.writerow([*cells, *answer])
    return line


class _Echo:
    """A file whose ``write`` returns the text: ``csv`` then formats a line at a time."""

    def write(self, text: str) -> str:
        return text


_LINES: Any = csv.writer(_Echo(), lineterminator="\n")


def partial_file(folder: Path, writer: int = 0) -> Path:
    """Return where a writer appends its rows as they come; a kill leaves at most one cut line."""
    return folder / f"partial-{writer}.csv"


def _is_complete(line: str, cells: int) -> bool:
    """Return whether a line is one that ``format_row`` gave, not a cut one."""
    values = next(csv.reader([line]), []) if line.endswith("\n") and "\0" not in line else []
    return len(values) == cells and values[0].isdecimal()


def read_lines_by_pair(pairs: Pairs, path: Path) -> dict[int, str]:
    """Return the whole lines of a writer's file by pair; none where there is no file."""
    text = path.read_text("utf-8", "replace") if path.exists() else ""
    cells = len(row_columns(pairs.parameters))
    lines = (line for line in text.splitlines(True) if _is_complete(line, cells))
    return {int(line.split(",", 1)[0]): line for line in lines}


def gather_lines(pairs: Pairs, folder: Path) -> dict[int, str]:
    """Return the whole lines that earlier runs left, by pair, and leave them in one clean file."""
    lines: dict[int, str] = {}
    paths = sorted(folder.glob("partial-*.csv"))
    for path in paths:
        lines.update(read_lines_by_pair(pairs, path))
    if paths:
        write_whole(partial_file(folder), "".join(lines.values()).encode())
        for path in paths:
            if path != partial_file(folder):
                path.unlink()
    return lines


def write_rows(pairs: Pairs, path: Path, lines: Mapping[int, str]) -> None:
    """Write ``pairs.csv`` in the pairs' order, whole or not at all."""
    text = (
        ",".join(row_columns(pairs.parameters))
        + "\n"
        + "".join(lines[index] for index in sorted(lines))
    )
    write_whole(path, text.encode())
