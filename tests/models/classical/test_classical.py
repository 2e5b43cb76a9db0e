"""The classical methods on planted copies, as far as each claims to see them."""

import time

import cv2
import numpy as np
import pytest
from planted import planted
from skimage import data

from cisdl_bench.models.classical.block_matching import find_agreeing
from cisdl_bench.models.classical.dense_field import fit_error
from cisdl_bench.models.classical.registry import make_method
from cisdl_bench.models.classical.zernike import moment_orders, zernike_magnitudes
from cisdl_bench.models.detection import View

METHODS = ("luo-blocks", "zernike-blocks", "sift-ransac", "dense-field")


def ious(method: str, view: View, truth: tuple[np.ndarray, np.ndarray]) -> list[float]:
    found = make_method(method).detect_pair(view)
    return [
        float(((mask > 0.5) & true).sum() / ((mask > 0.5) | true).sum())
        for mask, true in zip((found.probe, found.donor), truth, strict=True)
    ]


SHIFT = {"shift_x_px": 31, "shift_y_px": 45}
CLAIMS = {
    "shift": (SHIFT, METHODS),
    "rotation": ({**SHIFT, "rotation_deg": 20.0}, ("zernike-blocks", "sift-ransac", "dense-field")),
    "luminance": ({**SHIFT, "luminance": 20}, ("zernike-blocks", "sift-ransac", "dense-field")),
    "scale": ({**SHIFT, "scale": 1.3}, ("sift-ransac",)),
    "slight scale": ({**SHIFT, "scale": 1.07}, ("sift-ransac", "dense-field")),
}


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, (_, able) in CLAIMS.items() for method in able]
)
def test_a_planted_copy_is_found(name: str, method: str) -> None:
    view, truth = planted(**CLAIMS[name][0])
    assert min(ious(method, view, truth)) > 0.6


@pytest.mark.parametrize("method", METHODS)
def test_unrelated_pictures_give_next_to_nothing(method: str) -> None:
    view, _ = planted()
    alone = cv2.resize(data.coffee()[:, :400], (256, 256), interpolation=cv2.INTER_AREA)
    found = make_method(method).detect_pair(view._replace(probe=alone))
    assert max((found.probe > 0.5).mean(), (found.donor > 0.5).mean()) < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_flat_and_small_pictures_give_an_empty_answer(method: str) -> None:
    detector = make_method(method)
    for side in (256, 24):
        flat = np.full((side, side, 3), 90, dtype=np.uint8)
        found = detector.detect_pair(View(flat, flat, "flat"))
        assert found.probe.shape == found.donor.shape == (side, side)
        assert not found.probe.any()
        assert not found.donor.any()


@pytest.mark.parametrize("method", METHODS)
def test_the_same_answer_again_and_pictures_of_other_sizes(method: str) -> None:
    view, _ = planted(**SHIFT)
    wide = view._replace(probe=np.ascontiguousarray(view.probe[:200]))
    first, second = (make_method(method).detect_pair(wide) for _ in range(2))
    assert np.array_equal(first.probe, second.probe)
    assert first.probe.shape == (200, 256)
    assert first.donor.shape == (256, 256)
    assert first.donor.any()


def test_zernike_magnitudes_do_not_change_when_the_picture_is_turned() -> None:
    picture = cv2.GaussianBlur(data.camera()[100:229, 200:329].astype(np.float32), (0, 0), 2)
    plain = zernike_magnitudes(picture, 10, 5)[54, 54]
    assert len(plain) == len(moment_orders(5)) == 11
    for degrees in (90, 37):
        matrix = cv2.getRotationMatrix2D((64, 64), degrees, 1)
        turned = cv2.warpAffine(picture, matrix, (129, 129), flags=cv2.INTER_CUBIC)
        gap = np.abs(zernike_magnitudes(turned, 10, 5)[54, 54] - plain).max() / plain.max()
        assert gap < (1e-3 if degrees == 90 else 0.03)
    lit = zernike_magnitudes(picture + 40, 10, 5)[54, 54]
    assert lit == pytest.approx(plain, abs=1e-2)


def test_the_error_of_a_fit_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    field = [rng.normal(size=(15, 15)).astype(np.float32) for _ in range(2)]
    disc = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))) > 0
    y, x = np.mgrid[-3:4, -3:4]
    design = np.stack([np.ones(disc.sum()), x[disc], y[disc]], axis=1)
    expected = sum(
        float(np.linalg.lstsq(design, part[4:11, 4:11][disc], rcond=None)[1][0]) for part in field
    )
    assert fit_error(field, 3)[7, 7] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("far", [200, 3000])
def test_the_error_of_a_fit_is_exact_for_far_matches(far: int) -> None:
    x = np.tile(np.arange(40, dtype=np.float32), (40, 1))
    field = [far + x, far - 2 * x]
    assert fit_error(field, 5)[20, 20] < 1e-3
    field[0][20, 20] += 1
    assert 0.9 < fit_error(field, 5)[20, 20] < 1


def test_neighbours_agree() -> None:
    offsets = np.full((5, 5, 2), np.nan)
    offsets[1:4, 1:4] = (3, 4)
    offsets[2, 2] = (3, 5)
    offsets[1, 1] = (90, 4)
    found = find_agreeing(offsets.reshape(-1, 2), (5, 5), 1.5, 3).reshape(5, 5)
    assert found[2, 2]
    assert not found[1, 1]
    assert not found[0].any()
    assert found.sum() == 8


if __name__ == "__main__":
    for name, (parameters, able) in CLAIMS.items():
        for method in METHODS:
            view, truth = planted(**parameters)
            begun = time.perf_counter()
            found = ious(method, view, truth)
            print(name, method, method in able, np.round(found, 3), time.perf_counter() - begun)
