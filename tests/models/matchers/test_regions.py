"""Several regions, each moved by a map of its own."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from cisdl_bench.models.classical.ransac import Ransac, apply_map
from cisdl_bench.models.classical.registry import make_method
from cisdl_bench.models.detection import View
from cisdl_bench.models.matchers.regions import RegionFinder

SIDE = 256
DONOR = cv2.resize(data.astronaut()[:400, 40:440], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
BACKGROUND = cv2.resize(data.coffee()[:, :400], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
FACE, BADGE = (118, 62, 44, 52), (172, 190, 40, 44)  # centre and half axes
TILTED = np.array([[1.1, 0.15, -30], [-0.1, 0.9, 40], [2.5e-3, -1.5e-3, 1]])


def turned(centre: tuple[int, int], degrees: float, scale: float, *shift: int) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:2, 2] += shift
    return matrix


TURNED = turned((118, 62), 25, 0.9, -50, 20)
GROWN = turned((172, 190), -10, 1.1, 20, -90)


def composed(*regions: tuple[tuple[int, ...], np.ndarray]) -> tuple[View, list[np.ndarray]]:
    """The regions pasted into the background; each one's probe mask and donor mask, alternately."""
    probe, masks = BACKGROUND.copy(), []
    for (x, y, across, down), matrix in regions:
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        cv2.ellipse(mask, (x, y), (across, down), 0, 0, 360, 1, -1)
        there = cv2.warpPerspective(mask, matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
        probe[there > 0] = cv2.warpPerspective(DONOR, matrix, (SIDE, SIDE))[there > 0]
        masks += [there > 0, mask > 0]
    return View(probe, DONOR, "composed"), masks


def recall(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(((mask > 0.5) & truth).sum() / truth.sum())


def test_two_regions_moved_by_different_maps_are_both_found() -> None:
    view, (face, face_source, badge, badge_source) = composed((FACE, TURNED), (BADGE, GROWN))
    method = make_method("sift-ransac")
    both = method.detect_pair(view)
    assert min(recall(both.probe, face), recall(both.donor, face_source)) > 0.7
    assert min(recall(both.probe, badge), recall(both.donor, badge_source)) > 0.7
    assert ((both.probe > 0.5) & ~(face | badge)).mean() < 0.02
    one = replace(method, regions=replace(method.regions, most_regions=1)).detect_pair(view)
    found = sorted((recall(one.probe, face), recall(one.probe, badge)))
    assert found[0] < 0.1
    assert found[1] > 0.7


def test_a_homography_finds_what_was_tilted() -> None:
    view, (there, source) = composed(((120, 80, 60, 68), TILTED))
    method = make_method("sift-ransac")
    tilted = replace(method, regions=replace(method.regions, map="homography")).detect_pair(view)
    assert min(recall(tilted.probe, there), recall(tilted.donor, source)) > 0.8
    assert recall(method.detect_pair(view).probe, there) < recall(tilted.probe, there)


@pytest.mark.parametrize(
    ("kind", "matrix"),
    [("affine", TURNED), ("homography", TILTED)],
)
def test_ransac_finds_the_map_of_most(kind: str, matrix: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    source = rng.uniform(0, 200, (150, 2))
    target = cv2.perspectiveTransform(source[None], matrix)[0]
    assert apply_map(matrix, source) == pytest.approx(target)
    target[90:] = rng.uniform(0, 200, (60, 2))
    ransac = Ransac(5, 2.0, 500, 0.2, 5.0, kind)
    fitted, inliers = ransac.fit(source, target, "test")
    assert fitted / fitted[2, 2] == pytest.approx(matrix, rel=1e-4, abs=1e-6)
    assert inliers[:90].all()
    assert inliers[90:].sum() <= 2
    assert ransac.fit(source[:2], target[:2], "test") is None
    in_a_line = np.stack([np.arange(9.0), np.arange(9.0)], axis=1)
    assert ransac.fit(in_a_line, in_a_line, "test") is None
    assert replace(ransac, min_scale=3.0).fit(source[:90], target[:90], "test") is None


def test_no_matches_are_empty_masks() -> None:
    finder: RegionFinder = make_method("sift-ransac").regions
    view, _ = composed((FACE, TURNED))
    none = np.zeros((0, 2))
    answer = finder.find(view, none, none, "test")
    assert not answer.probe.any()
    assert answer.donor.shape == (SIDE, SIDE)
