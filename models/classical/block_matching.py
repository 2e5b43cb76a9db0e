"""What block-based copy-move methods share: matching across the seam, and masks from blocks."""

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.detection import Probability

Points = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
_CELLS = 64  # along each of three axes, at most
_ROWS = 64  # of a product at a time: it stays in the processor's cache


def make_grid(shape: tuple[int, ...], margin: int, step: int) -> npt.NDArray[np.int64]:
    """Return block centres (n, 2), x and y, row by row, ``margin`` px from the border.

    >>> make_grid((5, 6, 3), 2, 1).tolist()
    [[2, 2], [3, 2]]
    """
    height, width = shape[:2]
    y, x = np.mgrid[margin : height - margin : step, margin : width - margin : step]
    return np.stack([x.ravel(), y.ravel()], axis=1)


def find_within(
    donor: Floats, probe: Floats, most: int, within: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return distances (n, most) and indices of the probe's blocks most alike to each donor's.

    Where fewer than ``most`` blocks are that near the distance is infinite and the index 0.

    Args:
        donor: Features of the donor's blocks, float32, (n, d), d at least 3.
        probe: Features of the probe's blocks, float32, (m, d).
        most: Number of neighbours of each block, more than one.
        within: Distance from which on a block is no neighbour; a small one makes the search fast.
    """
    from scipy.spatial import cKDTree

    distances = np.full((len(donor), most), np.inf)
    indices = np.zeros((len(donor), most), dtype=np.int64)
    donors, probes = (np.flatnonzero(near) for near in _have_neighbours(donor, probe, within))
    if len(donors):
        # Splitting at the middle instead of the median builds the tree faster, for equal answers.
        tree = cKDTree(probe[probes], leafsize=32, balanced_tree=False)
        distances[donors], places = tree.query(donor[donors], k=most, distance_upper_bound=within)
        indices[donors] = np.append(probes, 0)[places]  # scipy numbers what is missing m
    return distances, indices


def _have_neighbours(
    donor: Floats, probe: Floats, within: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which blocks have one of the other picture in their cell, or in one beside it.

    Cells are cubes by the first three features, their side ``within`` or longer: what is not in
    a cell beside has no neighbour.
    """
    three = [f[:, :3] for f in (donor, probe)]
    start = np.minimum(*(f.min(axis=0) for f in three))
    span = float(np.maximum(*(f.max(axis=0) for f in three)).max() - start.min())
    side = max(within, span / _CELLS)
    cells = [np.floor_divide(f, side).astype(np.int64) for f in three]
    low = np.minimum(*(cell.min(axis=0) for cell in cells))
    size = np.maximum(*(cell.max(axis=0) for cell in cells)) - low + 1
    numbers = [np.ravel_multi_index(tuple((cell - low).T), tuple(size)) for cell in cells]
    result = []
    for own, other in (numbers, reversed(numbers)):
        held = np.zeros(size, dtype=np.uint8)
        held.ravel()[other] = 1
        for axis in range(3):
            line = np.moveaxis(held, axis, 0)
            before = line.copy()
            line[1:] |= before[:-1]
            line[:-1] |= before[1:]
        result.append(held.ravel()[own] > 0)
    return result[0], result[1]


def find_nearest(donor: Floats, probe: Floats, share: float) -> npt.NDArray[np.int64]:
    """Return the index of the probe's block most alike to each of the donor's, (n,).

    By products of matrices in float32: of blocks whose distances agree to six digits either may
    be taken. Where none is within reach, any may be.

    Args:
        donor: Features of the donor's blocks, float32, (n, d).
        probe: Features of the probe's blocks, float32, (m, d), m at least 1.
        share: Distance within reach, as a share of the length of the donor's features.
    """
    donor_length, probe_length = (np.linalg.norm(f, axis=1) for f in (donor, probe))
    donor_order, probe_order = np.argsort(donor_length), np.argsort(probe_length)
    lengths = probe_length[probe_order]
    # |p - d|^2 without |d|^2, which does not change the order.
    right = np.vstack([probe[probe_order].T, lengths * lengths])
    nearest = np.zeros(len(donor), dtype=np.int64)
    for start in range(0, len(donor), _ROWS):
        rows = donor_order[start : start + _ROWS]
        shortest, longest = donor_length[rows[[0, -1]]]
        # The lengths of two vectors differ by at most their distance.
        first = int(np.searchsorted(lengths, shortest * (1 - share)))
        last = int(np.searchsorted(lengths, longest * (1 + share), side="right"))
        if first == last:
            continue
        left = np.hstack([-2 * donor[rows], np.ones((len(rows), 1), dtype=np.float32)])
        nearest[rows] = probe_order[first + (left @ right[:, first:last]).argmin(axis=1)]
    return nearest


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
