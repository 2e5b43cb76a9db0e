"""Of masks without a truth: how sure they are, and whether both show one region."""

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Mask

#: A pixel is sure above the first probability, and doubted or sure above the second.
SURE, DOUBTED = 15 / 16, 1 / 16
_ANGLES, _RADII = 128, 48
_REACH = 4.0  # standard deviations; a disc ends at 2


def quality_score(mask: npt.NDArray[np.float32]) -> float:
    """Return MIML's quality evaluation score: pixels above 15/16 among those above 1/16.

    Near 1 a network knows where the region ends; NaN where no pixel is above 1/16. Qu et al., CVPR
    2024 (CAAA, MIML), who leave out annotations by it.

    Args:
        mask: Probabilities, float32 (H, W).

    >>> quality_score(np.float32([[0.0, 0.5, 0.95, 1.0]]))
    0.6666666666666666
    """
    some = np.count_nonzero(mask > DOUBTED)
    return int(np.count_nonzero(mask > SURE)) / int(some) if some else math.nan


def consistency(probe: Mask, donor: Mask) -> float:
    """Return how well one affine map takes one mask to the other: their IoU under it.

    A region and its copy under any of the paper's transformations give 1, but for sampling.
    Both masks are brought to mean 0 and covariance 1, which leaves a rotation and a reflection of
    an affine map (Leu, Pattern Recognition 1989); the best of these is taken. Necessary, not
    sufficient: a square and a disc agree by .83.

    Args:
        probe: Found mask of the probe, bool (H, W).
        donor: Found mask of the donor, bool (H', W').

    Returns:
        0 to 1; NaN where a mask is empty or its pixels lie on a line.

    >>> region = np.zeros((64, 64), dtype=bool)
    >>> region[10:40, 20:30] = True
    >>> round(consistency(region, region.T), 2)
    1.0
    """
    first, second = _around(probe), _around(donor)
    if first is None or second is None:
        return math.nan
    weight = np.arange(_RADII) + 0.5  # a pixel's area in polar coordinates
    areas = [float((part * weight).sum()) for part in (first, second)]
    spectrum = np.fft.rfft(first * weight, axis=0)
    other = np.fft.rfft(second, axis=0)
    # The spectrum of a reflected mask is the conjugate.
    shared = max(
        float(np.fft.irfft((spectrum * way).sum(axis=1), n=_ANGLES).max())
        for way in (other.conj(), other)
    )
    union = sum(areas) - shared
    return min(1.0, max(0.0, shared / union)) if union > 0 else math.nan


def _around(mask: Mask) -> npt.NDArray[np.float32] | None:
    """Return a mask about its centroid by angle and radius, in standard deviations.

    Returns:
        0 or 1, float32 (angles, radii); None where it has no extent.
    """
    bits = mask.view(np.uint8)
    moment = cv2.moments(bits, binaryImage=True)
    n = moment["m00"]
    if not n:
        return None
    x, y = moment["m10"] / n, moment["m01"] / n
    # A pixel is a square, not a point: 1/12 px^2 on the diagonal.
    covariance = np.array(
        [
            [moment["mu20"] / n + 1 / 12, moment["mu11"] / n],
            [moment["mu11"] / n, moment["mu02"] / n + 1 / 12],
        ]
    )
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < 0.2:
        return None
    root = (vectors * np.sqrt(values)) @ vectors.T
    points = root @ _circles()
    columns, rows = np.rint(points[0] + x).astype(int), np.rint(points[1] + y).astype(int)
    inside = (columns >= 0) & (columns < mask.shape[1]) & (rows >= 0) & (rows < mask.shape[0])
    around = np.zeros(inside.shape, dtype=np.float32)
    around[inside] = bits[rows[inside], columns[inside]]
    return around.reshape(_ANGLES, _RADII)


@lru_cache(maxsize=1)
def _circles() -> npt.NDArray[np.float64]:
    angle = np.arange(_ANGLES)[:, None] * (2 * math.pi / _ANGLES)
    radius = (np.arange(_RADII) + 0.5) * (_REACH / _RADII)
    return np.stack([(np.cos(angle) * radius).ravel(), (np.sin(angle) * radius).ravel()])
