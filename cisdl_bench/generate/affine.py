"""The affine map of one set of parameters, from the donor's canvas to the composite's."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Parameters

Floats = npt.NDArray[np.float64]

# Sine and cosine differ in the last bit between processors; 2^-40 px never shows in a pixel.
_GRID = 2.0**40


class Affine(NamedTuple):
    """x' = xx x + xy y + x0 and y' = yx x + yy y + y0, in px from the canvas' corner."""

    xx: float | Floats
    xy: float | Floats
    x0: float | Floats
    yx: float | Floats
    yy: float | Floats
    y0: float | Floats

    def take(self, which: npt.NDArray[np.int64]) -> "Affine":
        """Return some of the maps, whose fields are arrays of shape (n,)."""
        return Affine(*(np.asarray(field)[which] for field in self))


def affine_of(parameters: Parameters, size: int) -> Affine:
    """Return the map p' = c + F S R (p + t - c), with the canvas centre c.

    t is the shift, R the rotation (counter-clockwise as seen), S the scale and F the factors of
    width and height: the transformations of PROTOCOL section 3 in the order of its table. The
    parameters may be arrays of one shape; so are the results then.

    >>> affine_of(Parameters(shift_x_px=3.0), 256)
    Affine(xx=1.0, xy=0.0, x0=3.0, yx=0.0, yy=1.0, y0=0.0)
    """
    shift_x, shift_y, degrees, scale, _, wide, high = parameters
    angle = degrees * (math.pi / 180)
    if isinstance(angle, np.ndarray):
        cos, sin = np.rint(np.array((np.cos(angle), np.sin(angle))) * _GRID) / _GRID
    else:
        cos = round(math.cos(angle) * _GRID) / _GRID
        sin = round(math.sin(angle) * _GRID) / _GRID
    wide, high = scale * wide, scale * high
    xx, xy = wide * cos, wide * sin
    yx, yy = 0.0 - high * sin, high * cos
    centre = size / 2
    x, y = shift_x - centre, shift_y - centre
    return Affine(xx, xy, centre + (xx * x + xy * y), yx, yy, centre + (yx * x + yy * y))


def inverse(affine: Affine) -> Affine:
    """Return the map back, from the composite's canvas to the donor's.

    >>> inverse(Affine(2.0, 0.0, 4.0, 0.0, 1.0, 0.0))
    Affine(xx=0.5, xy=-0.0, x0=-2.0, yx=-0.0, yy=1.0, y0=-0.0)
    """
    det = affine.xx * affine.yy - affine.xy * affine.yx
    xx, xy = affine.yy / det, -affine.xy / det
    yx, yy = -affine.yx / det, affine.xx / det
    x0 = -(xx * affine.x0 + xy * affine.y0)
    y0 = -(yx * affine.x0 + yy * affine.y0)
    return Affine(xx, xy, x0, yx, yy, y0)
