"""The first pairs of a set, whatever their numbers are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Heard
from lists import save, sized, write_table
from torch import Tensor, nn

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import RunError
from cisdl_bench.models.checkpoints.program import ForeignNetwork
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.scoring import quick
from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation


class Left(nn.Module):
    """Finds the left half of the probe and nothing in the donor; says how bright the probe is."""

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mask = torch.zeros(len(probe), *probe.shape[2:])
        mask[:, :, : probe.shape[3] // 2] = 1
        return mask, torch.zeros_like(mask), probe.mean((1, 2, 3))


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Pairs 1 to 4: pair 0's probe is missing; the truth of pair k is its first k/8 columns."""
    rows: list[list[object]] = [["probe", "donor", "label", "probe_mask", "donor_mask"]]
    flat = np.full((64, 64, 3), 100, dtype=np.uint8)
    save(tmp_path / "donor.png", flat)
    for k in range(5):
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[:, : 8 * k] = 255
        save(tmp_path / f"m{k}.png", mask)
        if k:
            save(tmp_path / f"p{k}.png", sized(np.full((64, 64, 3), 50 * k, np.uint8), (64, 64)))
        rows.append([f"p{k}.png", "donor.png", 1, f"m{k}.png", "m1.png"])
    return write_table(tmp_path / "pairs.csv", rows)


def test_pairs_are_the_first_ones_by_their_numbers(
    numbered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = open_list(numbered, ListOptions(size=64, skip_unusable=True), Heard())
    assert list(pairs.indices) == [1, 2, 3, 4]
    monkeypatch.setattr(quick, "open_pairs", lambda _: pairs)
    network = ForeignNetwork(Left().eval(), "left")
    settings = ScoreOptions(batch_size=3)
    # Of the probe's half, k/8 of the width is true: IoU k/4; of the donor's nothing is found: 0.
    for n, shares in ((3, (1, 2, 3)), (4, (1, 2, 3, 4)), (99, (1, 2, 3, 4))):
        (found,) = quick.quick_scores(network, [numbered], n, settings)
        assert found["pairs"] == len(shares)
        assert found["iou"] == pytest.approx(np.mean([k / 8 for k in shares]))


def test_rows_carry_their_own_pair(numbered: Path) -> None:
    pairs = open_list(numbered, ListOptions(size=64, skip_unusable=True), Heard())
    dataset = PerturbedPairs(pairs, Perturbation(), False)
    detector = NetworkDetector("left", "1", ForeignNetwork(Left().eval(), "left"))
    found = dict(
        pair
        for answers in score_batches(detector, dataset, [4, 2], ScoreOptions())
        for pair in answers
    )
    # Pair k is of grey 50 k, and its true mask has 8 k columns of 64 pixels.
    for k in (2, 4):
        assert found[k].own_score == pytest.approx(50 * k / 255, abs=1e-6)
        assert found[k].counts[:4] == (512 * k, 64 * 32 - 512 * k, 0, 64 * 32)
    with pytest.raises(RunError, match="got pair 0"):
        list(score_batches(detector, dataset, [0, 1], ScoreOptions()))
