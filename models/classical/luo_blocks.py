"""``luo-blocks``: overlapping blocks by seven features, one common shift.

Luo, Huang and Qiu (ICPR 2006, [58] of the paper), for two pictures. A block's features are its
mean red, green and blue, and the share of its luminance in one half of it, cut in four directions
(their section 3.1). Blocks alike in all seven (3.2) vote for their shift; those of the shift with
most votes make the masks (3.3).
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.block_matching import (
    Floats,
    find_within,
    make_grid,
    paint_blocks,
)
from cisdl_bench.models.classical.filters import apply_filters
from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.detection import Detection, Probability, View, empty_detection
from cisdl_bench.records import Pixels


@dataclass(frozen=True)
class LuoBlocks:
    """The detector with its parameters; ``data_specs/detectors/luo-blocks.toml`` explains them."""

    version: int
    side_px: int
    donor_step_px: int
    max_colour: float
    max_share: float
    most_alike: int
    min_texture: float
    shift_bin_px: int
    min_blocks: int
    name: str = "luo-blocks"
    identity: str = "luo-blocks"
    sees_truth: bool = False

    @classmethod
    def from_spec(cls) -> "LuoBlocks":
        """Return it with the parameters in ``data_specs``."""
        return cls(**read_parameters("luo-blocks"))

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return both masks, empty where too few blocks have one shift."""
        donor_at, donor = self.blocks(view.donor, self.donor_step_px)
        probe_at, probe = self.blocks(view.probe, 1)
        keep = self.texture(view.donor, self.donor_step_px) > self.min_texture
        donor_at, donor = donor_at[keep], donor[keep]
        if not len(donor) or len(probe) < self.most_alike:
            return empty_detection(view)
        # Features are in units of their thresholds: alike is less than 1 in each.
        within = float(np.sqrt(donor.shape[1]))
        distances, indices = find_within(donor, probe, self.most_alike, within)
        which, choice = np.nonzero(np.isfinite(distances))
        chosen = indices[which, choice]
        alike = (np.abs(probe[chosen] - donor[which]) < 1).all(axis=1)
        which, chosen = which[alike], chosen[alike]
        if not len(which):
            return empty_detection(view)
        source, target = donor_at[which], probe_at[chosen]
        inliers = self._common_shift(target - source)
        if len(np.unique(which[inliers])) < self.min_blocks:
            return empty_detection(view)
        return Detection(
            paint_blocks(target[inliers].astype(np.float64), self.side_px, view.probe.shape),
            paint_blocks(source[inliers].astype(np.float64), self.side_px, view.donor.shape),
        )

    def blocks(self, picture: Pixels, step: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return blocks' centres (n, 2) and features, float32 (n, 7)."""
        side = self.side_px
        at = make_grid(picture.shape, side // 2, step)
        x, y = at.T
        features = np.empty((len(at), 7), dtype=np.float32)
        features[:, :3] = cv2.boxFilter(picture, cv2.CV_32F, (side, side))[y, x]
        features[:, :3] /= np.float32(self.max_colour)
        kernels = _halves(side)
        sums = apply_filters(self._inside(picture), kernels, step).reshape(len(kernels), -1)
        shares = sums[1:] / np.maximum(sums[0], 1.0) / np.float32(self.max_share)
        features[:, 3:] = shares.T
        return at, features

    def texture(self, picture: Pixels, step: int) -> npt.NDArray[np.float32]:
        """Return the deviation of the grey levels of each block, float32 (n,)."""
        grey = self._inside(picture)
        block = _halves(self.side_px)[:1]
        mean, square = (
            apply_filters(values, block, step).ravel() / self.side_px**2
            for values in (grey, grey * grey)
        )
        return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)))

    def _inside(self, picture: Pixels) -> Floats:
        """Return the grey levels that blocks reach: an even side goes less far to the right."""
        odd = self.side_px % 2
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return grey[: len(grey) - 1 + odd, : grey.shape[1] - 1 + odd]

    def _common_shift(self, shifts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which shifts lie in or beside the bin of most votes."""
        bins = np.floor_divide(shifts, self.shift_bin_px)
        low = bins.min(axis=0)
        votes = np.zeros(bins.max(axis=0) - low + 1, dtype=np.float32)
        np.add.at(votes, tuple((bins - low).T), 1)
        around = cv2.boxFilter(votes, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        top = np.array(np.unravel_index(int(np.argmax(around)), votes.shape)) + low
        result: npt.NDArray[np.bool_] = (np.abs(bins - top) <= 1).all(axis=1)
        return result


@lru_cache(maxsize=4)
def _halves(side: int) -> Floats:
    """Return kernels of a block, and of half of it: upper, left, and above either diagonal."""
    y, x = np.mgrid[:side, :side]
    whole = np.ones((side, side), dtype=bool)
    parts = (whole, 2 * y < side - 1, 2 * x < side - 1, x > y, x + y < side - 1)
    return np.stack(parts).astype(np.float32)
