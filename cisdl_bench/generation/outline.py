"""A region's convex hull, and where a map puts it, computed without rendering anything."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Region
from cisdl_bench.transforms.matrix import Entry, Floats, Matrix, is_affine, moved

_HALF = 0.5  # px, from a pixel's centre to its side


class Outline(NamedTuple):
    """The convex hull of a mask's pixels and its area.

    Attributes:
        points: float64, (2, V), px: x and y of the centres of the hull's corner pixels.
        area_px: Number of the mask's pixels.
    """

    points: Floats
    area_px: int


class Extent(NamedTuple):
    """The bounding boxes of n transformed regions, px, each field of shape (n,).

    A region that the map takes behind the viewer has NaN in all of them.
    """

    left: Floats
    top: Floats
    right: Floats
    bottom: Floats

    def inside(self, size: int) -> npt.NDArray[np.int64]:
        """Return which of the boxes lie on a canvas of ``size`` px."""
        whole = (self.left >= 0) & (self.top >= 0) & (self.right <= size) & (self.bottom <= size)
        return np.flatnonzero(whole)

    def take(self, which: npt.NDArray[np.int64]) -> "Extent":
        """Return some of the boxes."""
        return Extent(*(side[which] for side in self))


def find_outline(region: Region) -> Outline:
    """Return the outline of a region that is not empty.

    >>> from cisdl_bench.records import cut_region
    >>> find_outline(cut_region(np.ones((2, 3), dtype=np.uint8))).points.max(axis=1).tolist()
    [2.5, 1.5]
    """
    bits, origin = region.bits.view(np.uint8), (region.box.left, region.box.top)
    contours, _ = cv2.findContours(bits, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=origin)
    points = np.concatenate(contours) if len(contours) > 1 else contours[0]
    hull = cv2.convexHull(points).reshape(-1, 2).T.astype(np.float64) + 0.5
    return Outline(hull, cv2.countNonZero(bits))


def transformed_extent(points: Floats, matrix: Matrix) -> Extent:
    """Return where maps put regions, exact for the union of a mask's pixel squares.

    An affine map takes a square's corners to half a pixel from its centre along both donor axes;
    under any other map the corners of the hull's squares are moved themselves.

    Args:
        points: n hulls in the donor, (2, V, n); see ``Outline``.
        matrix: n maps of the canvas.
    """
    x, y = points
    if is_affine(matrix):
        (xx, xy, x0), (yx, yy, y0), _ = matrix
        left, right = _span(xx, xy, x0, x, y)
        top, bottom = _span(yx, yy, y0, x, y)
        return Extent(left, top, right, bottom)
    corners = [(x + dx, y + dy) for dx in (-_HALF, _HALF) for dy in (-_HALF, _HALF)]
    x, y = (np.concatenate(sides) for sides in zip(*corners, strict=True))
    (wx, wy, w0) = matrix[2]
    seen = ((wx * x + wy * y + w0) > 0).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_x, at_y = (np.asarray(side) for side in moved(matrix, x, y))
    ends = (at_x.min(0), at_y.min(0), at_x.max(0), at_y.max(0))
    return Extent(*(np.where(seen, end, np.nan) for end in ends))


def _span(a: Entry, b: Entry, c: Entry, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest a x + b y + c of each region's pixel squares."""
    values = a * x + b * y
    half = _HALF * (np.abs(a) + np.abs(b))
    return values.min(axis=0) + (c - half), values.max(axis=0) + (c + half)
