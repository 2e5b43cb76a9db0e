"""Each transformation's map by hand, and against OpenCV's."""

import cv2
import numpy as np
import pytest
from placing import matrix_by, place, spec_for

from cisdl_bench.generation.outline import find_outline, transformed_extent
from cisdl_bench.generation.render import cut_out, framed, plan_warp, render
from cisdl_bench.records import cut_region
from cisdl_bench.transforms.matrix import IDENTITY, is_affine, product
from cisdl_bench.transforms.perspective import Perspective

CORNERS = np.array([[0, 0], [256, 0], [256, 256], [0, 256]], dtype=np.float32)


def test_a_product_is_numpys() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 3))
    ours = product(tuple(map(tuple, second.tolist())), tuple(map(tuple, first.tolist())))
    assert np.array(ours) == pytest.approx(second @ first, abs=1e-12)
    assert is_affine(product(IDENTITY, IDENTITY))


def test_a_flip_mirrors_the_canvas() -> None:
    horizontal = np.array(matrix_by(256, "flip", flip_x=1.0))
    assert (horizontal @ [10, 20, 1]).tolist() == [246, 20, 1]
    vertical = np.array(matrix_by(256, "flip", flip_y=1.0, shift_x_px=5))
    assert (vertical @ [10, 20, 1]).tolist() == [15, 236, 1]


@pytest.mark.parametrize("axis", ["flip_x", "flip_y"])
def test_a_flipped_region_is_the_mirrored_picture(axis: str) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=np.uint8)
    cv2.ellipse(mask, (20, 30), (12, 7), 30, 0, 360, 1, -1)
    frame = framed(picture)
    cut_out(frame, cut_region(mask))
    placement = place(mask, "flip", **{axis: 1.0})
    region, patch = render(frame, plan_warp(placement.matrix, placement.box, 64))
    turned = slice(None, None, -1)
    where = (slice(None), turned) if axis == "flip_x" else (turned,)
    inside = mask[where] != 0
    assert np.array_equal(region.on_canvas(64), inside)
    assert np.array_equal(patch[region.bits], picture[where][inside])


def random_corners(rng: np.random.Generator, reach: float = 0.24) -> dict[str, float]:
    names = [name for name in spec_for("perspective", 256).parameters if name[-2:] in ("_x", "_y")]
    return dict(zip(names, rng.uniform(-reach, reach, 8).tolist(), strict=True))


def test_a_perspective_is_opencvs() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        corners = random_corners(rng)
        moved = CORNERS + 256 * np.array(list(corners.values()), np.float32).reshape(4, 2)
        expected = cv2.getPerspectiveTransform(CORNERS, moved)
        ours = np.array(matrix_by(256, "perspective", **corners))
        assert ours / ours[2, 2] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_extent_under_a_perspective_is_that_of_every_pixel_square() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        mask = np.zeros((64, 64), dtype=np.uint8)
        centre = tuple(rng.integers(15, 50, 2).tolist())
        cv2.ellipse(mask, centre, (12, 6), rng.integers(180), 0, 360, 1, -1)
        matrix = matrix_by(64, "perspective", **random_corners(rng))
        rows, columns = np.nonzero(mask)
        x = np.concatenate([columns + dx for dx in (0, 1) for dy in (0, 1)])
        y = np.concatenate([rows + dy for dx in (0, 1) for dy in (0, 1)])
        at = np.array(matrix) @ np.stack([x, y, np.ones_like(x)])
        at = at[:2] / at[2]
        points = find_outline(cut_region(mask)).points[:, :, None]
        box = [float(side[0]) for side in transformed_extent(points, matrix)]
        assert box == pytest.approx([*at.min(axis=1), *at.max(axis=1)], abs=1e-9)


def test_a_rendered_perspective_is_opencvs_warp() -> None:
    rng = np.random.default_rng(4)
    small = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = cv2.resize(small, (128, 128), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((128, 128), dtype=np.uint8)
    cv2.ellipse(mask, (60, 64), (30, 24), 20, 0, 360, 1, -1)
    frame = framed(picture)
    cut_out(frame, cut_region(mask))
    grown = {"top_left_x": -0.2, "top_right_y": -0.15, "bottom_right_x": 0.1}
    placement = place(mask, "perspective", **grown)
    region, patch = render(frame, plan_warp(placement.matrix, placement.box, 128))
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centred = np.linalg.inv(to_corner) @ np.array(placement.matrix) @ to_corner
    expected = cv2.warpPerspective(picture, centred, (128, 128), flags=cv2.INTER_LINEAR)
    there = cv2.warpPerspective(mask * 255, centred, (128, 128), flags=cv2.INTER_LINEAR) >= 128
    inside = region.on_canvas(128)
    assert (inside != there).mean() < 2e-3
    both = inside & there
    error = np.abs(patch[both[region.box.slices]].astype(int) - expected[both])
    assert error.mean() < 1.5


def test_the_strength_of_a_perspective_is_the_mean_way_of_its_corners() -> None:
    u = np.array([1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])[:, None]
    drawn = Perspective(1.0, reach=0.2).sample(u, 256)[:, 0]
    assert drawn.tolist() == pytest.approx([0.2, 0, 0, 0, 0, 0, 0, 0, 0.05])


def test_a_region_behind_the_viewer_has_no_extent() -> None:
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[20:30, 40:60] = 1
    points = find_outline(cut_region(mask)).points[:, :, None]
    horizon = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-0.02, 0.0, 1.0))  # w is 0 at x = 50
    extent = transformed_extent(points, horizon)
    assert np.isnan([side[0] for side in extent]).all()
    assert not extent.inside(10_000).size
