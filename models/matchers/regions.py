"""From matched points to masks: several maps by RANSAC, and where the pictures agree under each."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.ransac import Flags, MapKind, Points, Ransac
from cisdl_bench.models.detection import Detection, Probability, View, empty_detection
from cisdl_bench.records import Pixels


@dataclass(frozen=True)
class RegionFinder:
    """The stage that all matchers share.

    A map from donor to probe is found by RANSAC; where the donor and the probe taken back by it
    look alike, in parts that hold inliers, a region was copied. The matches that the region
    explains are taken out, and the next map is looked for among the others.

    Attributes:
        map: Kind of map, ``affine`` or ``homography``.
        most_regions: Largest number of maps.
        min_matches: Number of inliers that the first map needs.
        min_matches_more: Number of inliers that further maps need: chance has more of them.
        residual_px: Largest distance in px of an inlier from where the map takes it.
        trials: Number of RANSAC's samples for a map.
        min_scale: Smallest factor by which a map may scale an axis.
        max_scale: Largest factor by which a map may scale an axis.
        window_px: Side in px of the window that differences are averaged over.
        half_level: Mean difference in grey levels that is probability one half.
        open_px: Diameter in px of the disc below which specks are left out.
    """

    map: MapKind
    most_regions: int
    min_matches: int
    min_matches_more: int
    residual_px: float
    trials: int
    min_scale: float
    max_scale: float
    window_px: int
    half_level: float
    open_px: int

    def find(
        self, view: View, donor_points: Points, probe_points: Points, key: str
    ) -> Detection[Probability]:
        """Return both masks, the union of all regions; empty where none is found.

        Args:
            view: Pair of pictures.
            donor_points: x and y of the matches in the donor, float64, (n, 2).
            probe_points: x and y of the matches in the probe, float64, (n, 2).
            key: Key of the random samples, such as the method's name.
        """
        probe, donor, _ = empty_detection(view)
        for turn in range(self.most_regions):
            needed = self.min_matches_more if turn else self.min_matches
            ransac = Ransac(
                needed, self.residual_px, self.trials, self.min_scale, self.max_scale, self.map
            )
            fit = ransac.fit(donor_points, probe_points, key)
            if fit is None:
                break
            matrix, inliers = fit
            region = self.find_alike(view.donor, view.probe, matrix, donor_points[inliers])
            taken = _warp(region, matrix, view.probe.shape)
            donor, probe = np.maximum(donor, region), np.maximum(probe, taken)
            explained = _hold(region, donor_points) & _hold(taken, probe_points)
            left = ~(inliers | explained)
            donor_points, probe_points = donor_points[left], probe_points[left]
        return Detection(probe, donor)

    def find_alike(
        self, donor: Pixels, probe: Pixels, matrix: Points, inliers: Points
    ) -> Probability:
        """Return where the donor looks like the probe taken back by the map, float32 (H, W).

        The mean absolute difference over colours and a window, after the median difference at
        the inliers (a change of luminance) is taken off, is 0 at probability 1 and ``half_level``
        at one half; parts of that without an inlier are emptied.
        """
        height, width = donor.shape[:2]
        size, flags = (width, height), cv2.WARP_INVERSE_MAP
        back = cv2.warpPerspective(
            probe.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR | flags
        )
        full = np.ones(probe.shape[:2], dtype=np.uint8)
        inside = cv2.warpPerspective(full, matrix, size, flags=cv2.INTER_NEAREST | flags)
        difference = back - donor
        x, y = np.clip(inliers.round().astype(int), 0, [width - 1, height - 1]).T
        difference -= np.median(difference[y, x], axis=0)
        window = (self.window_px, self.window_px)
        level = cv2.blur(np.abs(difference).mean(axis=2), window)
        chance = np.clip(1 - level / (2 * self.half_level), 0, 1) * inside
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self.open_px, self.open_px))
        solid = cv2.morphologyEx((chance > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc)
        _, parts = cv2.connectedComponents(solid)
        held = np.unique(parts[y, x])
        kept = np.isin(parts, held[held > 0])
        result: Probability = np.where(kept, chance, 0).astype(np.float32)
        return result


def _warp(mask: Probability, matrix: Points, shape: tuple[int, ...]) -> Probability:
    height, width = shape[:2]
    warped = cv2.warpPerspective(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(warped).astype(np.float32)


def _hold(mask: Probability, points: Points) -> Flags:
    """Return which points lie in a mask."""
    height, width = mask.shape
    x, y = np.clip(points.round().astype(int), 0, [width - 1, height - 1]).T
    held: npt.NDArray[np.bool_] = mask[y, x] > 0.5
    return held
