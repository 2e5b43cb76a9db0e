"""``dense-field``: PatchMatch on Zernike moments, dense linear fitting.

Cozzolino, Poggi and Verdoliva (IEEE TIFS 2015, [25] of the paper), for two pictures: each pixel of
the donor is matched with one of the probe, so that every match crosses the seam. Rotation-
invariant features; PatchMatch whose candidates come from neighbours by their offset and by that
continued linearly (section III of their paper); a median filter; the error of fitting an affine
offset around each pixel, small where a region was copied (section IV).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.classical.zernike import zernike_magnitudes
from cisdl_bench.models.detection import Detection, Probability, View
from cisdl_bench.records import Mask, Pixels
from cisdl_bench.seeding import stream

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


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
        first, second = (
            zernike_magnitudes(
                cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32),
                self.radius_px,
                self.order,
            )
            for picture in (donor, probe)
        )
        *offsets, distance = patch_match(first, second, self.iterations)
        texture = np.linalg.norm(first, axis=2)
        alike: Mask = (texture > self.min_texture) & (distance < (self.max_distance * texture) ** 2)
        return (offsets[0], offsets[1]), alike

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
    total = np.zeros(field[0].shape, dtype=np.float64)
    for part in field:
        values = part.astype(np.float64)

        def summed(kernel: npt.NDArray[np.float64], image: npt.NDArray[np.float64]) -> Floats:
            return np.asarray(
                cv2.filter2D(image, cv2.CV_64F, kernel, borderType=cv2.BORDER_REFLECT)
            )

        total += summed(disc, values**2) - summed(disc, values) ** 2 / disc.sum()
        for side in (x, y):
            total -= summed(side, values) ** 2 / (side**2).sum()
    return np.maximum(total, 0).astype(np.float32)


def patch_match(first: Floats, second: Floats, iterations: int) -> tuple[Floats, Floats, Floats]:
    """Return the offsets (x, y) that lead each pixel of one picture to its like in the other.

    The third field is the squared distance of their features.

    All pixels look at once: at what each of four neighbours found, as it is and continued
    linearly from the neighbour behind it, then at places drawn around their own, nearer and
    nearer. Draws are keyed by the pictures' size.

    Args:
        first: Features of one picture, float32, (H, W, K).
        second: Features of the other picture, float32, (H', W', K).
        iterations: Number of passes over the picture.
    """
    height, width = first.shape[:2]
    rows, columns = second.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.int32)
    flat = first.reshape(-1, first.shape[2])
    other = second.reshape(-1, second.shape[2])
    rng = stream(0, "dense-field", index=height * width)

    def distance(to_x: Ints, to_y: Ints) -> Floats:
        difference = other[(to_y * columns + to_x).ravel()] - flat
        result: Floats = np.einsum("ij,ij->i", difference, difference).reshape(height, width)
        return result

    best_x = (rng.random((height, width)) * columns).astype(np.int32)
    best_y = (rng.random((height, width)) * rows).astype(np.int32)
    best = distance(best_x, best_y)

    def try_places(to_x: Ints, to_y: Ints) -> None:
        nonlocal best
        to_x, to_y = np.clip(to_x, 0, columns - 1), np.clip(to_y, 0, rows - 1)
        distances = distance(to_x, to_y)
        better = distances < best
        np.copyto(best_x, to_x, where=better)
        np.copyto(best_y, to_y, where=better)
        best = np.where(better, distances, best)

    for turn in range(iterations):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            for step in (1, 4) if turn < iterations // 2 else (1,):
                a, b = step * dx, step * dy
                near_x, near_y = _moved(best_x - x, a, b), _moved(best_y - y, a, b)
                try_places(x + near_x, y + near_y)
                far_x, far_y = _moved(near_x, a, b), _moved(near_y, a, b)
                try_places(x + 2 * near_x - far_x, y + 2 * near_y - far_y)
        reach = max(rows, columns) // 2
        while reach >= 1:
            jump = (rng.random((2, height, width)) * 2 - 1) * reach
            try_places(
                best_x + np.rint(jump[0]).astype(np.int32),
                best_y + np.rint(jump[1]).astype(np.int32),
            )
            reach //= 4
    return (best_x - x).astype(np.float32), (best_y - y).astype(np.float32), best


def _moved(values: Ints, dx: int, dy: int) -> Ints:
    """Return what lies (dx, dy) before each place; at the border, the border's."""
    height, width = values.shape
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    result: Ints = values[rows][:, columns]
    return result
