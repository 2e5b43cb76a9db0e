"""Maps of the plane as 3x3 matrices whose entries are numbers or arrays of many maps at once.

A matrix is three rows of three entries, ``((xx, xy, x0), (yx, yy, y0), (wx, wy, w0))``: the point
(x, y) goes to ((xx x + xy y + x0) / w, (yx x + yy y + y0) / w) with w = wx x + wy y + w0, in px.
Entries that are plain 0 or 1 cost nothing. Everything is plain multiplication and addition of
float64 in a fixed order, so that the last bit is the same on every machine.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Entry = float | Floats
Row = tuple[Entry, Entry, Entry]
Matrix = tuple[Row, Row, Row]

AFFINE: Row = (0.0, 0.0, 1.0)
IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), AFFINE)

# Sine and cosine differ in the last bit between processors; 2^-40 px never shows in a pixel.
_GRID = 2.0**40


def cos_sin(angle_deg: Entry) -> tuple[Entry, Entry]:
    """Return cosine and sine of angles in degrees, the same bits on every machine.

    >>> cos_sin(90.0)
    (0.0, 1.0)
    """
    angle = angle_deg * (math.pi / 180)
    if isinstance(angle, np.ndarray):
        cos, sin = np.rint(np.array((np.cos(angle), np.sin(angle))) * _GRID) / _GRID
        return cos, sin
    return round(math.cos(angle) * _GRID) / _GRID, round(math.sin(angle) * _GRID) / _GRID


def is_affine(matrix: Matrix) -> bool:
    """Return whether a matrix has the last row (0, 0, 1), so that parallels stay parallel."""
    row = matrix[2]
    return row is AFFINE or all(
        type(e) is float and e == a for e, a in zip(row, AFFINE, strict=True)
    )


def product(second: Matrix, first: Matrix) -> Matrix:
    """Return the map that does ``first``, then ``second``.

    >>> product(((2.0, 0.0, 0.0), *IDENTITY[1:]), ((1.0, 0.0, 3.0), *IDENTITY[1:]))[0]
    (2.0, 0.0, 6.0)
    """
    if first is IDENTITY or second is IDENTITY:
        return first if second is IDENTITY else second
    columns = tuple(zip(*first, strict=True))
    upper = [tuple(_dot(row, column) for column in columns) for row in second[:2]]
    if first[2] is AFFINE and second[2] is AFFINE:
        lower: Row = AFFINE
    else:
        lower = tuple(_dot(second[2], column) for column in columns)  # type: ignore[assignment]
    return upper[0], upper[1], lower  # type: ignore[return-value]


def _dot(row: Sequence[Entry], column: Sequence[Entry]) -> Entry:
    total: Entry | None = None
    for a, b in zip(row, column, strict=True):
        if type(a) is float:
            if a == 0.0:
                continue
            term = b if a == 1.0 else a * b
        elif type(b) is float:
            if b == 0.0:
                continue
            term = a if b == 1.0 else a * b
        else:
            term = a * b
        total = term if total is None else total + term
    return 0.0 if total is None else total


def about_centre(matrix: Matrix, size: int) -> Matrix:
    """Return a map about the canvas centre as a map of the canvas, from its top left corner.

    Args:
        matrix: Map in px from the canvas centre.
        size: Side of the canvas in px.

    >>> about_centre(((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), 10)[0]
    (2.0, 0.0, -5.0)
    """
    half = size / 2
    if is_affine(matrix):
        (xx, xy, x0), (yx, yy, y0), _ = matrix
        x0, y0 = x0 + (half - half * (xx + xy)), y0 + (half - half * (yx + yy))
        return (xx, xy, x0), (yx, yy, y0), AFFINE
    to_centre: Matrix = ((1.0, 0.0, -half), (0.0, 1.0, -half), AFFINE)
    back: Matrix = ((1.0, 0.0, half), (0.0, 1.0, half), AFFINE)
    return product(back, product(matrix, to_centre))


def inverse(matrix: Matrix) -> Matrix:
    """Return the map back, of a matrix of plain numbers.

    >>> inverse(((2.0, 0.0, 4.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))[0]
    (0.5, 0.0, -2.0)
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    det = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    rows = [tuple(entry / det + 0.0 for entry in row) for row in cofactors]  # -0 becomes 0
    return rows[0], rows[1], rows[2]  # type: ignore[return-value]


def take(matrix: Matrix, which: npt.NDArray[np.int64]) -> Matrix:
    """Return some of many maps."""
    rows = [tuple(e[which] if isinstance(e, np.ndarray) else e for e in row) for row in matrix]
    return rows[0], rows[1], rows[2]  # type: ignore[return-value]


def one(matrix: Matrix, k: int) -> Matrix:
    """Return map ``k`` of many, in plain numbers."""
    rows = [tuple(float(e[k]) if isinstance(e, np.ndarray) else e for e in row) for row in matrix]
    return rows[0], rows[1], rows[2]  # type: ignore[return-value]


def moved(matrix: Matrix, x: Entry, y: Entry) -> tuple[Entry, Entry]:
    """Return where points go, px.

    >>> moved(((1.0, 0.0, 5.0), (0.0, 1.0, -7.0), (0.0, 0.0, 1.0)), 3.0, 4.0)
    (8.0, -3.0)
    """
    (xx, xy, x0), (yx, yy, y0), (wx, wy, w0) = matrix
    at_x, at_y = xx * x + xy * y + x0, yx * x + yy * y + y0
    if is_affine(matrix):
        return at_x, at_y
    w = wx * x + wy * y + w0
    return at_x / w, at_y / w
