"""``perspective``: the canvas' corners move, each on its own, and the region with them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import Entry, Floats, Matrix, product
from cisdl_bench.transforms.ranges import uniform

_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")


@dataclass(frozen=True)
class Perspective(Transformation):
    """A view from aside: the homography that four moved corners define.

    Attributes:
        reach: Largest way of a corner along each axis, share of the canvas' side; below a
            quarter every quadrangle of moved corners is convex.
    """

    name: ClassVar[str] = "perspective"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *(Parameter(f"{corner}_{axis}", 0.0, -0.24, 0.24) for corner in _CORNERS for axis in "xy"),
        Parameter(
            "perspective",
            0.0,
            0.0,
            0.34,
            "mean way of a corner, share of the side",
            "corners by {:.1%}",
        ),
    )
    numbers: ClassVar[int] = 8

    reach: Annotated[float, Meta(ge=0, le=0.24)]

    def sample(self, u: Floats, size: int) -> Floats:
        """Return how far each corner moves, shares of the side, float64 (9, ...).

        x and y of each corner, then the mean length of the four ways, which says in one number how
        strong the perspective is.
        """
        ways = uniform(u, -self.reach, self.reach)
        mean = np.hypot(ways[0::2], ways[1::2]).mean(axis=0)
        return np.concatenate([ways, mean[None]])

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the homography that takes the canvas' corners to the moved ones.

        Through the unit square, whose map to any quadrangle has a closed form (Heckbert,
        Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3).
        """
        half = size / 2
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        corners = [
            (sx * half + values[2 * k] * size, sy * half + values[2 * k + 1] * size)
            for k, (sx, sy) in enumerate(signs)
        ]
        to_square: Matrix = ((1 / size, 0.0, 0.5), (0.0, 1 / size, 0.5), (0.0, 0.0, 1.0))
        return product(_square_to(corners), to_square)

    def area_factor(self, values: tuple[Entry, ...]) -> None:
        """Return None: near parts grow and far ones shrink, so it depends on the region."""


def _square_to(corners: list[tuple[Entry, Entry]]) -> Matrix:
    """Return the map from the unit square to a quadrangle, corners in the square's order."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    sum_x, sum_y = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    ax, ay, bx, by = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    det = ax * by - bx * ay
    g, h = (sum_x * by - bx * sum_y) / det, (ax * sum_y - sum_x * ay) / det
    return (
        (x1 - x0 + g * x1, x3 - x0 + h * x3, x0),
        (y1 - y0 + g * y1, y3 - y0 + h * y3, y0),
        (g, h, 1.0),
    )
