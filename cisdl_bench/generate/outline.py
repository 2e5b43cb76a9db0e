"""Where a region's outline comes to lie, computed without rendering anything."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.generate.affine import Affine, affine_of
from cisdl_bench.records import Parameters, Region

Floats = npt.NDArray[np.float64]


class Outline(NamedTuple):
    """The convex hull of a mask's pixels and its area.

    Attributes:
        points: float64, (2, V), px: x and y of the centres of the hull's corner pixels.
        area_px: Number of the mask's pixels.
    """

    points: Floats
    area_px: int


class Placement(NamedTuple):
    """Parameters and where they put an outline.

    Attributes:
        parameters: One set of them.
        affine: Their map.
        low: Left and top of the transformed region, px.
        high: Right and bottom, px.
    """

    parameters: Parameters
    affine: Affine
    low: tuple[float, float]
    high: tuple[float, float]


def outline_of(region: Region) -> Outline:
    """Return the outline of a region that is not empty.

    >>> from cisdl_bench.records import region_of
    >>> outline_of(region_of(np.ones((2, 3), dtype=np.uint8))).points.max(axis=1).tolist()
    [2.5, 1.5]
    """
    bits, origin = region.bits.view(np.uint8), (region.box.left, region.box.top)
    contours, _ = cv2.findContours(bits, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=origin)
    points = np.concatenate(contours) if len(contours) > 1 else contours[0]
    hull = cv2.convexHull(points).reshape(-1, 2).T.astype(np.float64) + 0.5
    return Outline(hull, cv2.countNonZero(bits))


def extent(points: Floats, affine: Affine) -> Floats:
    """Return (left, top) and (right, bottom) of transformed regions, px, (2, 2, n).

    Exact for the union of a mask's pixel squares: a square's corners lie half a pixel from its
    centre along both donor axes.

    Args:
        points: n hulls in the donor, (2, V, n); see ``Outline``.
        affine: A map for each, fields of shape (n,).
    """
    xx, xy, x0, yx, yy, y0 = affine
    by_x, by_y = np.array((xx, yx)), np.array((xy, yy))
    origin = np.array((x0, y0))
    half = 0.5 * (np.abs(by_x) + np.abs(by_y))
    moved = points[0][:, None] * by_x
    moved += points[1][:, None] * by_y
    return np.stack((moved.min(0) + (origin - half), moved.max(0) + (origin + half)))


def placed(parameters: Parameters, outline: Outline, size: int) -> Placement:
    """Return where parameters, plain floats, put an outline."""
    affine = affine_of(parameters, size)
    one = Affine(*(np.array([field]) for field in affine))
    (left, top), (right, bottom) = extent(outline.points[:, :, None], one)[:, :, 0].tolist()
    return Placement(parameters, affine, (left, top), (right, bottom))
