"""PatchMatch against the same search written pixel by pixel."""

import cv2
import numpy as np
import pytest

from cisdl_bench.models.classical.patch_match import patch_match
from cisdl_bench.seeding import stream

PASSES = 4


def one_by_one(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The columns and rows of each pixel's match, (H, W, 2)."""
    height, width, _ = first.shape
    last = np.array([second.shape[1] - 1, second.shape[0] - 1])
    rng = stream(0, "dense-field", index=height * width)
    best = np.stack(
        [(rng.random((height, width)) * side).astype(int) for side in (last[0] + 1, last[1] + 1)], 2
    )

    def distance(y: int, x: int, place: np.ndarray) -> float:
        return float(((first[y, x].astype(float) - second[place[1], place[0]]) ** 2).sum())

    def look(candidates: np.ndarray) -> None:
        for y, x in np.ndindex(height, width):
            place = np.clip(candidates[y, x], 0, last)
            if distance(y, x, place) < distance(y, x, best[y, x]):
                best[y, x] = place

    y, x = np.mgrid[:height, :width]
    at = np.stack([x, y], axis=2)
    for turn in range(PASSES):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            for step in (1, 4) if turn < PASSES // 2 else (1,):
                back_x = np.clip(x - step * dx, 0, width - 1)
                back_y = np.clip(y - step * dy, 0, height - 1)
                near = (best - at)[back_y, back_x]
                far = near[back_y, back_x]
                look(at + near)
                look(at + 2 * near - far)
        reach = max(second.shape[:2]) // 2
        while reach >= 1:
            jump = np.rint((rng.random((2, height, width)) * 2 - 1) * reach).astype(int)
            look(best + np.moveaxis(jump, 0, 2))
            reach //= 4
    return best - at


@pytest.mark.parametrize("depth", [2, 5, 11])
def test_every_pixel_chooses_as_if_alone(depth: int) -> None:
    rng = np.random.default_rng(depth)
    second = cv2.GaussianBlur(rng.random((13, 18, depth)).astype(np.float32), (0, 0), 1)
    first = np.concatenate([second[2:9, 3:15], rng.random((3, 12, depth), dtype=np.float32)])
    x, y, distance = patch_match(first, second, PASSES)
    expected = one_by_one(first, second)
    assert np.array_equal(np.stack([x, y], axis=2), expected)
    places = np.indices(x.shape)
    there = second[(places[0] + y).astype(int), (places[1] + x).astype(int)]
    assert distance == pytest.approx(((first - there) ** 2).sum(axis=2), abs=1e-6)


def test_it_finds_a_shift() -> None:
    rng = np.random.default_rng(0)
    second = cv2.GaussianBlur(rng.random((70, 80, 3)).astype(np.float32), (0, 0), 1.5)
    first = second[12:60, 20:72]
    x, y, distance = patch_match(first, second, 8)
    assert distance.max() < 0.1
    assert (np.abs(x - 20) + np.abs(y - 12) == 0).mean() > 0.99
