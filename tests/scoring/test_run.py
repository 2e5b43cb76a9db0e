import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Heard
from torch import Tensor, nn

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import ModelError, RunError, StoreError
from cisdl_bench.metrics.agreement import consistency
from cisdl_bench.models.checkpoints.program import ForeignNetwork
from cisdl_bench.models.detection import Detection, View
from cisdl_bench.models.detectors import NetworkDetector, PairDetector
from cisdl_bench.models.find import find_detector
from cisdl_bench.results.result import find_results
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring import scorers
from cisdl_bench.scoring.jobs import ScoreJob, make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.record import read_result
from cisdl_bench.scoring.rows import read_rows
from cisdl_bench.scoring.run import score
from cisdl_bench.store import open_pairs
from cisdl_bench.strict_json import json_text


class Threshold(nn.Module):
    """Finds what is red in the probe and what is green in the donor, softly."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0))

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        masks = [((x[:, k] - 0.5) * self.gain).sigmoid() for k, x in ((0, probe), (1, donor))]
        return masks[0], masks[1], masks[0].mean((1, 2))


def network() -> NetworkDetector:
    return NetworkDetector("mine", "1", ForeignNetwork(Threshold().eval(), "mine"))


def rows_of(out: Path, name: str) -> str:
    return (out / name / "pairs.csv").read_text()


def test_the_oracle_is_right_everywhere(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())]
    (result,) = score(find_detector("oracle"), jobs, tmp_path, ScoreOptions(), Heard())
    summary = result["summary"]
    assert summary["pairs"] == 60
    assert summary["positive_pairs"] == 40
    for name in ("iou", "mcc", "nmm", "f1", "mask_auc", "own_auc", "mask_precision", "mask_recall"):
        assert summary[name] == 1, name
    assert summary["mask_eer"] == 0
    assert summary["iou_low"] == summary["iou_high"] == 1


def test_empty_answers_have_known_scores(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())]
    (result,) = score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    summary = result["summary"]
    assert (summary["iou"], summary["mcc"], summary["nmm"]) == (0, 0, -1)
    assert (summary["mask_auc"], summary["mask_eer"]) == (0.5, 0.5)
    assert summary["mask_recall"] == 0
    assert np.isnan(summary["mask_precision"])


def test_rows_are_what_the_masks_say(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())]
    score(network(), jobs, tmp_path, ScoreOptions(batch_size=7), Heard())
    rows, pairs = read_rows(tmp_path / "training" / "pairs.csv"), open_pairs(made / "training")
    assert rows["index"].tolist() == list(range(60))
    for k, pair in enumerate(pairs):
        assert (rows["kind"][k], rows["label"][k]) == (pair.kind, pair.label)
        assert rows["rotation_deg"][k] == pair.numbers["rotation_deg"]
        chance = 1 / (1 + np.exp(-(pair.probe[..., 0] / 255 - 0.5) * 4))
        called = pair.probe[..., 0] > 127.5
        assert rows["probe_tp"][k] == (called & pair.probe_mask).sum()
        assert rows["probe_fp"][k] == (called & ~pair.probe_mask).sum()
        assert rows["probe_fn"][k] == (~called & pair.probe_mask).sum()
        assert rows["probe_inside"][k] == pytest.approx(chance[called].mean(), abs=1e-6)
        assert rows["donor_tp"][k] == ((pair.donor[..., 1] > 127.5) & pair.donor_mask).sum()
        assert rows["own_score"][k] == pytest.approx(chance.mean(), abs=1e-6)
        # The network's masks go from .12 to .88: no pixel is sure, all are doubted.
        assert rows["probe_qes"][k] == rows["donor_qes"][k] == 0
        both = called, pair.donor[..., 1] > 127.5
        assert rows["consistency"][k] == pytest.approx(consistency(*both), nan_ok=True)
        assert sum(rows[f"donor_{name}"][k] for name in ("tp", "fp", "fn", "tn")) == 256**2


def test_rows_say_how_far_the_region_lies_from_its_origin(made: Path, tmp_path: Path) -> None:
    pairs = open_pairs(made / "training")
    jobs = [ScoreJob(pairs, Perturbation())]
    score(network(), jobs, tmp_path / "batches", ScoreOptions(batch_size=7), Heard())
    score(find_detector("empty"), jobs, tmp_path / "pairs", ScoreOptions(), Heard())
    moved, other = (
        read_rows(tmp_path / name / "training" / "pairs.csv")["moved_px"]
        for name in ("batches", "pairs")
    )
    np.testing.assert_array_equal(moved, other)
    for k, pair in enumerate(pairs):
        if pair.kind == "negative":
            assert np.isnan(moved[k])
            continue
        centres = [np.argwhere(mask).mean(axis=0) for mask in (pair.donor_mask, pair.probe_mask)]
        assert moved[k] == pytest.approx(np.linalg.norm(centres[1] - centres[0]), abs=1e-9)
    # Scaled and turned about the canvas' centre, a region moves by other than the drawn shift.
    drawn = [np.hypot(p.numbers["shift_x_px"], p.numbers["shift_y_px"]) for p in pairs]
    foreground = np.array([pair.kind == "foreground" for pair in pairs])
    assert np.abs(moved - np.array(drawn))[foreground].max() > 5


class Undefined(nn.Module):
    """Has NaN in one mask, or for its score, of the last pair."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def detect(self, probe: Tensor, donor: Tensor) -> Detection:
        answer = [torch.zeros(len(probe), *probe.shape[2:]) for _ in range(2)]
        answer.append(torch.zeros(len(probe)))
        answer[self.place].reshape(len(probe), -1)[-1, -1] = torch.nan
        return Detection(*answer)


