from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Heard
from lists import write_mfc

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.errors import CisdlError, RunError, SourceError
from cisdl_bench.models.find import find_detector
from cisdl_bench.nist.submit import Request, submit
from cisdl_bench.scoring import scorers
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import PredictionScorer
from cisdl_bench.scoring.run import run_jobs

NAME = "ACME_MFC18_Tiny_Splice_ImgOnly_p-sift_1"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_mfc(tmp_path / "data")


def made(index: Path, out: Path, name: str = "sift-ransac", **settings) -> dict[str, int]:
    return submit(
        find_detector(name), Request(index, None, out), ScoreOptions(), Heard(), **settings
    )


def test_a_submission_is_complete_and_finds_the_copies(index: Path, tmp_path: Path) -> None:
    out = tmp_path / NAME
    assert made(index, out) == {"processed": 3}
    assert sorted(path.name for path in out.iterdir()) == [f"{NAME}.csv", "mask"]
    assert not list(tmp_path.glob(".*-work"))
    lines = (out / f"{NAME}.csv").read_text().splitlines()
    assert lines[3].split("|")[2:5] == ["0.0", "", ""]
    mask = cv2.imread(str(out / "mask" / "p-shifted_d-shifted_probe.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (240, 320)
    true = cv2.imread(str(index.parent.parent / "masks" / "shifted-probe.png"), 0) > 0
    found = mask <= 127
    assert (found & true).sum() / (found | true).sum() > 0.7
    pairs = open_list(index, ListOptions(), Heard())
    predictions = read_predictions(out / f"{NAME}.csv")
    jobs = [ScoreJob(pairs, Perturbation())]
    (result,) = run_jobs(
        PredictionScorer(predictions), jobs, tmp_path / "s", ScoreOptions(), Heard()
    )
    assert result["summary"]["own_auc"] == 1
    assert result["summary"]["iou"] > 0.7


def test_a_picture_that_cannot_be_read_is_opted_out(index: Path, tmp_path: Path) -> None:
    root = index.parent.parent
    (root / "raw-probe.png").write_bytes(b"\x89PNG broken")
    (root / "shifted-donor.png").unlink()
    heard = Heard()
    request = Request(index, root, tmp_path / NAME)
    counts = submit(find_detector("empty"), request, ScoreOptions(), heard)
    assert counts == {"opted out": 2, "processed": 1}
    lines = [line.split("|") for line in request.table.read_text().splitlines()]
    assert [line[5:7] for line in lines[1:]] == [
        ["OptOutAll", "OptOutLocalization"],
        ["OptOutAll", "OptOutLocalization"],
        ["Processed", "Processed"],
    ]
    assert any("left out 2" in line for line in heard.lines)


def test_nc17_says_it_in_one_column(index: Path, tmp_path: Path) -> None:
    out = tmp_path / NAME.replace("MFC18", "NC17")
    request = Request(index, None, out, ncid="NC17")
    submit(find_detector("empty"), request, ScoreOptions(), Heard())
    assert request.table.read_text().splitlines()[1] == "p-raw|d-raw|0.0|||N"


def test_the_name_is_checked_before_any_work(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "score_pairs", lambda *_: pytest.fail("looked"))
    with pytest.raises(SourceError, match=r"got 8\. Choose another --out"):
        made(index, tmp_path / NAME.replace("ACME", "AC_ME"))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_interrupted_submission_goes_on_and_is_not_overwritten(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole" / NAME
    made(index, whole)

    class StoppedError(Exception): ...

    class Impatient(Heard):
        def advance(self, n: int) -> None:
            super().advance(n)
            if self.counts[-1][0] == "pairs":
                raise StoppedError

    monkeypatch.setattr("cisdl_bench.scoring.by_pair._TASK", 1)
    request = Request(index, None, tmp_path / NAME)
    with pytest.raises(StoppedError):
        submit(find_detector("sift-ransac"), request, ScoreOptions(), Impatient())
    assert not request.table.exists()
    with pytest.raises(RunError, match="Use --overwrite"):
        made(index, tmp_path / NAME, "empty")
    heard = Heard()
    submit(find_detector("sift-ransac"), request, ScoreOptions(), heard)
    assert heard.counts[-1][1:] == [3, 3]
    assert request.table.read_bytes() == (whole / f"{NAME}.csv").read_bytes()
    with pytest.raises(RunError, match=r"\.csv exists.*--overwrite"):
        made(index, tmp_path / NAME)
    assert made(index, tmp_path / NAME, "empty", overwrite=True) == {"processed": 3}
    assert not list((tmp_path / NAME / "mask").iterdir())


def test_ids_that_would_leave_the_folder_are_refused(index: Path, tmp_path: Path) -> None:
    index.write_text(index.read_text().replace("p-raw", "../p"))
    with pytest.raises(CisdlError, match=r"splice-index.csv: .*'\.\./p'.*Rename it"):
        made(index, tmp_path / NAME)


def test_masks_come_out_at_the_sizes_of_the_index(index: Path, tmp_path: Path) -> None:
    index.write_text(index.read_text().replace("raw-probe.png|320|240", "raw-probe.png|160|120"))
    made(index, tmp_path / NAME)
    mask = cv2.imread(str(tmp_path / NAME / "mask" / "p-raw_d-raw_probe.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (120, 160)
    assert mask.dtype == np.uint8
