"""Answers that are no probabilities are refused as they come, pair by pair and in batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Heard
from torch import Tensor, nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.detection import Detection, Probability, View
from cisdl_bench.models.detectors import NetworkDetector, PairDetector
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.one_pair import detect_one
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.rows import read_rows
from cisdl_bench.scoring.run import score
from cisdl_bench.store import open_pairs

NAN = float("nan")
WRONG = [
    ((1.5, 0.5, 0.5), "0.5 to 1.5"),
    ((0.5, -0.5, 0.5), "-0.5 to 0.5"),
    ((0.5, 0.5, 7.0), "0.5 to 7"),
    ((1.00001, 0.5, None), "0.5 to 1.00001"),
    ((0.5, NAN, 0.5), "NaN"),
    ((0.5, 0.5, NAN), "NaN"),
]


@dataclass(frozen=True)
class Method:
    """Says one number of every pixel of each side."""

    says: tuple[float, float, float | None]
    name: str = "mine"
    identity: str = "mine 1"
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Detection[Probability]:
        masks = [np.full(view.probe.shape[:2], value, np.float32) for value in self.says[:2]]
        return Detection(masks[0], masks[1], self.says[2])


class Network(nn.Module):
    """The same as a network."""

    def __init__(self, says: tuple[float, float, float | None]) -> None:
        super().__init__()
        self.says = says

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        n, *size = len(probe), *probe.shape[-2:]
        masks = [torch.full((n, *size), value) for value in self.says[:2]]
        own = None if self.says[2] is None else torch.full((n,), self.says[2])
        return Detection(masks[0], masks[1], own)


def both(says: tuple[float, float, float | None]) -> list[PairDetector | NetworkDetector]:
    return [PairDetector(Method(says)), NetworkDetector("mine", "mine 1", Network(says))]


@pytest.mark.parametrize(("says", "got"), WRONG)
def test_no_probabilities(
    made: Path, tmp_path: Path, says: tuple[float, float, float | None], got: str
) -> None:
    job = ScoreJob(open_pairs(made / "training"), Perturbation())
    for detector in both(says):
        message = rf"^mine: pair training/0: expected masks and a score in 0 to 1, got {got}\."
        with pytest.raises(ModelError, match=message):
            score(detector, [job], tmp_path / "scores", ScoreOptions(), Heard())
        black = np.zeros((8, 8, 3), np.uint8)
        with pytest.raises(ModelError, match=f"^mine: pair of these pictures: .* got {got}"):
            detect_one(detector, black, black, 8, ScoreOptions())


def test_rounding_is_no_error(made: Path, tmp_path: Path) -> None:
    job = ScoreJob(open_pairs(made / "training"), Perturbation())
    for k, detector in enumerate(both((1 + 5e-7, -5e-7, 1.0))):
        score(detector, [job], tmp_path / str(k), ScoreOptions(), Heard())
        rows = read_rows(tmp_path / str(k) / "training" / "pairs.csv")
        assert (rows["probe_inside"] == 1).all()
        assert (rows["donor_inside"] == 0).all()
