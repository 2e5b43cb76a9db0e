"""An affine map of most matches by RANSAC (Fischler and Bolles, 1981), vectorised over trials."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cisdl_bench.seeding import stream

Points = npt.NDArray[np.float64]
_TRIALS = 16  # whose residuals are computed at a time, to stay in the processor's cache


@dataclass(frozen=True)
class Ransac:
    """What a map must be like.

    Attributes:
        min_matches: Number of matches, and of inliers, that a map needs.
        residual_px: Largest distance in px of an inlier from where the map takes it.
        trials: Number of samples of three matches.
        min_scale: Smallest factor by which a map may scale an axis.
        max_scale: Largest factor by which a map may scale an axis.
    """

    min_matches: int
    residual_px: float
    trials: int
    min_scale: float
    max_scale: float

    def affine(
        self, source: Points, target: Points, key: str
    ) -> tuple[Points, npt.NDArray[np.bool_]] | None:
        """Return the affine map (2, 3) of most inliers and which those are, or None.

        Of maps with equally many inliers the first drawn is kept; the draws depend on the key
        and the number of matches alone.

        Args:
            source: x and y of the matches in one picture, float64, (n, 2).
            target: x and y of the matches in the other picture, float64, (n, 2).
            key: Key of the random samples, such as the method's name.
        """
        n = len(source)
        if n < max(3, self.min_matches):
            return None
        chosen = _draw_triples(stream(0, key, index=n), self.trials, n)
        homogeneous = np.concatenate([source, np.ones((n, 1))], axis=1)
        triples = homogeneous[chosen]
        solvable = np.abs(np.linalg.det(triples)) > 1.0
        if not solvable.any():
            return None
        maps = np.linalg.solve(triples[solvable], target[chosen[solvable]])  # (trials, 3, 2)
        stretch = np.linalg.svd(maps[:, :2], compute_uv=False)
        sane = (stretch[:, 0] <= self.max_scale) & (stretch[:, 1] >= self.min_scale)
        maps = maps[sane]
        if not len(maps):
            return None
        best = maps[self._count_inliers(homogeneous, target, maps).argmax()]
        inliers = np.linalg.norm(homogeneous @ best - target, axis=1) < self.residual_px
        if inliers.sum() < self.min_matches:
            return None
        fitted = np.linalg.lstsq(homogeneous[inliers], target[inliers], rcond=None)[0]
        return fitted.T, inliers

    def _count_inliers(
        self, homogeneous: Points, target: Points, maps: Points
    ) -> npt.NDArray[np.int64]:
        """Return the number of inliers of each map; maps (trials, 3, 2)."""
        # One product gives residuals: x and y by the map, less the target.
        points = np.hstack([homogeneous, -target])
        x, y = (np.zeros((len(maps), 5)) for _ in range(2))
        x[:, :3], y[:, :3] = maps[:, :, 0], maps[:, :, 1]
        x[:, 3] = y[:, 4] = 1
        counts = []
        for start in range(0, len(maps), _TRIALS):
            part = slice(start, start + _TRIALS)
            right, down = x[part] @ points.T, y[part] @ points.T
            counts.append(np.count_nonzero(right**2 + down**2 < self.residual_px**2, axis=1))
        return np.concatenate(counts)


def _draw_triples(rng: np.random.Generator, trials: int, n: int) -> npt.NDArray[np.int64]:
    """Return three different numbers below n for each trial, (trials, 3)."""
    keys = rng.random((trials, n))
    every = np.arange(trials)
    chosen = []
    for _ in range(3):  # the three smallest keys; a sort would order the rest too
        chosen.append(keys.argmin(axis=1))
        keys[every, chosen[-1]] = 2
    return np.stack(chosen, axis=1)
