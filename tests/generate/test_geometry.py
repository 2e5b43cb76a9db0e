"""Maps, outlines and extents against brute force."""

import math

import cv2
import numpy as np
import pytest

from cisdl_bench.generate.affine import Affine, affine_of, inverse
from cisdl_bench.generate.outline import extent, outline_of
from cisdl_bench.records import Parameters, region_of


def moved(affine, x: float, y: float) -> tuple[float, float]:
    return (
        affine.xx * x + affine.xy * y + affine.x0,
        affine.yx * x + affine.yy * y + affine.y0,
    )


def test_each_transformation_by_hand() -> None:
    centre = 128.0
    assert moved(affine_of(Parameters(), 256), 3, 4) == (3, 4)
    assert moved(affine_of(Parameters(shift_x_px=5, shift_y_px=-7), 256), 3, 4) == (8, -3)
    assert moved(affine_of(Parameters(scale=2), 256), 129, 126) == (130, 124)
    assert moved(affine_of(Parameters(width_factor=0.5), 256), 130, 126) == (129, 126)
    assert moved(affine_of(Parameters(height_factor=2), 256), 130, 126) == (130, 124)
    # Counter-clockwise as seen: what lies right of the centre comes to lie above it.
    x, y = moved(affine_of(Parameters(rotation_deg=90), 256), centre + 10, centre)
    assert (x, y) == pytest.approx((centre, centre - 10), abs=1e-9)


def test_the_order_is_shift_rotation_scale_deformation() -> None:
    both = affine_of(Parameters(shift_x_px=10, rotation_deg=90, scale=2, width_factor=0.5), 256)
    # (128, 128) -> shift (138, 128) -> rotation (128, 118) -> scale (128, 108) -> width: same.
    assert moved(both, 128, 128) == pytest.approx((128, 108), abs=1e-9)
    # (128, 138) -> (138, 138) -> (138, 118) -> (148, 108) -> (138, 108)
    assert moved(both, 128, 138) == pytest.approx((138, 108), abs=1e-9)


def test_inverse_brings_back() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        drawn = Parameters(*rng.uniform([-9, -9, -30, 0.5, 0, 0.5, 0.5], [9, 9, 30, 4, 1, 2, 2]))
        affine = affine_of(drawn, 256)
        x, y = rng.uniform(0, 256, 2)
        assert moved(inverse(affine), *moved(affine, x, y)) == pytest.approx((x, y), abs=1e-9)


def test_arrays_give_what_single_values_give() -> None:
    rng = np.random.default_rng(0)
    low, high = [-9, -9, -30, 0.5, 0, 0.5, 0.5], [9, 9, 30, 4, 1, 2, 2]
    drawn = rng.uniform(low, high, (50, 7)).T
    many = affine_of(Parameters(*drawn), 256)
    for k in range(50):
        assert affine_of(Parameters(*drawn[:, k].tolist()), 256) == tuple(v[k] for v in many)


def random_mask(rng: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.random((64, 64)), (0, 0), 5)
    mask = (noise > np.quantile(noise, 0.9)).astype(np.uint8)
    mask[rng.integers(64), rng.integers(64)] = 1  # a part of its own
    return mask


def alone(affine: Affine) -> Affine:
    return Affine(*(np.array([field]) for field in affine))


def test_extent_is_that_of_every_pixel_square() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        mask = random_mask(rng)
        drawn = Parameters(*rng.uniform([-9, -9, -30, 0.5, 0, 0.5, 0.5], [9, 9, 30, 4, 1, 2, 2]))
        affine = affine_of(drawn, 64)
        rows, columns = np.nonzero(mask)
        corners = [moved(affine, columns + dx, rows + dy) for dx in (0, 1) for dy in (0, 1)]
        x = np.concatenate([c[0] for c in corners])
        y = np.concatenate([c[1] for c in corners])
        outline = outline_of(region_of(mask))
        assert outline.area_px == mask.sum()
        low, high = extent(outline.points[:, :, None], alone(affine))[:, :, 0]
        assert low == pytest.approx([x.min(), y.min()], abs=1e-9)
        assert high == pytest.approx([x.max(), y.max()], abs=1e-9)


def test_one_pixel_has_an_outline() -> None:
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[2, 3] = 1
    outline = outline_of(region_of(mask))
    assert (outline.points.tolist(), outline.area_px) == ([[3.5], [2.5]], 1)
    affine = alone(affine_of(Parameters(rotation_deg=45), 9))
    low, high = extent(outline.points[:, :, None], affine)[:, :, 0]
    assert high - low == pytest.approx([math.sqrt(2)] * 2)
