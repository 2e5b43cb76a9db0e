"""Maps, outlines and extents against brute force."""

import math

import cv2
import numpy as np
import pytest
from placing import matrix_by, place, spec_for

from cisdl_bench.generation.draw import composed_matrix
from cisdl_bench.generation.outline import find_outline, transformed_extent
from cisdl_bench.records import cut_region
from cisdl_bench.transforms.matrix import inverse, one


def moved(matrix, x, y) -> tuple:
    """Where a point goes, by numpy's own product."""
    at = np.array(matrix) @ np.array([x, y, np.ones_like(x)])
    return tuple(at[:2] / at[2])


def random_parameters(rng: np.random.Generator) -> dict[str, float]:
    low, high = [-9, -9, -30, 0.5, 0, 0.5, 0.5], [9, 9, 30, 4, 1, 2, 2]
    names = spec_for("combination", 256).parameters
    return dict(zip(names, rng.uniform(low, high).tolist(), strict=True))


def test_each_transformation_by_hand() -> None:
    centre = 128.0
    assert moved(matrix_by(256), 3, 4) == (3, 4)
    assert moved(matrix_by(256, shift_x_px=5, shift_y_px=-7), 3, 4) == (8, -3)
    assert moved(matrix_by(256, scale=2), 129, 126) == (130, 124)
    assert moved(matrix_by(256, width_factor=0.5), 130, 126) == (129, 126)
    assert moved(matrix_by(256, height_factor=2), 130, 126) == (130, 124)
    # Counter-clockwise as seen: what lies right of the centre comes to lie above it.
    x, y = moved(matrix_by(256, rotation_deg=90), centre + 10, centre)
    assert (x, y) == pytest.approx((centre, centre - 10), abs=1e-9)


def test_the_order_is_shift_rotation_scale_deformation() -> None:
    both = matrix_by(256, shift_x_px=10, rotation_deg=90, scale=2, width_factor=0.5)
    # (128, 128) -> shift (138, 128) -> rotation (128, 118) -> scale (128, 108) -> width: same.
    assert moved(both, 128, 128) == pytest.approx((128, 108), abs=1e-9)
    # (128, 138) -> (138, 138) -> (138, 118) -> (148, 108) -> (138, 108)
    assert moved(both, 128, 138) == pytest.approx((138, 108), abs=1e-9)


def test_inverse_brings_back() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        matrix = matrix_by(256, **random_parameters(rng))
        x, y = rng.uniform(0, 256, 2)
        assert moved(inverse(matrix), *moved(matrix, x, y)) == pytest.approx((x, y), abs=1e-9)


def test_arrays_give_what_single_values_give() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_parameters(rng) for _ in range(50)]
    columns = [np.array([parameters[name] for parameters in drawn]) for name in drawn[0]]
    many = composed_matrix(spec_for("combination", 256), columns)
    for k, parameters in enumerate(drawn):
        assert matrix_by(256, **parameters) == one(many, k)


def random_mask(rng: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.random((64, 64)), (0, 0), 5)
    mask = (noise > np.quantile(noise, 0.9)).astype(np.uint8)
    mask[rng.integers(64), rng.integers(64)] = 1  # a part of its own
    return mask


def test_extent_is_that_of_every_pixel_square() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        mask = random_mask(rng)
        matrix = matrix_by(64, **random_parameters(rng))
        rows, columns = np.nonzero(mask)
        corners = [moved(matrix, columns + dx, rows + dy) for dx in (0, 1) for dy in (0, 1)]
        x = np.concatenate([c[0] for c in corners])
        y = np.concatenate([c[1] for c in corners])
        outline = find_outline(cut_region(mask))
        assert outline.area_px == mask.sum()
        box = [float(side[0]) for side in transformed_extent(outline.points[:, :, None], matrix)]
        assert box == pytest.approx([x.min(), y.min(), x.max(), y.max()], abs=1e-9)


def test_one_pixel_has_an_outline() -> None:
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[2, 3] = 1
    outline = find_outline(cut_region(mask))
    assert (outline.points.tolist(), outline.area_px) == ([[3.5], [2.5]], 1)
    box = place(mask, rotation_deg=45).box
    assert (box[2] - box[0], box[3] - box[1]) == pytest.approx([math.sqrt(2)] * 2)
