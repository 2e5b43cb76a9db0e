"""``sift-ransac``: key points matched both ways, one affine map by RANSAC, a dense mask.

A classical baseline without training: SIFT (Lowe, IJCV 2004; scikit-image), nearest neighbours
that choose each other and pass Lowe's ratio test, RANSAC (Fischler and Bolles, 1981) for an
affine map from donor to probe. The mask: where the donor and the probe taken back by that map
look alike, in the parts that hold inliers.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.classical.ransac import Ransac
from cisdl_bench.models.detection import Detection, Probability, View, empty_detection
from cisdl_bench.records import Pixels

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SiftRansac:
    """The detector with its parameters; ``data_specs/detectors/sift-ransac.toml`` explains them."""

    version: int
    upsampling: int
    max_ratio: float
    min_matches: int
    residual_px: float
    trials: int
    min_scale: float
    max_scale: float
    window_px: int
    half_level: float
    open_px: int
    name: str = "sift-ransac"
    identity: str = "sift-ransac"
    sees_truth: bool = False

    @classmethod
    def from_spec(cls) -> "SiftRansac":
        """Return it with the parameters in ``data_specs``."""
        return cls(**read_parameters("sift-ransac"))

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return both masks, empty where no region of four matches or more is found."""
        donor_points, probe_points = self.matched(view.donor, view.probe)
        ransac = Ransac(
            self.min_matches, self.residual_px, self.trials, self.min_scale, self.max_scale
        )
        fit = ransac.affine(donor_points, probe_points, "sift-ransac")
        if fit is None:
            return empty_detection(view)
        matrix, inliers = fit
        donor = self.alike(view.donor, view.probe, matrix, donor_points[inliers])
        height, width = view.probe.shape[:2]
        taken = cv2.warpAffine(donor, matrix, (width, height), flags=cv2.INTER_LINEAR)
        return Detection(taken.astype(np.float32), donor)

    def matched(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return the matched key points of two pictures, float64 (M, 2) each: x and y in px."""
        from skimage.feature import SIFT, match_descriptors

        described = []
        for picture in (donor, probe):
            sift = SIFT(upsampling=self.upsampling)
            try:
                sift.detect_and_extract(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            except RuntimeError:  # scikit-image: not a single key point, as in a flat picture
                return np.zeros((0, 2)), np.zeros((0, 2))
            described.append((sift.keypoints[:, ::-1].astype(np.float64), sift.descriptors))
        (donor_points, first), (probe_points, second) = described
        pairs = match_descriptors(first, second, max_ratio=self.max_ratio, cross_check=True)
        return donor_points[pairs[:, 0]], probe_points[pairs[:, 1]]

    def alike(self, donor: Pixels, probe: Pixels, matrix: Points, inliers: Points) -> Probability:
        """Return where the donor looks like the probe taken back by the map, float32 (H, W).

        The mean absolute difference over colours and a window, after the median difference at
        the inliers (a change of luminance) is taken off, is 0 at probability 1 and ``half_level``
        at one half; parts of that without an inlier are emptied.
        """
        height, width = donor.shape[:2]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        back = cv2.warpAffine(probe.astype(np.float32), matrix, (width, height), flags=flags)
        full = np.ones(probe.shape[:2], dtype=np.uint8)
        inside = cv2.warpAffine(
            full, matrix, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        )
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
