"""Where a region's outline comes to lie, computed without rendering anything."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.generate.affine import Affine
from cisdl_bench.records import Pixels

Floats = npt.NDArray[np.float64]


class Outline(NamedTuple):
    """The convex hull of a mask's pixels and its area.

    Attributes:
        x: float64, (V,), px: centres of the hull's corner pixels.
        y: float64, (V,), px.
        area_px: Number of the mask's pixels.
    """

    x: Floats
    y: Floats
    area_px: int


def outline_of(mask: Pixels) -> Outline:
    """Return the outline of a mask, uint8 (H, W), that is not empty.

    >>> float(outline_of(np.ones((2, 3), dtype=np.uint8)).x.max())
    2.5
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate(contours) if len(contours) > 1 else contours[0]
    hull = cv2.convexHull(points).reshape(-1, 2).astype(np.float64) + 0.5
    return Outline(hull[:, 0], hull[:, 1], cv2.countNonZero(mask))


def extent(outline: Outline, affine: Affine) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the left, top, right and bottom of the transformed region, px, each of shape (T,).

    Exact for the union of the mask's pixel squares: a square's corners lie half a pixel from its
    centre along both donor axes.

    Args:
        outline: The region in the donor.
        affine: T maps at once, fields of shape (T,); or one of plain floats, for scalars.
    """
    xx, xy, x0, yx, yy, y0 = affine
    x = np.multiply.outer(outline.x, xx) + np.multiply.outer(outline.y, xy) + x0
    y = np.multiply.outer(outline.x, yx) + np.multiply.outer(outline.y, yy) + y0
    half_x = 0.5 * (np.abs(xx) + np.abs(xy))
    half_y = 0.5 * (np.abs(yx) + np.abs(yy))
    return x.min(0) - half_x, y.min(0) - half_y, x.max(0) + half_x, y.max(0) + half_y
