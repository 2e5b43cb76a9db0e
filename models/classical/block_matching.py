"""What block-based copy-move methods share: matching across the seam, and masks from blocks."""

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.detection import Probability

Points = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


def make_grid(shape: tuple[int, ...], margin: int, step: int) -> npt.NDArray[np.int64]:
    """Return block centres (n, 2), x and y, row by row, ``margin`` px from the border.

    >>> make_grid((5, 6, 3), 2, 1).tolist()
    [[2, 2], [3, 2]]
    """
    height, width = shape[:2]
    y, x = np.mgrid[margin : height - margin : step, margin : width - margin : step]
    return np.stack([x.ravel(), y.ravel()], axis=1)


def find_nearest(
    donor: Floats, probe: Floats, most: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return distances (n, most) and indices of the probe's blocks most alike to each donor's.

    Args:
        donor: Features of the donor's blocks, float32, (n, d).
        probe: Features of the probe's blocks, float32, (m, d), m at least ``most``.
        most: Number of neighbours of each block.
    """
    from scipy.spatial import cKDTree

    distances, indices = cKDTree(probe).query(donor, k=most)
    return distances.reshape(len(donor), most), indices.reshape(len(donor), most)


def find_agreeing(
    offsets: Points, shape: tuple[int, int], within_px: float, at_least: int
) -> npt.NDArray[np.bool_]:
    """Return which blocks have enough neighbours on the grid with an offset near their own.

    Args:
        offsets: Offset of each block of a grid to its match, (n, 2); NaN where it has none.
        shape: Rows and columns of the grid.
        within_px: Largest distance in px of two offsets that agree.
        at_least: Number of neighbours that must agree with a block.

    Returns:
        bool, (n,).
    """
    field = offsets.reshape(*shape, 2)
    padded = np.pad(field, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    votes = np.zeros(shape, dtype=np.int64)
    for down in range(3):
        for right in range(3):
            if (down, right) == (1, 1):
                continue
            near = padded[down : down + shape[0], right : right + shape[1]]
            # A comparison with NaN is False: no match agrees with nothing.
            votes += np.hypot(*np.moveaxis(near - field, 2, 0)) <= within_px
    return (votes >= at_least).ravel()


def paint_blocks(centres: Points, side: int, shape: tuple[int, ...]) -> Probability:
    """Return the union of square blocks as a mask, float32 0 or 1, holes between them closed.

    Args:
        centres: Centres of the blocks, x and y in px, (n, 2).
        side: Side of a block in px.
        shape: Shape of the mask.
    """
    mask = np.zeros(shape[:2], dtype=np.uint8)
    at = np.rint(centres).astype(int)
    x, y = np.clip(at, 0, [shape[1] - 1, shape[0] - 1]).T
    mask[y, x] = 1
    block = np.ones((side, side), dtype=np.uint8)
    return np.asarray(cv2.dilate(mask, block)).astype(np.float32)
