"""The table of a set's composites: ids, difficulty, parameters and areas, as CSV."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from cisdl_bench.records import DIFFICULTIES, kind_label

_BEFORE = ("index", "donor_id", "annotation_id", "background_id", "difficulty")
_ROWS_AT_ONCE = 10_000  # of Python's own numbers, which take much memory
_AFTER = ("donor_area_px", "probe_area_px")
#: Columns that a table of pairs has before those of their composites.
PAIR_COLUMNS = ("pair", "kind", "label")


def table_columns(parameters: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the table, in order.

    Args:
        parameters: Columns of the set's parameters.
    """
    return (*_BEFORE, *parameters, *_AFTER)


def composite_lines(rows: npt.NDArray[Any], parameters: Sequence[str]) -> Iterator[str]:
    """Yield the table's lines: a header, then a line a composite.

    Real numbers are written so that they read back the same to the last bit.

    Args:
        rows: Rows of ``composites``, see ``layout``.
        parameters: Columns of the set's parameters.
    """
    names = table_columns(parameters)
    yield ",".join(names)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        columns = {name: block[name].tolist() for name in names}
        columns["difficulty"] = [DIFFICULTIES[place] for place in columns["difficulty"]]
        for values in zip(*columns.values(), strict=True):
            yield ",".join(map(str, values))


def pair_lines(
    rows: npt.NDArray[Any], parameters: Sequence[str], kinds: Sequence[str]
) -> Iterator[str]:
    """Yield the lines of the table of pairs: each composite's line once for each kind.

    Args:
        rows: Rows of ``composites``, see ``layout``.
        parameters: Columns of the set's parameters.
        kinds: Kinds of pairs of the set.

    >>> import numpy as np
    >>> from cisdl_bench.store.layout import row_type
    >>> lines = pair_lines(np.zeros(1, row_type(["scale"])), ["scale"], ["foreground", "negative"])
    >>> [line.split(",")[:5] for line in lines][1:]
    [['0', 'foreground', '1', '0', '0'], ['1', 'negative', '0', '0', '0']]
    """
    lines = composite_lines(rows, parameters)
    yield ",".join((*PAIR_COLUMNS, next(lines)))
    for place, line in enumerate(lines):
        for k, kind in enumerate(kinds):
            yield f"{place * len(kinds) + k},{kind},{kind_label(kind)},{line}"
