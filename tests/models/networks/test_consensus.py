"""Consensus against what its docstrings say, written out in loops."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from cisdl_bench.models.networks.consensus import (
    MAPS,
    RANKS,
    STEPS,
    Consensus,
    compare_phases,
    find_agreement,
)
from cisdl_bench.models.networks.initialise import he_initialise

H, W = 6, 5


@pytest.fixture(scope="module")
def network() -> Consensus:
    torch.manual_seed(0)
    network = Consensus(width=0.125).eval()
    he_initialise(network.features)
    return network


def draw_pictures(side: int = 64) -> Tensor:
    numbers = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, side, side), generator=numbers, dtype=torch.uint8)


def near(place: int) -> slice:
    return slice(max(place - 1, 0), place + 2)


def agree(similarity: np.ndarray) -> list[np.ndarray]:
    """Return the weights after each step, each (H, W, H, W), by loops."""
    means = similarity.mean(axis=1, keepdims=True) + similarity.mean(axis=0, keepdims=True)
    weight = np.maximum(similarity - means / 2, 0)
    weight = weight * (weight / weight.max(1, keepdims=True)) * (weight / weight.max(0))
    weight, steps = weight.reshape(H, W, H, W), []
    for step in STEPS:
        if step:
            after = np.zeros_like(weight)
            for i, j, k, m in product(range(H), range(W), range(H), range(W)):
                for down, right in product((-step, 0, step), repeat=2):
                    row, column, to_row, to_column = i + down, j + right, k + down, m + right
                    inside = 0 <= row < H and 0 <= column < W
                    if inside and 0 <= to_row < H and 0 <= to_column < W:
                        rows, columns = near(to_row), near(to_column)
                        of_donor = weight[row, column, rows, columns].max()
                        of_probe = weight[near(row), near(column), to_row, to_column].max()
                        after[i, j, k, m] += (of_donor + of_probe) / 18
            weight = after
        steps.append(weight)
    return steps


def test_agreement_is_the_mean_over_neighbours_of_their_largest_weight_nearby() -> None:
    numbers = np.random.default_rng(0)
    similarity = numbers.uniform(0.2, 1, (H * W, H * W))
    ours = find_agreement(torch.from_numpy(similarity)[None], H, W)
    for number, weight in enumerate(agree(similarity)):
        flat = weight.reshape(H * W, H * W)
        best = flat.argmax(1), flat.argmax(0)
        for side, axis in ((0, 1), (1, 0)):
            most, total, back = ours[side][0, 3 * number : 3 * number + 3]
            np.testing.assert_allclose(most, flat.max(axis=axis), rtol=1e-6)
            np.testing.assert_allclose(total, flat.sum(axis=axis), rtol=1e-6)
            there = best[1 - side][best[side]]
            rows, columns = np.divmod(np.arange(H * W), W)
            to_rows, to_columns = np.divmod(there, W)
            distance = np.hypot(to_rows - rows, to_columns - columns)
            np.testing.assert_allclose(back, np.exp(-distance / 2), rtol=1e-6)


def test_a_region_that_was_moved_agrees_and_noise_does_not() -> None:
    numbers = np.random.default_rng(1)
    side = 12
    similarity = numbers.uniform(0.3, 0.6, (side, side, side, side))
    for i, j in product(range(4, 9), range(3, 8)):  # 5x5 positions, 2 down and 3 to the right
        similarity[i, j, i + 2, j + 3] = 0.9
    flat = torch.from_numpy(similarity).reshape(1, side**2, side**2)
    probe, donor = find_agreement(flat, side, side)
    last = 3  # after one step
    most = probe[0, last].reshape(side, side), donor[0, last].reshape(side, side)
    assert most[0][6, 5] > 2 * most[0][0:3].max()
    assert most[1][8, 8] > 2 * most[1][0:3].max()
    assert probe[0, 2].reshape(side, side)[6, 5] == 1  # the best match's best match is itself


def test_the_same_pictures_match_themselves(network: Consensus) -> None:
    pictures = draw_pictures()
    with torch.no_grad():
        levels = network.describe(pictures)
        maps = network.compare(levels, levels)
    assert maps.shape == (4, MAPS, 8, 8)
    torch.testing.assert_close(maps[:2, 7:13], maps[2:, 7:13])
    assert MAPS == 4 * (1 + 6 + 6) + 3 * 3 * 4 + 4 * (1 + 6 + 5)
    largest = maps[:, 7]  # of F2, after the mean and six translations
    torch.testing.assert_close(largest, torch.ones_like(largest), atol=1e-5, rtol=0)
    ranks = maps[:, 7 : 7 + len(RANKS)]
    assert bool((ranks.diff(dim=1) <= 0).all())


def test_probe_and_donor_change_places_together(network: Consensus) -> None:
    first, second = draw_pictures().split(1)
    with torch.no_grad():
        there = network.compare(network.describe(first), network.describe(second))
        back = network.compare(network.describe(second), network.describe(first))
    torch.testing.assert_close(there[:1], back[1:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(there[1:], back[:1], atol=1e-4, rtol=1e-4)


def test_levels_are_those_of_the_features_and_of_unit_length(network: Consensus) -> None:
    pictures = draw_pictures()
    with torch.no_grad():
        third, fourth, fifth = network.features(network.prepare(pictures))
        levels = network.describe(pictures)
    for level, expected in ((levels[1], third), (levels[2], fourth), (levels[3], fifth)):
        norm = expected.norm(dim=1, keepdim=True).clamp(min=1e-12)
        torch.testing.assert_close(level[:, 0], expected / norm, atol=1e-6, rtol=1e-5)
    assert levels[0].shape == (2, 4, 4 * 16, 8, 8)


def test_half_a_position_costs_nothing() -> None:
    numbers = torch.Generator().manual_seed(2)
    a = torch.nn.functional.normalize(torch.rand(1, 4, 8, 3, 3, generator=numbers), dim=2)
    b = torch.nn.functional.normalize(torch.rand(1, 4, 8, 3, 3, generator=numbers), dim=2)
    b[:, 3, :, 0, 0] = a[:, 0, :, 2, 2]
    a[:, 2, :, 1, 1] = b[:, 0, :, 0, 2]
    similarity = compare_phases(a, b)
    assert similarity.shape == (1, 9, 9)
    assert float(similarity[0, 8, 0]) == pytest.approx(1)
    assert float(similarity[0, 4, 2]) == pytest.approx(1)
    assert float(similarity.max()) <= 1 + 1e-5


@pytest.mark.parametrize("side", [24, 40, 60])
def test_any_side_is_taken(network: Consensus, side: int) -> None:
    probe, donor = draw_pictures(side).split(1)
    with torch.no_grad():
        detection = network.detect(probe, donor)
    assert detection.probe.shape == detection.donor.shape == (1, side, side)
    assert bool(detection.probe.isfinite().all())


def test_gradients_reach_the_first_convolution(network: Consensus) -> None:
    probe, donor = draw_pictures(32).split(1)
    network(probe, donor)[0].square().sum().backward()
    gradient = network.features.conv1_1.weight.grad
    assert gradient is not None
    assert float(gradient.abs().max()) > 0
    network.zero_grad()
