"""All outlines of an instances file at once, measured and put into another order."""

import numpy as np
import numpy.typing as npt

from cisdl_bench.sources.entries import Entries

_BLOCK = 1 << 15

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def cumulate(lengths: npt.ArrayLike) -> Ints:
    """Return where parts of these lengths start, and where the last one ends, (n + 1,).

    >>> cumulate([2, 3]).tolist()
    [0, 2, 5]
    """
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


class Shapes:
    """Outlines as points (x, y); run lengths lie among them two by two.

    Args:
        entries: Annotations of a file.

    Attributes:
        points: Coordinates of all points, float64, (P, 2).
        part_counts: Number of parts of each annotation.
        point_counts: Number of points of each part.
        point_start: First point of each part, and the number of all points.
        first_part: First part of each annotation, and the number of all parts.
    """

    def __init__(self, entries: Entries) -> None:
        self.points = np.frombuffer(entries.numbers, dtype=np.float64).reshape(-1, 2)
        self.part_counts = np.frombuffer(entries.part_counts, dtype=np.int64)
        self.point_counts = np.frombuffer(entries.part_lengths, dtype=np.int64) // 2
        self.point_start = cumulate(self.point_counts)
        self.first_part = cumulate(self.part_counts)

    def measure(self) -> tuple[Floats, Floats, Floats]:
        """Return each outline's area (shoelace, parts added), lowest and highest x, y."""
        n = len(self.part_counts)
        area, low, high = np.empty(n), np.empty((n, 2)), np.empty((n, 2))
        for a in range(0, n, _BLOCK):
            b = min(a + _BLOCK, n)
            part, part_end = self.first_part[a], self.first_part[b]
            point = self.point_start[part]
            points = self.points[point : self.point_start[part_end]]
            begin = self.point_start[part:part_end] - point
            following = np.arange(1, len(points) + 1)
            following[self.point_start[part + 1 : part_end + 1] - point - 1] = begin
            x, y = points.T
            with np.errstate(all="ignore"):  # infinite areas are refused by name
                cross = x * y[following] - x[following] * y
            first = self.first_part[a:b] - part
            with np.errstate(all="ignore"):
                area[a:b] = np.add.reduceat(np.abs(np.add.reduceat(cross, begin)) / 2, first)
            low[a:b] = np.minimum.reduceat(points, begin[first])
            high[a:b] = np.maximum.reduceat(points, begin[first])
        return area, low, high

    def take(self, keep: Ints) -> tuple[Ints, Ints, Floats]:
        """Return first_part, part_start and numbers of the kept outlines in that order."""
        parts = _ranges(self.first_part[keep], self.part_counts[keep])
        start = cumulate(self.point_counts[parts])
        points = np.empty((int(start[-1]), 2))
        for low in range(0, len(parts), _BLOCK):
            block = parts[low : low + _BLOCK]
            where = _ranges(self.point_start[block], self.point_counts[block])
            points[start[low] : start[low + len(block)]] = self.points[where]
        return cumulate(self.part_counts[keep]), start * 2, points.ravel()


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """Concatenate ``range(start, start + length)`` of each."""
    offset = np.arange(int(lengths.sum())) - np.repeat(cumulate(lengths)[:-1], lengths)
    return np.asarray(np.repeat(starts, lengths) + offset)
