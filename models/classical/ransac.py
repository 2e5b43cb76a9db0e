"""A map of most matches by RANSAC (Fischler and Bolles, 1981), vectorised over trials."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.seeding import stream

Points = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
MapKind = Literal["affine", "homography"]
_TRIALS = 16  # whose residuals are computed at a time, to stay in the processor's cache


@dataclass(frozen=True)
class Ransac:
    """What a map must be like.

    Attributes:
        min_matches: Number of matches, and of inliers, that a map needs.
        residual_px: Largest distance in px of an inlier from where the map takes it.
        trials: Number of samples of three matches, or of four for a homography.
        min_scale: Smallest factor by which a map may scale an axis.
        max_scale: Largest factor by which a map may scale an axis.
        kind: Kind of map; a homography is judged where its four matches are.
    """

    min_matches: int
    residual_px: float
    trials: int
    min_scale: float
    max_scale: float
    kind: MapKind = "affine"

    def fit(self, source: Points, target: Points, key: str) -> tuple[Points, Flags] | None:
        """Return the map of most inliers, fitted to these, and which they are; None without one.

        Of maps with equally many inliers the first drawn is kept; the draws depend on the key
        and the number of matches alone.

        Args:
            source: x and y of the matches in one picture, float64, (n, 2).
            target: x and y of the matches in the other picture, float64, (n, 2).
            key: Key of the random samples, such as the method's name.

        Returns:
            Map of homogeneous coordinates, float64 (3, 3), and bool (n,).
        """
        n = len(source)
        sampled = 3 if self.kind == "affine" else 4
        if n < max(sampled, self.min_matches):
            return None
        chosen = _draw_samples(stream(0, key, index=n), self.trials, n, sampled)
        solve = _solve_affine if self.kind == "affine" else _solve_homography
        maps = solve(source[chosen], target[chosen])
        stretch = np.linalg.svd(_linear_parts(maps[0], source[chosen[maps[1]]].mean(axis=1)))[1]
        sane = (stretch[:, 0] <= self.max_scale) & (stretch[:, 1] >= self.min_scale)
        candidates = maps[0][sane]
        if not len(candidates):
            return None
        best = candidates[self._count_inliers(source, target, candidates).argmax()]
        inliers = np.linalg.norm(apply_map(best, source) - target, axis=1) < self.residual_px
        if inliers.sum() < self.min_matches:
            return None
        return self._refine(source[inliers], target[inliers], best), inliers

    def _count_inliers(self, source: Points, target: Points, maps: Points) -> npt.NDArray[np.int64]:
        """Return the number of inliers of each map, maps (trials, 3, 3)."""
        points = np.vstack([source.T, np.ones(len(source))])
        goal = target.T
        counts = []
        for start in range(0, len(maps), _TRIALS):
            x, y, depth = np.moveaxis(maps[start : start + _TRIALS] @ points, 1, 0)
            if self.kind == "homography":
                with np.errstate(divide="ignore", invalid="ignore"):
                    x, y = x / depth, y / depth
            squares = (x - goal[0]) ** 2 + (y - goal[1]) ** 2
            counts.append(np.count_nonzero(squares < self.residual_px**2, axis=1))
        return np.concatenate(counts)

    def _refine(self, source: Points, target: Points, best: Points) -> Points:
        """Return the map of least squares of the inliers; the best of the trials without one."""
        if self.kind == "homography":
            fitted = cv2.findHomography(source, target, 0)[0]
            return best if fitted is None else np.asarray(fitted, dtype=np.float64)
        homogeneous = np.hstack([source, np.ones((len(source), 1))])
        rows = np.linalg.lstsq(homogeneous, target, rcond=None)[0].T
        return np.vstack([rows, [0.0, 0.0, 1.0]])


def apply_map(matrix: Points, points: Points) -> Points:
    """Return where a map takes points, (n, 2).

    >>> apply_map(np.diag([2.0, 2.0, 1.0]), np.array([[1.0, 3.0]])).tolist()
    [[2.0, 6.0]]
    """
    x, y, depth = matrix @ np.vstack([points.T, np.ones(len(points))])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([x / depth, y / depth], axis=1)


def _draw_samples(
    rng: np.random.Generator, trials: int, n: int, size: int
) -> npt.NDArray[np.int64]:
    """Return different numbers below n for each trial, (trials, size)."""
    keys = rng.random((trials, n))
    every = np.arange(trials)
    chosen = []
    for _ in range(size):  # the smallest keys; a sort would order the rest too
        chosen.append(keys.argmin(axis=1))
        keys[every, chosen[-1]] = 2
    return np.stack(chosen, axis=1)


def _solve_affine(source: Points, target: Points) -> tuple[Points, Flags]:
    """Return the maps through samples of three, (m, 3, 3), and which samples have one, (trials,).

    Three points in a line, or nearly so, have none.
    """
    triples = np.concatenate([source, np.ones((*source.shape[:2], 1))], axis=2)
    solvable = np.abs(np.linalg.det(triples)) > 1.0
    rows = np.linalg.solve(triples[solvable], target[solvable]).transpose(0, 2, 1)
    last = np.broadcast_to([[0.0, 0.0, 1.0]], (len(rows), 1, 3))
    return np.concatenate([rows, last], axis=1), solvable


def _solve_homography(source: Points, target: Points) -> tuple[Points, Flags]:
    """Return the maps through samples of four, as ``_solve_affine`` does; the last entry is 1.

    No three of the four points may lie in a line, or nearly so.
    """
    ones = np.ones((*source.shape[:2], 1))
    areas = [
        np.abs(np.linalg.det(np.delete(np.concatenate([points, ones], axis=2), k, axis=1)))
        for points in (source, target)
        for k in range(4)
    ]
    solvable = np.min(areas, axis=0) > 1.0
    (x, y), (u, v) = (np.moveaxis(points[solvable], 2, 0) for points in (source, target))
    one, zero = np.ones_like(x), np.zeros_like(x)
    # u (g x + h y + 1) = a x + b y + c, and v likewise (Hartley and Zisserman, section 4.1).
    equations = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=2),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=2),
        ],
        axis=1,
    )
    right = np.concatenate([u, v], axis=1)
    sound = np.abs(np.linalg.det(equations)) > 1.0
    eight = np.linalg.solve(equations[sound], right[sound][..., None])[..., 0]
    maps = np.concatenate([eight, np.ones((len(eight), 1))], axis=1).reshape(-1, 3, 3)
    solvable[np.flatnonzero(solvable)[~sound]] = False
    return maps, solvable


def _linear_parts(maps: Points, at: Points) -> Points:
    """Return the derivatives of maps (m, 3, 3) at one point each (m, 2): (m, 2, 2)."""
    points = np.concatenate([at, np.ones((len(at), 1))], axis=1)[..., None]
    x, y, depth = np.moveaxis((maps @ points)[..., 0], 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.stack([x / depth, y / depth], axis=1)
        linear = maps[:, :2, :2] - places[..., None] * maps[:, 2:, :2]
        linear = linear / depth[:, None, None]
    return np.asarray(np.nan_to_num(linear, nan=0.0, posinf=0.0, neginf=0.0))
