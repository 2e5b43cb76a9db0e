"""Sureness and consistency of found masks, by hand and by maps that are known."""

import math

import cv2
import numpy as np
import pytest

from cisdl_bench.metrics.agreement import consistency, quality_score

Y, X = np.mgrid[:256, :256]
DISC = np.hypot(X - 100, Y - 120) < 60
SQUARE = (abs(X - 128) < 50) & (abs(Y - 128) < 50)


def test_the_share_of_sure_pixels_by_hand() -> None:
    ends = np.float32([1 / 16, np.nextafter(np.float32(1 / 16), np.float32(1)), 15 / 16, 0.94, 1])
    assert quality_score(ends[None]) == 2 / 4  # both ends are left out
    assert math.isnan(quality_score(np.full((4, 4), 1 / 16, dtype=np.float32)))


def test_a_square_and_a_disc_by_hand() -> None:
    """Of standard deviation 1: a disc of radius 2, a square of half-side sqrt 3."""
    half = math.sqrt(3)
    cap = 4 * math.acos(half / 2) - half * math.sqrt(4 - 3)
    shared = 4 * math.pi - 4 * cap
    expected = shared / (4 * math.pi + 4 * 3 - shared)
    assert consistency(SQUARE, DISC) == pytest.approx(expected, abs=0.01)
    assert consistency(DISC, SQUARE) == pytest.approx(expected, abs=0.01)


def polygon(rng: np.random.Generator) -> np.ndarray:
    n = rng.integers(5, 9)
    angle, radius = np.sort(rng.uniform(0, 2 * np.pi, n)), rng.uniform(30, 80, n)
    corners = np.stack([128 + radius * np.cos(angle), 128 + radius * np.sin(angle)], axis=1)
    mask = np.zeros((256, 256), dtype=np.uint8)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    return mask


@pytest.mark.parametrize("kind", ["shift", "rotation", "deformation", "flip"])
def test_a_region_agrees_with_its_copy_and_less_with_another(kind: str) -> None:
    rng = np.random.default_rng(3)
    same, other = [], []
    for _ in range(12):
        mask = polygon(rng)
        angle = rng.uniform(-np.pi, np.pi) if kind == "rotation" else 0.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretch = np.diag([rng.uniform(0.6, 1.8) if kind == "deformation" else 1.0, 1.0])
        matrix = turn @ stretch @ np.diag([-1.0 if kind == "flip" else 1.0, 1.0])
        offset = np.array([250.0, 260.0]) - matrix @ [128, 128]
        copy = cv2.warpAffine(mask, np.c_[matrix, offset], (512, 512), flags=cv2.INTER_NEAREST)
        same.append(consistency(copy > 0, mask > 0))
        other.append(consistency(copy > 0, polygon(rng) > 0))
    assert min(same) > 0.9
    assert np.mean(other) < 0.85


def test_where_nothing_can_agree_it_is_nan() -> None:
    nothing = np.zeros((8, 8), dtype=bool)
    dot, line = nothing.copy(), nothing.copy()
    dot[3, 3] = line[3] = True
    for mask in (nothing, dot, line):
        assert math.isnan(consistency(mask, SQUARE))
        assert math.isnan(consistency(SQUARE, mask))
    assert consistency(~nothing, ~nothing) == pytest.approx(1)