@pytest.mark.parametrize("place", range(3))
def test_nan_answers_are_refused(made: Path, tmp_path: Path, place: int) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())]
    detector = NetworkDetector("mine", "1", Undefined(place))
    with pytest.raises(ModelError, match=r"mine: pair training/0: .*got NaN\. Look for NaN"):
        score(detector, jobs, tmp_path, ScoreOptions(), Heard())

    class Half:
        name, identity, sees_truth = "half", "1", False

        def detect_pair(self, view: View) -> Detection:
            return Detection(*([np.zeros((256, 256), np.float32)] * 2), float("nan"))

    with pytest.raises(ModelError, match=r"half: pair training/0: .*got NaN"):
        score(PairDetector(Half()), jobs, tmp_path / "b", ScoreOptions(), Heard())


def test_a_network_of_ones_own_hears_of_its_nan() -> None:
    foreign = ForeignNetwork(lambda p, d: (p[:, 0] * torch.nan, d[:, 0]), "mine")
    pictures = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ModelError, match="probabilities in 0 to 1, got nan"):
        foreign.detect(pictures, pictures)


def test_batches_and_workers_change_no_row(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation((("noise", 5.0),)))]
    texts = set()
    for k, (batch, workers) in enumerate([(1, 0), (7, 0), (64, 2)]):
        settings = ScoreOptions(batch_size=batch, workers=workers)
        score(network(), jobs, tmp_path / str(k), settings, Heard())
        texts.add(rows_of(tmp_path / str(k), jobs[0].name))
    assert len(texts) == 1
    texts = set()
    for k in (1, 2):
        settings = ScoreOptions(workers=k)
        score(find_detector("random"), jobs, tmp_path / f"r{k}", settings, Heard())
        texts.add(rows_of(tmp_path / f"r{k}", jobs[0].name))
    assert len(texts) == 1


class StoppedError(Exception):
    pass


def test_an_interrupted_run_goes_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())]
    score(network(), jobs, tmp_path / "whole", ScoreOptions(batch_size=4), Heard())

    class Impatient(Heard):
        def advance(self, n: int) -> None:
            super().advance(n)
            if self.counts[-1][2] >= 24:
                raise StoppedError

    with pytest.raises(StoppedError):
        score(network(), jobs, tmp_path / "cut", ScoreOptions(batch_size=4), Impatient())
    partial = tmp_path / "cut" / "training" / "partial-0.csv"
    kept = partial.read_text()
    assert kept.count("\n") >= 20
    partial.write_text(kept[:-7])  # as a kill in the middle of a line leaves it
    assert not (tmp_path / "cut" / "training" / "pairs.csv").exists()
    heard = Heard()
    (result,) = score(network(), jobs, tmp_path / "cut", ScoreOptions(batch_size=4), heard)
    assert heard.counts[0][:1] == ["pairs"]
    assert rows_of(tmp_path / "cut", "training") == rows_of(tmp_path / "whole", "training")
    assert not list((tmp_path / "cut" / "training").glob("partial-*"))
    assert result["complete"]


def test_a_finished_run_is_not_scored_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    first = score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    monkeypatch.setattr(scorers, "score_pairs", lambda *_: pytest.fail("scored again"))
    again = score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    assert json_text(again) == json_text(first)


