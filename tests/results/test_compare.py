from pathlib import Path

import numpy as np
import pytest
from conftest import Heard, make
from sklearn.metrics import roc_auc_score

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import RunError
from cisdl_bench.metrics import intervals
from cisdl_bench.models.find import find_detector
from cisdl_bench.results.compare import compare
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score


@pytest.fixture(scope="module")
def runs(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compared")
    for name in ("oracle", "empty", "random"):
        jobs = make_score_jobs([made], ["training", "combination"], None, ListOptions(), Heard())
        score(find_detector(name), jobs, root / name, ScoreOptions(), Heard())
    return root


def test_the_oracle_beats_nothing_on_every_pair(runs: Path) -> None:
    found, changes = compare(runs / "empty", runs / "oracle", "iou")
    of = {(each.set, each.metric): each for each in found}
    iou = of["training", "iou"]
    assert (iou.a, iou.b, iou.wins, iou.losses, iou.test.n) == (0, 1, 40, 0, 40)
    assert iou.test.difference == iou.test.interval.low == iou.test.interval.high == 1
    assert iou.test.p_value == pytest.approx(1 / 2001)
    assert of["training", "nmm"].test.difference == 2
    auc = of["training", "auc"]
    assert (auc.a, auc.b, auc.wins) == (0.5, 1, None)
    assert auc.test.p_value < 0.01
    assert ("combination-normal", "auc") not in of
    assert len(changes) == 60
    assert (changes[0].a, changes[0].b) == (0, 1)
    back, _ = compare(runs / "oracle", runs / "empty", "iou", ["training"])
    assert {each.set for each in back} == {"training"}
    (iou,) = [each for each in back if each.metric == "iou"]
    assert (iou.wins, iou.losses) == (0, 40)


def test_a_method_is_no_better_than_itself(runs: Path) -> None:
    found, changes = compare(runs / "random", runs / "random", "mcc")
    assert all(each.test.difference == 0 for each in found)
    assert all(each.test.p_value == 1 for each in found)
    assert changes == []


def test_other_data_are_refused(runs: Path, coco: Path, tmp_path: Path) -> None:
    make(coco, tmp_path / "data", "combination", pairs=6, seed=1)
    jobs = make_score_jobs([tmp_path / "data"], [], None, ListOptions(), Heard())
    score(find_detector("empty"), jobs, tmp_path / "run", ScoreOptions(), Heard())
    with pytest.raises(RunError, match=r"\(fingerprint .*got others"):
        compare(runs / "empty", tmp_path / "run", "iou")
    with pytest.raises(RunError, match="--set raw: expected a set that was scored"):
        compare(runs / "empty", runs / "oracle", "iou", ["raw"])


def test_paired_auc_is_the_difference_on_the_same_resamples() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(80) < 0.4).astype(int)
    a, b = rng.random(80) + 0.2 * labels, rng.random(80) + 0.9 * labels
    test = intervals.paired_auc(labels, a, b, resamples=300)
    assert test.difference == pytest.approx(roc_auc_score(labels, b) - roc_auc_score(labels, a))
    direct = []
    for block in intervals.weights(80, 300):
        for drawn in block:
            w = drawn > 0
            if 0 < labels[w].sum() < w.sum():
                both = [roc_auc_score(labels[w], x[w], sample_weight=drawn[w]) for x in (a, b)]
                direct.append(both[1] - both[0])
    low, high = np.quantile(direct, [0.025, 0.975])
    assert test.interval == pytest.approx((low, high), abs=1e-12)
    rarer = min((np.array(direct) <= 0).sum(), (np.array(direct) >= 0).sum())
    assert test.p_value == pytest.approx(min(1, 2 * (1 + rarer) / (1 + len(direct))))
    assert np.isnan(intervals.paired_auc([1, 1], [0, 1], [1, 0]).p_value)
