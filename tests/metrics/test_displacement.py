import numpy as np
import pytest

from cisdl_bench.metrics.displacement import displacement, moments


def test_a_moved_region_by_hand() -> None:
    first = np.zeros((40, 50), dtype=bool)
    first[5:9, 10:20] = True
    second = np.roll(first, (24, -7), axis=(0, 1))
    assert displacement(moments(first), moments(second)) == 25
    assert displacement(moments(first), moments(first)) == 0
    # 4 x 10 pixels of centre (6.5, 14.5) become 8 x 20 of centre (9.5, 18.5): 3 and 4 pixels.
    larger = np.zeros((40, 50), dtype=bool)
    larger[6:14, 9:29] = True
    assert displacement(moments(first), moments(larger)) == 5
    assert displacement(moments(first), moments(np.zeros_like(first))) is None


@pytest.mark.parametrize("seed", range(3))
def test_centroids_are_those_of_the_pixels(seed: int) -> None:
    first, second = np.random.default_rng(seed).random((2, 30, 17)) < 0.2
    centres = [np.argwhere(mask).mean(axis=0) for mask in (first, second)]
    expected = np.linalg.norm(centres[1] - centres[0])
    assert displacement(moments(first), moments(second)) == pytest.approx(expected, rel=1e-12)