def test_a_stale_result_is_refused(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    with pytest.raises(RunError, match=r"\(detector: oracle\), got others \(detector: empty\)"):
        score(find_detector("oracle"), jobs, tmp_path, ScoreOptions(), Heard())
    with pytest.raises(RunError, match=r"\(threshold: 0\.4\).*Use --overwrite"):
        score(find_detector("empty"), jobs, tmp_path, ScoreOptions(threshold=0.4), Heard())
    (result,) = score(
        find_detector("oracle"), jobs, tmp_path, ScoreOptions(), Heard(), overwrite=True
    )
    assert result["summary"]["iou"] == 1


def test_finished_results_stay_until_the_new_ones_are_whole(made, tmp_path, monkeypatch) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    (old,) = score(find_detector("oracle"), jobs, tmp_path, ScoreOptions(), Heard())
    folder = tmp_path / "combination-normal"
    (folder / "mine.txt").write_text("a user's own file")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    again = {"options": ScoreOptions(threshold=0.4), "progress": Heard(), "overwrite": True}
    with monkeypatch.context() as patch:
        patch.setattr("cisdl_bench.scoring.run.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            score(find_detector("oracle"), jobs, tmp_path, **again)
    assert [result.record["rows_sha256"] for result in find_results(tmp_path)] == [
        old["rows_sha256"]
    ]
    (new,) = score(find_detector("oracle"), jobs, tmp_path, **again)
    assert again["progress"].counts[-1] == ["pairs", 20, 20]
    assert new["request"]["threshold"] == 0.4
    assert read_result(folder / "result.json")["rows_sha256"] == new["rows_sha256"]
    assert (folder / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["combination-normal"]


def test_broken_results_are_refused_and_overwritten(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    folder = tmp_path / "combination-normal"
    rows = (folder / "pairs.csv").read_text()
    (folder / "pairs.csv").write_text("".join(rows.splitlines(keepends=True)[:-3]))
    with pytest.raises(RunError, match=r"the rows that `score` wrote, got 17 others"):
        find_results(tmp_path)[0].rows()
    (folder / "pairs.csv").write_text(rows[:-9])
    with pytest.raises(RunError, match=r"the rows that `score` wrote, got 20 others"):
        find_results(tmp_path)[0].rows()
    (folder / "result.json").write_text("{")
    with pytest.raises(RunError, match=r"expected JSON.*Score it again with --overwrite"):
        score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())
    score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard(), overwrite=True)
    assert rows_of(tmp_path, "combination-normal") == rows


def test_two_sets_of_one_name_are_refused(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "training"), Perturbation())] * 2
    with pytest.raises(RunError, match="expected sets of different names, got training twice"):
        score(find_detector("empty"), jobs, tmp_path, ScoreOptions(), Heard())


def test_masks_are_saved(made: Path, tmp_path: Path) -> None:
    from PIL import Image

    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    for name, detector in (("oracle", find_detector("oracle")), ("mine", network())):
        score(detector, jobs, tmp_path / name, ScoreOptions(save_masks=True), Heard())
        masks = tmp_path / name / "combination-normal" / "masks"
        assert len(list(masks.iterdir())) == 40
        mask = np.asarray(Image.open(masks / "000003-probe.png"))
        pair = open_pairs(made / "combination-normal")[3]
        if name == "oracle":
            assert (mask == 255 * pair.probe_mask).all()
        else:
            assert ((mask > 127) == (pair.probe[..., 0] > 127)).mean() > 0.99


def test_results_say_where_they_come_from(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation((("jpeg", 70.0),)))]
    score(network(), jobs, tmp_path, ScoreOptions(), Heard())
    write_summary(tmp_path)
    (result,) = find_results(tmp_path)
    assert (result.detector, result.set, result.perturbation) == (
        "mine",
        "combination-normal",
        "jpeg-70",
    )
    fingerprint = open_pairs(made / "combination-normal").manifest["fingerprint"]
    assert result.record["request"]["fingerprint"] == fingerprint
    assert result.record["device"].startswith("cpu")
    assert len(result.record["data"]["spec_sha256"]) == 64
    assert result.notes == []
    assert result.record["pairs_per_second"] > 0
    written = json.loads((tmp_path / "summary.json").read_text())[0]
    assert written == json.loads(json_text(result.record))
    header, line = (tmp_path / "summary.csv").read_text().splitlines()
    assert "iou_low" in header
    assert line.startswith("mine,combination-normal,jpeg-70,20,20,")


def test_which_sets_are_scored(made: Path) -> None:
    def names(chosen: list[str], perturb: str | None = None) -> list[str]:
        return [
            job.name for job in make_score_jobs([made], chosen, perturb, ListOptions(), Heard())
        ]

    assert names([]) == ["combination-normal"]
    assert names(["training"]) == ["training"]
    both = ["combination-normal", "combination-normal@jpeg-70+blur-1.5"]
    assert names(["combination"], "none,jpeg:70+blur:1.5") == both
    with pytest.raises(StoreError, match="--set .*Name one of combination-normal"):
        names(["rotation"])


def test_lower_precision_is_near(made: Path, tmp_path: Path) -> None:
    jobs = [ScoreJob(open_pairs(made / "combination-normal"), Perturbation())]
    (exact,) = score(network(), jobs, tmp_path / "a", ScoreOptions(), Heard())
    (half,) = score(network(), jobs, tmp_path / "b", ScoreOptions(precision="bf16"), Heard())
    assert half["request"]["precision"] == "bf16"
    assert half["summary"]["iou"] == pytest.approx(exact["summary"]["iou"], abs=0.02)


def test_two_processes_score_every_pair_once(made: Path, tmp_path: Path) -> None:
    (tmp_path / "two_here.py").write_text(
        "import torch\ndef network(): return lambda p, d: (p[:, 0], d[:, 1])\n"
    )
    command = ["-m", "cisdl_bench", "-q", "score", "two_here:network", "--data", str(made)]
    command += ["--set", "training", "--device", "cpu", "--batch-size", "4", "-o"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    alone = [sys.executable, *command, "one"]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    together = [sys.executable, *launch, *command, "two"]
    for line in (alone, together):
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "one", "training") == rows_of(tmp_path / "two", "training")
    result = json.loads((tmp_path / "two" / "training" / "result.json").read_text())
    assert result["processes"] == 2
