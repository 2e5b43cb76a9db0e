"""``PairMetrics``: the numbers of ``score`` in anybody's loop, on any number of processes."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Heard, make
from torch import Tensor, multiprocessing

from cisdl_bench.errors import ModelError
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.scoring import pair_metrics
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.pair_metrics import PairMetrics
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.run import score
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.torch_view import PairDataset, pair_loader


class Brightness(torch.nn.Module):
    """Masks that follow from the pictures, and a score: the same in batches of any size."""

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        masks = [x[:, 1].float() / 255 for x in (probe, donor)]
        return Detection(masks[0], masks[1], masks[0][:, 100, 100])


def add(metrics: PairMetrics, batch: dict[str, Tensor]) -> None:
    answer = Brightness().detect(batch["probe"], batch["donor"])
    truth = batch["probe_mask"], batch["donor_mask"]
    metrics.update(*answer[:2], *truth, answer.score, batch["label"], batch["known"])


def share_of_rank(data: str, rank: int, metrics: PairMetrics) -> dict[str, Tensor]:
    dataset = PairDataset([data])
    for place in range(rank, len(dataset), 2):
        batch = pair_loader(torch.utils.data.Subset(dataset, [place]), batch_size=1)
        add(metrics, next(iter(batch)))
    return metrics.compute()


def in_process(rank: int, data: str, store: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    answers = {"with": share_of_rank(data, rank, PairMetrics())}
    sys.modules["torchmetrics"] = None  # as where it is not installed
    own = importlib.reload(pair_metrics).PairMetrics
    answers["without"] = share_of_rank(data, rank, own())
    torch.save(answers, f"{store}-{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def scored(coco: Path, tmp_path_factory: Any) -> tuple[Path, dict[str, Any]]:
    """A set with negatives, and the summary that ``score`` writes for ``Brightness``."""
    folder = tmp_path_factory.mktemp("metrics")
    make(coco, folder, "training", pairs=21)
    detector = NetworkDetector("brightness", "1", Brightness())
    jobs = [ScoreJob(open_pairs(folder / "training"), Perturbation())]
    result = score(detector, jobs, folder / "scores", ScoreOptions(batch_size=4), Heard())[0]
    return folder / "training", result["summary"]


def same(metrics: dict[str, Any], summary: dict[str, Any]) -> None:
    numbers = {name: float(value) for name, value in metrics.items()}
    wanted = {
        name: np.nan if value is None else value
        for name, value in summary.items()
        if not name.endswith(("_low", "_high"))
    }
    assert numbers.keys() == wanted.keys()
    for name, value in wanted.items():
        assert numbers[name] == value or (np.isnan(numbers[name]) and np.isnan(value)), name


def test_equal_to_score_to_the_last_bit(scored: tuple[Path, dict[str, Any]]) -> None:
    data, summary = scored
    metrics = PairMetrics()
    for batch in pair_loader(PairDataset([data]), batch_size=5, shuffle=True):
        add(metrics, batch)
    same(metrics.compute(), summary)
    metrics.reset()
    assert float(metrics.compute()["pairs"]) == 0


def test_two_processes_with_and_without_torchmetrics(
    scored: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("torchmetrics")
    data, summary = scored
    multiprocessing.spawn(in_process, (str(data), str(tmp_path / "store")), nprocs=2)
    for rank in (0, 1):
        answers = torch.load(tmp_path / f"store-{rank}.pt", weights_only=True)
        for numbers in answers.values():
            same(numbers, summary)


def test_a_hand_count_and_coarse_masks() -> None:
    """Two of three pixels found in one mask, none of two in the other; a negative pair is left."""
    truth = torch.zeros(2, 4, 4, dtype=torch.uint8)
    truth[0, 0, :3] = 1
    probe = torch.zeros(2, 4, 4)
    probe[0, 0, :2] = 0.75
    other = torch.zeros(2, 4, 4, dtype=torch.uint8)
    other[0, 1, :2] = 1
    metrics = PairMetrics()
    metrics.update(probe, torch.zeros(2, 1, 2, 2), truth, other)
    numbers = {name: float(value) for name, value in metrics.compute().items()}
    assert numbers["iou"] == (2 / 3 + 0) / 2
    assert (numbers["positive_pairs"], numbers["negative_pairs"]) == (1, 1)
    assert numbers["mask_auc"] == 1.0
    assert "own_auc" not in numbers


def test_a_pair_is_positive_where_either_mask_has_a_region() -> None:
    full, empty = torch.ones(1, 2, 2), torch.zeros(1, 2, 2)
    for probe_mask, donor_mask, positive in ((full, empty, 1), (empty, full, 1), (empty, empty, 0)):
        metrics = PairMetrics()
        metrics.update(full, full, probe_mask, donor_mask)
        assert float(metrics.compute()["positive_pairs"]) == positive


def test_unknown_masks_count_nowhere() -> None:
    full, empty = torch.ones(1, 2, 2), torch.zeros(1, 2, 2)
    metrics = PairMetrics()
    metrics.update(full, full, full, empty, label=torch.tensor([1]), known=torch.tensor([[1, 0]]))
    numbers = metrics.compute()
    assert (float(numbers["iou"]), float(numbers["masks_unknown"])) == (1.0, 1.0)


@pytest.mark.parametrize("value", [float("nan"), 1.5])
def test_what_is_no_probability_is_refused(value: float) -> None:
    metrics = PairMetrics()
    masks = torch.full((1, 2, 2), value)
    metrics.update(masks, masks, torch.ones(1, 2, 2), torch.ones(1, 2, 2))
    with pytest.raises(ModelError, match="PairMetrics: pair 0"):
        metrics.compute()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5])
def test_a_score_that_is_no_probability_is_refused(value: float) -> None:
    metrics = PairMetrics()
    metrics.update(*torch.ones(4, 1, 2, 2), score=torch.tensor([value]))
    with pytest.raises(ModelError, match="PairMetrics: pair 0"):
        metrics.compute()


def test_numpy_masks_are_taken() -> None:
    metrics = PairMetrics()
    masks = np.ones((4, 2, 2, 2), dtype=np.float32)
    label, score = np.array([1, 0]), np.array([0.25, 0.75])
    metrics.update(*masks, score=score, label=label, known=np.ones((2, 2)))
    numbers = metrics.compute()
    assert float(numbers["iou"]) == 1.0
    assert float(numbers["own_auc"]) == 0.0


def test_another_number_of_masks_is_refused() -> None:
    with pytest.raises(ValueError, match="donor_mask: expected 2 masks"):
        PairMetrics().update(*torch.zeros(3, 2, 2, 2), torch.zeros(1, 2, 2))
