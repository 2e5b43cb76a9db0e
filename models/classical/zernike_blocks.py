"""``zernike-blocks``: blocks by the magnitudes of their Zernike moments, one affine map.

Ryu, Lee and Lee (IH 2010, [59] of the paper), for two pictures: the magnitudes do not change when
a block is turned. Matches whose neighbours agree with them (their section 3.3 wants a region of
matches) give an affine map by RANSAC; its inliers' blocks make the masks.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from cisdl_bench.models.classical.block_matching import (
    find_agreeing,
    find_nearest,
    make_grid,
    paint_blocks,
)
from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.classical.ransac import Ransac
from cisdl_bench.models.classical.zernike import zernike_magnitudes
from cisdl_bench.models.detection import Detection, Probability, View, empty_detection


@dataclass(frozen=True)
class ZernikeBlocks:
    """The detector; ``data_specs/detectors/zernike-blocks.toml`` explains its parameters."""

    version: int
    radius_px: int
    order: int
    donor_step_px: int
    probe_step_px: int
    max_distance: float
    min_texture: float
    agree_px: float
    agree_with: int
    min_blocks: int
    residual_px: float
    trials: int
    min_scale: float
    max_scale: float
    name: str = "zernike-blocks"
    identity: str = "zernike-blocks"
    sees_truth: bool = False

    @classmethod
    def from_spec(cls) -> "ZernikeBlocks":
        """Return it with the parameters in ``data_specs``."""
        return cls(**read_parameters("zernike-blocks"))

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return both masks, empty where too few blocks have one affine map."""
        described = []
        for picture, step in (
            (view.donor, self.donor_step_px),
            (view.probe, self.probe_step_px),
        ):
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
            at = make_grid(picture.shape, self.radius_px, step)
            moments = zernike_magnitudes(grey, self.radius_px, self.order, step)
            described.append((at.astype(np.float64), moments.reshape(-1, moments.shape[2])))
        (donor_at, donor), (probe_at, probe) = described
        if not len(donor) or not len(probe):
            return empty_detection(view)
        length = np.linalg.norm(donor, axis=1)
        nearest = np.zeros(len(donor), dtype=np.int64)
        textured = length > self.min_texture
        if not textured.any():
            return empty_detection(view)
        nearest[textured] = find_nearest(donor[textured], probe, self.max_distance)
        distances = np.linalg.norm(probe[nearest] - donor, axis=1)
        alike = textured & (distances < self.max_distance * length)
        target = probe_at[nearest]
        offsets = np.where(alike[:, None], target - donor_at, np.nan)
        rows = len(np.unique(donor_at[:, 1]))
        kept = alike & find_agreeing(
            offsets, (rows, len(donor) // rows), self.agree_px, self.agree_with
        )
        ransac = Ransac(
            self.min_blocks, self.residual_px, self.trials, self.min_scale, self.max_scale
        )
        result = ransac.fit(donor_at[kept], target[kept], self.name)
        if result is None:
            return empty_detection(view)
        inliers = result[1]
        side = 2 * self.radius_px + 1
        return Detection(
            paint_blocks(target[kept][inliers], side, view.probe.shape),
            paint_blocks(donor_at[kept][inliers], side, view.donor.shape),
        )
