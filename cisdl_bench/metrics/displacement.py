"""How far a region lies from its copy: the distance between the centroids of two masks."""

import math
from typing import NamedTuple

import numpy as np

from cisdl_bench.records import Mask


class Moments(NamedTuple):
    """Sums over the pixels inside a mask, whole numbers.

    Attributes:
        pixels: Number of pixels in the mask.
        rows: Sum of the pixels' row numbers.
        columns: Sum of the pixels' column numbers.
    """

    pixels: int
    rows: int
    columns: int


def moments(mask: Mask) -> Moments:
    """Return the sums of a mask, bool (H, W).

    >>> moments(np.array([[0, 1], [0, 1]]) > 0)
    Moments(pixels=2, rows=1, columns=2)
    """
    by_row, by_column = (np.count_nonzero(mask, axis=axis) for axis in (1, 0))
    rows, columns = (int(n @ np.arange(len(n))) for n in (by_row, by_column))
    return Moments(int(by_row.sum()), rows, columns)


def displacement(first: Moments, second: Moments) -> float | None:
    """Return the distance between two masks' centroids in px; None where one is empty.

    >>> displacement(Moments(1, 0, 0), Moments(2, 6, 8))
    5.0
    """
    if not (first.pixels and second.pixels):
        return None
    return math.hypot(
        second.rows / second.pixels - first.rows / first.pixels,
        second.columns / second.pixels - first.columns / first.pixels,
    )
