"""An affine map of most matches by RANSAC (Fischler and Bolles, 1981), vectorised over trials."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cisdl_bench.seeding import stream

Points = npt.NDArray[np.float64]


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
        rng = stream(0, key, index=n)
        chosen = np.argsort(rng.random((self.trials, n)), axis=1)[:, :3]
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
        distance = np.linalg.norm(homogeneous @ maps - target, axis=2)
        counts = (distance < self.residual_px).sum(axis=1)
        inliers = distance[counts.argmax()] < self.residual_px
        if inliers.sum() < self.min_matches:
            return None
        fitted = np.linalg.lstsq(homogeneous[inliers], target[inliers], rcond=None)[0]
        return fitted.T, inliers
