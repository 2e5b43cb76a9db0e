"""The membrane is the solution of Laplace's equation, by a sparse direct solver."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from cisdl_bench.transforms.membrane import fill_smoothly


def solved(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    height, width = known.shape
    number = np.cumsum(~known).reshape(known.shape) - 1
    rows, columns, weights = [], [], []
    right = np.zeros(((~known).sum(), values.shape[2]))
    for y, x in np.argwhere(~known):
        near = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        near = [(b, a) for b, a in near if 0 <= b < height and 0 <= a < width]
        for b, a in near:
            if known[b, a]:
                right[number[y, x]] += values[b, a]
            else:
                rows.append(number[y, x])
                columns.append(number[b, a])
                weights.append(-1.0)
        rows.append(number[y, x])
        columns.append(number[y, x])
        weights.append(float(len(near)))
    matrix = coo_array((weights, (rows, columns))).tocsc()
    surface = values.astype(float)
    surface[~known] = np.stack([spsolve(matrix, column) for column in right.T], axis=1)
    return surface


def disc(n: int) -> np.ndarray:
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return np.hypot(x, y) > n / 2 - 1.5


def at_three_edges(n: int) -> np.ndarray:
    known = np.zeros((n, n + 3), dtype=bool)
    known[-1] = True
    return known


def two_parts(n: int) -> np.ndarray:
    known = np.ones((n, 2 * n), dtype=bool)
    known[1:-1, 1:4] = known[2 : n // 2, n : 2 * n - 3] = False
    return known


@pytest.mark.parametrize("shape", [disc, at_three_edges, two_parts])
def test_half_a_grey_level_from_a_direct_solver(shape) -> None:
    rng = np.random.default_rng(1)
    known = shape(61)
    values = rng.integers(-255, 256, (*known.shape, 3)).astype(np.float32)
    filled = fill_smoothly(values, known)
    assert np.abs(filled - solved(values, known)).max() < 0.5
    assert np.array_equal(filled[known], values[known])


def test_unknown_values_are_not_looked_at() -> None:
    known = disc(9)
    values = np.where(known[..., None], np.float32(7), np.float32(np.nan))
    assert np.allclose(fill_smoothly(values, known), 7, atol=1e-3)
