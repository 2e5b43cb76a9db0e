"""``dense-field``: PatchMatch on Zernike moments, dense linear fitting.

Cozzolino, Poggi and Verdoliva (IEEE TIFS 2015, [25] of the paper), for two pictures: each pixel of
the donor is matched with one of the probe, so that every match crosses the seam. Rotation-
invariant features; PatchMatch whose candidates come from neighbours by their offset and by that
continued linearly (section III of their paper); a median filter; the error of fitting an affine
offset around each pixel, small where a region was copied (section IV).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.classical.patch_match import patch_match
from cisdl_bench.models.classical.zernike import zernike_magnitudes
from cisdl_bench.models.detection import Detection, Probability, View
from cisdl_bench.records import Mask, Pixels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DenseField:
    """The detector with its parameters; ``data_specs/detectors/dense-field.toml`` explains them."""

    version: int
    radius_px: int
    order: int
    iterations: int
    median_px: int
    fit_radius_px: int
    max_fit_error: float
    min_texture: float
    max_distance: float
    grow_px: int
    smallest_share: float
    close_px: int
    name: str = "dense-field"
    identity: str = "dense-field"
    sees_truth: bool = False

    @classmethod
    def from_spec(cls) -> "DenseField":
        """Return it with the parameters in ``data_specs``."""
        return cls(**read_parameters("dense-field"))

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return both masks: 1 where the field is affine, and where it points to."""
        donor, offsets = self.copied(*self.field(view.donor, view.probe))
        y, x = np.nonzero(donor)
        probe: Pixels = np.zeros(view.probe.shape[:2], dtype=np.uint8)
        height, width = probe.shape
        to_x = np.clip(np.rint(x + offsets[0][y, x]).astype(int), 0, width - 1)
        to_y = np.clip(np.rint(y + offsets[1][y, x]).astype(int), 0, height - 1)
        probe[to_y, to_x] = 1
        disc = _disc(self.close_px // 2)
        probe = np.asarray(cv2.morphologyEx(probe, cv2.MORPH_CLOSE, disc))
        return Detection(probe.astype(np.float32), donor.astype(np.float32))

    def field(self, donor: Pixels, probe: Pixels) -> tuple[tuple[Floats, Floats], Mask]:
        """Return each donor pixel's offset (x, y) to its match in the probe, and which count.

        A match counts where there is texture, the length of the pixel's features, and where the
        two are alike for that.
        """
        first, second = (self._describe(picture) for picture in (donor, probe))
        *offsets, distance = patch_match(first, second, self.iterations)
        texture = np.linalg.norm(first, axis=2)
        alike: Mask = (texture > self.min_texture) & (distance < (self.max_distance * texture) ** 2)
        return (offsets[0], offsets[1]), alike

    def _describe(self, picture: Pixels) -> Floats:
        """Return the features of every pixel; the picture is mirrored beyond its border."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        px = self.radius_px
        mirrored = cv2.copyMakeBorder(grey, px, px, px, px, cv2.BORDER_REFLECT)
        return zernike_magnitudes(np.asarray(mirrored), px, self.order)

    def copied(self, field: tuple[Floats, Floats], alike: Mask) -> tuple[Mask, list[Floats]]:
        """Return where the field is affine over a disc, bool (H, W), and the field there.

        Near a region's border features and fits see what is not copied: the fitting places are
        grown, each with the offset of the nearest one that fits. Small specks are left out.
        """
        smooth = [
            np.asarray(cv2.medianBlur(np.ascontiguousarray(part), self.median_px), np.float32)
            for part in field
        ]
        error = fit_error(smooth, self.fit_radius_px)
        good = ((error < self.max_fit_error) & alike).astype(np.uint8)
        _, parts, statistics, _ = cv2.connectedComponentsWithStats(
            cv2.dilate(good, _disc(self.grow_px))
        )
        large = statistics[:, cv2.CC_STAT_AREA] >= self.smallest_share * alike.size
        large[0] = False
        _, nearest = cv2.distanceTransformWithLabels(
            1 - good, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        label_of_good = nearest[good > 0]
        offsets = []
        for part in smooth:
            by_label = np.zeros(int(nearest.max()) + 1, dtype=np.float32)
            by_label[label_of_good] = part[good > 0]
            offsets.append(by_label[nearest])
        return large[parts], offsets


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)


def fit_error(field: list[Floats], radius: int) -> Floats:
    """Return the squared error of the best affine fit of an offset field over a disc, summed.

    Around a pixel 1, x and y are orthogonal, so that the error is the sum of squares less the
    squares of three projections (Cozzolino et al., equation 9).

    Args:
        field: Offsets in x and in y, float32 (H, W) each.
        radius: Radius of the disc in px.

    >>> y, x = np.mgrid[:9, :9].astype(np.float32)
    >>> bool(fit_error([2 + x / 2 - y, 3 * y], 2)[4, 4] < 1e-3)
    True
    """
    disc = _disc(radius).astype(np.float64)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1] * disc
    largest = max(float(np.abs(part).max()) for part in field)
    # Offsets are whole numbers, whose sums below 2**24 are exact in float32.
    kind = cv2.CV_32F if largest**2 * disc.sum() < 2**24 else cv2.CV_64F
    total = np.zeros(field[0].shape, dtype=np.float64)
    for part in field:
        values = part.astype(np.float32 if kind == cv2.CV_32F else np.float64)

        def summed(kernel: npt.NDArray[np.float64], image: npt.NDArray[Any]) -> npt.NDArray[Any]:
            filtered = cv2.filter2D(image, kind, kernel, borderType=cv2.BORDER_REFLECT)
            return np.asarray(filtered).astype(np.float64)

        total += summed(disc, values**2) - summed(disc, values) ** 2 / disc.sum()
        for side in (x, y):
            total -= summed(side, values) ** 2 / (side**2).sum()
    return np.maximum(total, 0).astype(np.float32)
