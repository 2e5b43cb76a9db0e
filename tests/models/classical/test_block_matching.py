"""Searches of alike blocks against distances computed one by one."""

import numpy as np
import pytest
from skimage import data

from cisdl_bench.models.classical.block_matching import find_nearest, find_within
from cisdl_bench.models.classical.registry import make_method


def features(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(-40, 40, (n, 1)) + rng.normal(size=(n, 7))).astype(np.float32)


def distances(donor: np.ndarray, probe: np.ndarray) -> np.ndarray:
    return np.linalg.norm(donor[:, None].astype(float) - probe[None], axis=2)


@pytest.mark.parametrize("within", [1.5, 2.0, 6.0])
def test_neighbours_within_a_distance(within: float) -> None:
    donor, probe = features(0, 90), features(1, 200)
    every = distances(donor, probe)
    order = np.argsort(every, axis=1)[:, :3]
    nearest = np.take_along_axis(every, order, axis=1)
    reached = nearest < within
    got, indices = find_within(donor, probe, 3, within)
    assert reached.any()
    assert not reached.all()
    assert np.array_equal(np.isfinite(got), reached)
    assert got[reached] == pytest.approx(nearest[reached])
    assert np.array_equal(indices[reached], order[reached])
    assert not indices[~reached].any()


def test_nothing_within_a_distance() -> None:
    far = features(0, 5) + 1000
    got, indices = find_within(features(1, 9), far, 2, 1.0)
    assert np.isinf(got).all()
    assert not indices.any()


def test_the_nearest_within_a_share_of_the_length() -> None:
    donor, probe = np.abs(features(2, 150)), np.abs(features(3, 300))
    every = distances(donor, probe)
    reached = every.min(axis=1) < 0.3 * np.linalg.norm(donor, axis=1)
    nearest = find_nearest(donor, probe, 0.3)
    assert 20 < reached.sum() < 150
    assert np.array_equal(nearest[reached], every.argmin(axis=1)[reached])


def test_a_blocks_features_are_those_of_its_pixels() -> None:
    picture = np.ascontiguousarray(data.astronaut()[100:140, 200:251])
    method = make_method("luo-blocks")
    centres, features_ = method.blocks(picture, 2)
    texture = method.texture(picture, 2)
    grey = np.asarray(np.rint(picture @ [0.299, 0.587, 0.114]))
    for k in (0, 7, len(centres) - 1):
        x, y = centres[k]
        rows, columns = slice(y - 8, y + 8), slice(x - 8, x + 8)
        assert features_[k, :3] * 1.8 == pytest.approx(
            picture[rows, columns].mean((0, 1)), rel=1e-5
        )
        block = grey[rows, columns]
        upper, left = block[:8].sum() / block.sum(), block[:, :8].sum() / block.sum()
        assert features_[k, 3:5] * 0.0125 == pytest.approx([upper, left], abs=1e-3)
        assert texture[k] == pytest.approx(block.std(), abs=0.1)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [-0.8, 0.8])
def test_a_lone_neighbour_across_the_border_of_a_cell(axis: int, step: float) -> None:
    donor = np.full((1, 7), 5.5, dtype=np.float32)
    probe = donor.copy()
    probe[0, axis] += step
    for first, second in ((donor, probe), (probe, donor)):
        got, _ = find_within(first, second, 2, 1.0)
        assert got[0, 0] == pytest.approx(0.8, rel=1e-5)
        assert np.isinf(got[0, 1])
